"""The peers of the bench `statistics`: the same series through pastas, numpy with scipy, and pymannkendall.

Arguments: series, months, series compared. Reads the series as doubles from standard input, then orders, a line each:
`round` runs all peers once (answer: NAME, MICROSECONDS_A_SERIES), `sgi` gives the values of the first series, `trends` S,
slope and p of the original test. Fields are separated by tabs; an answer ends with `done`.
"""

import sys
import time
import warnings

import numpy as np
import pandas as pd
import pastas
import pymannkendall
from scipy.stats import norm, rankdata

warnings.simplefilter("ignore")
N_SERIES, N_MONTHS, COMPARED = (int(argument) for argument in sys.argv[1:4])
LEVELS = np.frombuffer(sys.stdin.buffer.read(8 * N_SERIES * N_MONTHS), dtype="<f8").reshape(N_SERIES, N_MONTHS)
YEARS = N_MONTHS // 12
INDEX = pd.date_range("1980-01-31", periods=N_MONTHS, freq="ME")


def sgi_pastas():
    return [pastas.stats.sgi(pd.Series(levels, index=INDEX)) for levels in LEVELS]


def sgi_numpy_by_month():
    found = np.empty_like(LEVELS)
    for well, levels in enumerate(LEVELS):
        for month in range(12):
            group = levels[month::12]
            found[well, month::12] = norm.ppf((rankdata(group) - 0.5) / len(group))
    return found


def sgi_numpy_by_well():
    return np.array([norm.ppf((rankdata(x.reshape(YEARS, 12), axis=0) - 0.5) / YEARS).ravel() for x in LEVELS])


def sgi_numpy_all_at_once():
    ranks = rankdata(LEVELS.reshape(N_SERIES, YEARS, 12), axis=1)
    return norm.ppf((ranks - 0.5) / YEARS).reshape(N_SERIES, N_MONTHS)


def trend_original():
    return [pymannkendall.original_test(levels) for levels in LEVELS]


def trend_hamed_rao():
    return [pymannkendall.hamed_rao_modification_test(levels) for levels in LEVELS]


def trend_seasonal():
    return [pymannkendall.seasonal_test(levels, period=12) for levels in LEVELS]


PEERS = {
    "sgi: pastas.stats.sgi in a loop": sgi_pastas,
    "sgi: numpy and scipy, month by month": sgi_numpy_by_month,
    "sgi: numpy and scipy, well by well": sgi_numpy_by_well,
    "sgi: numpy and scipy, all wells at once": sgi_numpy_all_at_once,
    "trend: pymannkendall original_test": trend_original,
    "trend: pymannkendall hamed_rao": trend_hamed_rao,
    "trend: pymannkendall seasonal_test": trend_seasonal,
}
for order in iter(sys.stdin.buffer.readline, b""):
    if order == b"round\n":
        for name, run in PEERS.items():
            began = time.perf_counter()
            run()
            print(name, (time.perf_counter() - began) * 1e6 / N_SERIES, sep="\t")
    elif order == b"sgi\n":
        for value in sgi_numpy_by_month()[:COMPARED].ravel():
            print(repr(float(value)))
    elif order == b"trends\n":
        for trend in trend_original():
            print(repr(float(trend.s)), repr(float(trend.slope)), repr(float(trend.p)), sep="\t")
    print("done", flush=True)
