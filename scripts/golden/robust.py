#!/usr/bin/env python3
"""Slopes within blocks, their test and interval, by scipy and pymannkendall, on simulated series.

Writes crates/gwbank-indicator/tests/golden/robust.csv, which a unit test of `robust.rs` reads. Needs Python 3.11 with

    pip install numpy==2.4.6 scipy==1.17.1 pymannkendall==1.4.3

Rows: `point,case,block,x,y` and, after the points of a case, `expected,case,name,value`. Whose value it is:
- `slope`, `low`, `high` of cases with one block: scipy.stats.theilslopes(y, x, alpha=0.9)
- `slope`, `s`, `variance` of cases with twelve blocks: pymannkendall.seasonal_test(period=12)
- `q80`: numpy.quantile(y, 0.8), method "linear"
"""

from pathlib import Path

import numpy as np
import pymannkendall
from scipy import stats

OUTPUT = Path(__file__).resolve().parents[2] / "crates/gwbank-indicator/tests/golden/robust.csv"


def single_blocks(random):
    """Irregular places, with and without a slope, with ties of the value."""
    for case, (count, slope, digits) in enumerate([(12, 0.0, 9), (25, -0.3, 9), (40, 0.1, 1), (18, 2.0, 0)]):
        x = np.round(np.cumsum(random.uniform(0.2, 3.0, count)), 3)
        y = np.round(slope * x + random.normal(0.0, 1.0, count), digits)
        found = stats.theilslopes(y, x, alpha=0.9)
        expected = {"slope": found.slope, "low": found.low_slope, "high": found.high_slope}
        yield f"single{case}", [(0, *point) for point in zip(x, y)], expected


def seasons(random):
    """Years of months, with gaps."""
    for case, (years, slope, gaps, digits) in enumerate([(8, 0.0, 0, 9), (12, -0.2, 15, 9), (10, 0.3, 10, 1)]):
        month = np.arange(12 * years)
        season = 3.0 * np.sin(2.0 * np.pi * month / 12.0)
        y = np.round(slope * (month // 12) + season + random.normal(0.0, 1.0, month.size), digits)
        y[random.choice(month.size, gaps, replace=False)] = np.nan
        found = pymannkendall.seasonal_test(y, period=12)
        points = [(at % 12, at // 12, value) for at, value in zip(month, y) if np.isfinite(value)]
        yield f"seasons{case}", points, {"slope": found.slope, "s": found.s, "variance": found.var_s}


def main():
    random = np.random.default_rng(20)
    rows = []
    for case, points, expected in [*single_blocks(random), *seasons(random)]:
        expected["q80"] = np.quantile([y for _, _, y in points], 0.8)
        rows += [f"point,{case},{block},{float(x)!r},{float(y)!r}" for block, x, y in points]
        rows += [f"expected,{case},{name},{float(value)!r}" for name, value in expected.items()]
    OUTPUT.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
