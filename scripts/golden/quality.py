#!/usr/bin/env python3
"""Flags of ioos_qc on simulated wells, for the tests of gwbank-quality.

Writes flags.csv.gz, limits.csv and defects.csv into crates/gwbank-quality/tests/golden: four series of simulated readings
(a level and a temperature of two loggers) with defects put in, the limits of each, and what ioos_qc says of them. And
drift.csv: differences between a sensor and a reference, with the Theil-Sen slope and its 99 % interval by scipy.

    python3 -m venv /some/where && /some/where/bin/pip install ioos-qc==3.0.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
    /some/where/bin/python scripts/golden/quality.py

The readings are random with a fixed seed; nothing in them was chosen by what a test of ours finds.
"""

import gzip
import io
import pathlib

import numpy as np
import pandas as pd
from ioos_qc import qartod
from scipy import stats

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/gwbank-quality/tests/golden"
READINGS = 2_000
# In the unit of each parameter: magnitude of small and large spikes, of the drift's end, of the step.
MAGNITUDES = {"depth_to_water": (0.08, 0.3, 0.6, 0.75), "water_temperature": (0.8, 3.0, 6.0, 7.5)}
LIMITS = {
    "depth_to_water": dict(spike=(0.05, 0.15), roc_per_hour=(0.1, 0.5), tolerance=0.0005, attenuated=(0.004, 0.002)),
    "water_temperature": dict(spike=(0.5, 1.5), roc_per_hour=(1.0, 5.0), tolerance=0.005, attenuated=(0.02, 0.004)),
}


def times(rng, step_s, irregular):
    steps = np.full(READINGS, step_s)
    if irregular:
        steps = steps + rng.integers(-60, 61, READINGS)
        steps[[700, 1300]] += [9 * step_s, 30 * step_s]
    return 1_780_000_000 + np.cumsum(steps)


def level(rng, hours):
    rain = np.zeros(READINGS)
    for start in rng.choice(READINGS, 4, replace=False):
        since = hours - hours[start]
        rain += np.where(since > 0, 0.15 * (1 - np.exp(-np.maximum(since, 0) / 6)) * np.exp(-np.maximum(since, 0) / 150), 0)
    tide = 0.008 * np.sin(2 * np.pi * hours / 12.42)
    return np.round(4.2 + 0.0004 * hours - rain + tide + rng.normal(0, 0.001, READINGS), 4)


def temperature(rng, hours):
    """Of a few metres' depth: still for days, in steps of 0.01."""
    return np.round(27.4 + 0.3 * np.sin(2 * np.pi * hours / 8766) + rng.normal(0, 0.0012, READINGS), 2)


def put_in(rng, values, parameter, readings_per_day):
    """The defects, and the values with them."""
    small, large, drift, step = MAGNITUDES[parameter]
    values = values.copy()
    defects = []

    def note(kind, first, last, magnitude):
        defects.append((kind, int(first), int(last), magnitude))

    hold = values.copy()
    for first, days in [(350, 0.35), (1_000, 1.3), (1_700, 2.0)]:
        last = min(first + int(days * readings_per_day), READINGS - 20)
        values[first : last + 1] = hold[first]
        note("flat", first, last, 0.0)
    first, last = 760, 900
    values[first : last + 1] += drift * np.arange(last - first + 1) / (last - first)
    note("drift", first, last, drift)
    first, last = 1_350, 1_420
    values[first : last + 1] += step
    note("step", first, last, step)
    taken = np.zeros(READINGS, bool)
    for _, first, last, _ in defects:
        taken[max(first - 5, 0) : last + 6] = True
    for number in range(8):
        at = rng.choice(np.flatnonzero(~taken[10:-10])) + 10
        magnitude = (small if number % 2 else large) * (1 if number % 4 < 2 else -1)
        values[at] += magnitude
        taken[at - 5 : at + 6] = True
        note("spike", at, at, magnitude)
    for magnitude in (100.0, -100.0):
        at = rng.choice(np.flatnonzero(~taken[10:-10])) + 10
        values[at] += magnitude
        taken[at - 5 : at + 6] = True
        note("range", at, at, magnitude)
    for length in (1, 3, 12):
        at = rng.choice(np.flatnonzero(~taken[20:-20])) + 20
        values[at : at + length] = np.nan
        taken[at - 5 : at + length + 5] = True
        note("missing", at, at + length - 1, "")
    return values, defects


def main():
    rng = np.random.default_rng(20_260_727)
    flags, limits, all_defects = [], [], []
    for well, step_s, irregular in [("SIM-1", 900, False), ("SIM-2", 3_600, True)]:
        seconds = times(rng, step_s, irregular)
        hours = (seconds - seconds[0]) / 3_600
        per_day = 86_400 / step_s
        for parameter, simulate in [("depth_to_water", level), ("water_temperature", temperature)]:
            clean = simulate(rng, hours)
            # As after five years of it: what is usual, and a margin.
            span = clean.max() - clean.min() + MAGNITUDES[parameter][2]
            suspect = (round(clean.min() - span, 3), round(clean.max() + span, 3))
            fail = (round(suspect[0] - 10 * span, 3), round(suspect[1] + 10 * span, 3))
            values, defects = put_in(rng, clean, parameter, per_day)
            own = LIMITS[parameter]
            roc = [limit / 3_600 for limit in own["roc_per_hour"]]
            when = seconds.astype("datetime64[s]").astype("datetime64[ns]")
            middle = float(np.round(np.median(clean), 3))
            # Months in order; the second span of a month overrides the first, one month has none.
            climatology = [
                dict(tspan=(5, 6), vspan=(middle - 0.3, middle + 0.05), fspan=(middle - 0.5, middle + 0.5), period="month"),
                dict(tspan=(6, 6), vspan=(middle - 0.2, middle + 0.1), period="month"),
                dict(tspan=(190, 196), vspan=(middle - 0.01, middle + 0.02), period="dayofyear"),
            ]
            weak = own["attenuated"]
            tests = {
                "gross_range": qartod.gross_range_test(values, fail_span=fail, suspect_span=suspect),
                "spike": qartod.spike_test(values, *own["spike"]),
                "spike_differential": qartod.spike_test(values, *own["spike"], method="differential"),
                "rate_of_change": qartod.rate_of_change_test(values, when, roc[0], fail_threshold=roc[1]),
                "flat_line": qartod.flat_line_test(values, when, 21_600, 86_400, own["tolerance"]),
            }
            tests["rollup"] = qartod.qartod_compare(
                [tests[name] for name in ("gross_range", "spike", "rate_of_change", "flat_line")]
            )
            tests["climatology"] = qartod.climatology_test(climatology, values, when, np.full(READINGS, np.nan))
            tests["attenuated_std"] = qartod.attenuated_signal_test(values, when, *weak, test_period=43_200)
            tests["attenuated_std_min_obs"] = qartod.attenuated_signal_test(
                values, when, *weak, test_period=43_200, min_obs=10
            )
            tests["attenuated_range_min_period"] = qartod.attenuated_signal_test(
                values, when, *weak, test_period=43_200, min_period=36_000, check_type="range"
            )
            tests["attenuated_whole"] = qartod.attenuated_signal_test(values, when, 1_000.0, *weak[1:])
            tests["time_gap"] = qartod.time_gap_test(when, fail_span=2)
            # Not of a well: the values as densities going down a profile that turns back, for the arithmetic alone.
            depth = np.abs(np.arange(READINGS) - 1_000.0)
            tests["density_inversion"] = qartod.density_inversion_test(values, depth, -own["tolerance"], -own["spike"][0])
            table = pd.DataFrame({name: np.ma.filled(found, 9).astype(int) for name, found in tests.items()})
            table.insert(0, "well_id", well)
            table.insert(1, "parameter", parameter)
            table.insert(2, "time", pd.to_datetime(seconds, unit="s").strftime("%Y-%m-%dT%H:%M:%SZ"))
            table.insert(3, "value", ["" if np.isnan(value) else repr(float(value)) for value in values])
            flags.append(table)
            limits.append([well, parameter, *fail, *suspect, *own["spike"], *roc, 21_600, 86_400, own["tolerance"], middle, *weak])
            all_defects += [(well, parameter, *defect) for defect in defects]
    OUT.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    pd.concat(flags).to_csv(text, index=False)
    # No time in the file, so that the same numbers give the same bytes.
    (OUT / "flags.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
    header = "well_id,parameter,fail_min,fail_max,suspect_min,suspect_max,spike_suspect,spike_fail,roc_suspect_per_s,"
    header += "roc_fail_per_s,flat_suspect_s,flat_fail_s,flat_tolerance,climatology_middle,attenuated_suspect,attenuated_fail"
    write(OUT / "limits.csv", header, limits)
    drift(rng)
    write(OUT / "defects.csv", "well_id,parameter,defect,first_index,last_index,magnitude", all_defects)


def drift(rng):
    rows = []
    for series, (count, slope, digits) in enumerate([(12, 0.03, 2), (40, 0.0, 2), (60, -0.08, 3)]):
        years = np.sort(np.round(rng.uniform(0, 6, count), 4))
        values = np.round(0.1 + slope * years + rng.normal(0, 0.02, count), digits)
        found = stats.theilslopes(values, years, 0.99)
        rows += [[series, year, value, found.slope, found.low_slope, found.high_slope] for year, value in zip(years, values)]
    write(OUT / "drift.csv", "series,years,difference,slope,low,high", rows)


def write(path, header, rows):
    lines = [",".join(str(float(field)) if isinstance(field, np.floating) else str(field) for field in row) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n")


if __name__ == "__main__":
    main()
