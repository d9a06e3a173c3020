"""Golden files of gwbank-indicator's statistics: what established packages make of simulated series.

    python3 -m venv FOLDER && FOLDER/bin/pip install -r scripts/golden/requirements.txt
    FOLDER/bin/python scripts/golden/indicator_statistics.py crates/gwbank-indicator/tests/golden

Writes
- levels.csv: monthly levels of simulated wells (gaps are absent), with pastas' SGI where no level is tied;
- trend.csv: pymannkendall on them; series with gaps for the tests that take gaps, else with gaps dropped;
- thresholds.csv: hyswap's percentile thresholds;
- events.csv: drought events, by a second implementation of the definition (there is no peer);
- rain.csv, spi.csv: simulated monthly rain with dry seasons; SPI by scipy's gamma.fit with the location at 0;
- days.csv, gxg.csv: levels by hand and by a logger with gaps; pastas' GHG, GLG and GVG with several ways to fill.

Numbers are the shortest text that reads back to the same double; an empty field is NaN.
"""

import csv
import math
import pathlib
import sys
import warnings

import hyswap
import numpy as np
import pandas as pd
import pastas
import pymannkendall as mk
from scipy.stats import gamma, norm

warnings.simplefilter("ignore")
FOLDER = pathlib.Path(sys.argv[1])
PERCENTILES = [5, 10, 25, 50, 75, 90, 95]


def text(value):
    if isinstance(value, (float, np.floating)):
        return "" if math.isnan(value) else repr(float(value))
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    return str(value)


def write(name, header, rows):
    with open(FOLDER / name, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([text(value) for value in row] for row in rows)


def wells():
    """Monthly levels (up) on full indexes, NaN for gaps."""
    rng = np.random.default_rng(20261127)

    def simulated(years, memory, noise, trend, decimals, start="1990-01"):
        n = 12 * years
        anomaly, levels = 0.0, []
        for month in range(n):
            anomaly = memory * anomaly + noise * rng.normal()
            levels.append(-4.0 + math.sin(2 * math.pi * month / 12) + anomaly + trend * month)
        return pd.Series(np.round(levels, decimals), index=pd.period_range(start, periods=n, freq="M"))

    smooth = simulated(32, 0.9, 0.15, 0.0, 6)
    falling = simulated(25, 0.6, 0.3, -0.004, 6, "1995-06")
    by_hand = simulated(28, 0.7, 0.25, 0.001, 2)  # whole centimetres: ties
    by_hand[rng.random(len(by_hand)) < 0.12] = np.nan
    alternating = simulated(13, 0.0, 0.05, 0.0005, 4)
    alternating[:] = np.round(alternating + 3.0 * (np.arange(len(alternating)) % 2), 4)
    return {"smooth": smooth, "falling": falling, "by-hand": by_hand, "alternating": alternating}


def levels_and_sgi(series):
    for well, levels in series.items():
        present = levels.dropna()
        month_of_year = present.index.month
        tied = any(present[month_of_year == month].duplicated().any() for month in range(1, 13))
        stamped = pd.Series(present.values, index=present.index.to_timestamp())
        sgi = pd.Series(np.nan, stamped.index) if tied else pastas.stats.sgi(stamped)
        for month, level in present.items():
            yield well, str(month), level, sgi[month.to_timestamp()]


def trends(series):
    def row(well, name, levels, found):
        return (well, name, len(levels), int((~np.isnan(levels)).sum()), found.trend, found.h, found.p, found.z,
                found.Tau, found.s, found.var_s, found.slope, found.intercept)  # fmt: skip

    for well, levels in series.items():
        gaps, compact = levels.to_numpy(), levels.dropna().to_numpy()
        first, last = levels.index[0], levels.index[-1]
        full = levels.reindex(pd.period_range(f"{first.year}-01", f"{last.year}-12", freq="M")).to_numpy()
        yield row(well, "mann_kendall", gaps, mk.original_test(gaps))
        yield row(well, "seasonal", full, mk.seasonal_test(full, period=12))
        for short in (compact, compact[:30]):
            yield row(well, "mann_kendall", short, mk.original_test(short))
            yield row(well, "hamed_rao", short, mk.hamed_rao_modification_test(short))
            yield row(well, "hamed_rao_lag3", short, mk.hamed_rao_modification_test(short, lag=3))
            yield row(well, "yue_wang_lag1", short, mk.yue_wang_modification_test(short, lag=1))
            yield row(well, "tfpw", short, mk.trend_free_pre_whitening_modification_test(short))


def thresholds(series):
    for well, levels in series.items():
        for month in range(1, 13):
            values = levels[levels.index.month == month].dropna().to_numpy()
            make = hyswap.percentiles.calculate_fixed_percentile_thresholds
            plain = make(values, percentiles=PERCENTILES, mask_out_of_range=False, include_metadata=False)
            masked = make(values, percentiles=PERCENTILES, include_metadata=False)
            names = [f"p{percentile:02}" for percentile in PERCENTILES]
            out = " ".join(name for name in names if np.isnan(masked[name].iloc[0]))
            yield (well, month, len(values), *(float(plain[name].iloc[0]) for name in names), out)


def drought_events(series):
    for well, levels in series.items():
        limits = {}
        for month in range(1, 13):
            values = levels[levels.index.month == month].dropna()
            if len(values) >= 10:
                limits[month] = round(float(np.percentile(values, 20, method="weibull")), 9)
        judged = [(month, level, limits.get(month.month)) for month, level in levels.items()]
        usable = {month for month, level, limit in judged if limit is not None and not np.isnan(level)}
        below = {month: limit - level for month, level, limit in judged if month in usable and level < limit}
        for pooling in (0, 1):
            events = []
            for month in sorted(below):
                between = [] if not events else list(pd.period_range(events[-1][-1] + 1, month - 1, freq="M"))
                if events and len(between) <= pooling and all(other in usable for other in between):
                    events[-1].append(month)
                else:
                    events.append([month])
            for months in events:
                start, end = months[0], months[-1]
                deficits = [below[month] for month in months]
                yield (well, pooling, str(start), str(end), len(months), float(sum(deficits)), float(max(deficits)),
                       start - 1 not in usable, end + 1 not in usable)  # fmt: skip


def rain():
    rng = np.random.default_rng(7)
    index = pd.period_range("1998-01", periods=12 * 25, freq="M")
    wet = np.array([0.25, 0.4, 0.7, 0.95, 1, 1, 1, 1, 1, 1, 0.8, 0.3])
    mean = np.array([8, 15, 40, 90, 180, 150, 160, 190, 240, 170, 50, 10])
    month = index.month - 1
    sums = np.where(rng.random(len(index)) < wet[month], rng.gamma(2.2, mean[month] / 2.2), 0.0)
    return pd.Series(np.round(sums, 1), index=index)


def spi(sums):
    for timescale in (1, 3, 6, 12):
        windows = sums.rolling(timescale).sum().dropna().round(6)
        for month in range(1, 13):
            values = windows[windows.index.month == month]
            positive = values[values > 0]
            zeros = 1 - len(positive) / len(values)
            shape, _, scale = gamma.fit(positive, floc=0)
            for end, value in values.items():
                p = zeros + (1 - zeros) * gamma.cdf(value, shape, scale=scale) if value > 0 else zeros
                yield str(end), timescale, value, float(norm.ppf(p))


def days():
    """Daily levels (up): by hand about every fortnight, and a logger with gaps."""
    rng = np.random.default_rng(99)

    def level(day, noise):
        season = 0.6 * math.sin(2 * math.pi * (day.dayofyear - 40) / 365.25)
        return round(-1.5 + season + noise, 2)

    by_hand, day = {}, pd.Timestamp("2001-02-03")
    while day < pd.Timestamp("2015-11-20"):
        by_hand[day] = level(day, 0.2 * rng.normal())
        day += pd.Timedelta(int(rng.choice([9, 13, 14, 14, 15, 16, 31, 60])), "D")
    logger, noise = {}, 0.0
    for day in pd.date_range("2004-05-10", "2013-08-02"):
        noise = 0.95 * noise + 0.03 * rng.normal()
        logger[day] = level(day, noise)
    logger = pd.Series(logger)
    for start, length in (("2006-01-10", 40), ("2008-07-01", 120), ("2010-03-08", 25), ("2012-04-10", 9)):
        logger = logger.drop(pd.date_range(start, periods=length))
    logger = logger[rng.random(len(logger)) > 0.45]
    return {"by-hand": pd.Series(by_hand), "logger": logger}


def gxg(series):
    fills = [("default", None), ("none", {"fill_method": None}), ("nearest_once", {"fill_method": "nearest", "limit": 0})]
    for days in (3, 8):
        for method in ("nearest", "ffill", "bfill", "linear"):
            fills.append((f"{method} {days}", {"fill_method": method, "limit": days}))
    for name, levels in series.items():
        for kind in ("ghg", "glg", "gvg"):
            for fill, options in fills:
                for least in (None, 1):
                    given = dict(options or {}, **({} if least is None else {"min_n_meas": least, "min_n_years": 3}))
                    compute = getattr(pastas.stats, kind)
                    yearly = compute(levels, output="yearly", **given)
                    mean = compute(levels, output="mean", **given)
                    years = " ".join(f"{text(float(value))}" or "-" for value in yearly.to_numpy())
                    yield name, kind, fill, least or "", float(mean), years


FOLDER.mkdir(parents=True, exist_ok=True)
WELLS, RAIN, DAYS = wells(), rain(), days()
write("levels.csv", ["well_id", "month", "level", "sgi"], levels_and_sgi(WELLS))
write("trend.csv", ["well_id", "test", "n_input", "n_valid", "trend", "h", "p", "z", "tau", "s", "var_s", "slope", "intercept"], trends(WELLS))
write("thresholds.csv", ["well_id", "calendar_month", "n", *(f"p{p:02}" for p in PERCENTILES), "masked"], thresholds(WELLS))
write("events.csv", ["well_id", "pooling_months", "start", "end", "months_below", "deficit", "deepest", "left_censored", "right_censored"], drought_events(WELLS))
write("rain.csv", ["month", "millimetres"], ((str(month), value) for month, value in RAIN.items()))
write("spi.csv", ["month", "timescale", "sum", "spi"], spi(RAIN))
write("days.csv", ["series", "day", "level"], ((n, d.date(), v) for n, s in DAYS.items() for d, v in s.items()))
write("gxg.csv", ["series", "kind", "fill", "levels_min", "mean", "years"], gxg(DAYS))
