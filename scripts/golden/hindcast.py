"""Golden files of gwbank-hindcast: a second implementation of the replay, by the definitions, on simulated wells.

    python3 scripts/golden/hindcast.py crates/gwbank-hindcast/tests/golden

There is no peer that replays condition flags, so the rules are written down once more, plainly: at every closing everything is
computed anew from the days known by then. Nothing but Python's standard library.

Writes
- days.csv: one reading by hand a month of each well; `depth_mm` empty is a dry well; `received` is when it came, in days after
  the reading, empty for at once; a day may stand twice (a correction);
- changes.csv: every change of a drought flag;
- places.csv: what the district and the province say at each closing: severity claimed, or why nothing.
"""

import csv
import datetime
import math
import pathlib
import random
import statistics
import sys

FOLDER = pathlib.Path(sys.argv[1])
FIRST_YEAR, YEARS = 1999, 24
FIRST, LAST = FIRST_YEAR * 12, (FIRST_YEAR + YEARS) * 12 - 1
PLACES = {1: ("3001", "300101"), 2: ("3001", "300101"), 3: ("3001", "300101"), 4: ("3001", "300102"), 5: ("3001", "300102"),
          6: ("3001", "300102"), 7: ("3002", "300201"), 8: ("3002", "300201")}
SEVERITIES = ["watch", "warning", "severe", "extreme"]
CLASSES = ["none", "watch", "moderate", "severe", "extreme"]
QUANTILE = statistics.NormalDist().inv_cdf


def simulate():
    """(well, day, depth in mm or None, days until received or None)"""
    rng = random.Random(20261127)
    weather, state = [], 0.0
    for month in range(FIRST, LAST + 1):
        state = 0.85 * state + 0.5 * rng.gauss(0, 1)
        # Two dry spells.
        dry = 3.0 if FIRST_YEAR * 12 + 17 * 12 <= month < FIRST_YEAR * 12 + 18 * 12 + 3 else 0.0
        dry += 2.2 if FIRST_YEAR * 12 + 22 * 12 + 2 <= month < FIRST_YEAR * 12 + 22 * 12 + 11 else 0.0
        weather.append(state + dry)
    rows = []
    for well in PLACES:
        own = 0.0
        for index, month in enumerate(range(FIRST, LAST + 1)):
            own = 0.7 * own + 0.4 * rng.gauss(0, 1)
            if well == 8 and index < 72 or rng.random() < 0.04:
                continue
            depth = round(4000 + 600 * math.sin(2 * math.pi * index / 12) + 500 * (weather[index] + own), -1)
            day = datetime.date(month // 12, month % 12 + 1, rng.randint(3, 26))
            late = rng.choice([40, 100, 400]) if rng.random() < 0.06 else None
            dry = well == 3 and depth > 6200
            rows.append((well, day, None if dry else int(depth), late))
            if rng.random() < 0.02:
                rows.append((well, day, int(depth) + 700, rng.choice([60, 200])))
    return rows


def closing_of(month):
    """Bangkok, day 5 of the next month, 00:00."""
    return datetime.datetime((month + 1) // 12, (month + 1) % 12 + 1, 5)


def known(rows, at):
    """{well: {month: level or None for dry}} of what was received by then."""
    latest = {}
    for order, (well, day, depth, late) in enumerate(rows):
        received = datetime.datetime.min if late is None else datetime.datetime(day.year, day.month, day.day) + \
            datetime.timedelta(days=late)
        if received <= at:
            key = (well, day)
            if key not in latest or (received, order) >= latest[key][0]:
                latest[key] = ((received, order), depth)
    levels = {well: {} for well in PLACES}
    for (well, day), (_, depth) in latest.items():
        levels[well][day.year * 12 + day.month - 1] = None if depth is None else -depth / 1000
    return levels


def judge_well(levels, month, closed):
    """(entry, hold, counts for places) as numbers of CLASSES, or None."""
    if month not in levels:
        return None
    rank_value = lambda level: -math.inf if level is None else level
    same = [rank_value(level) for other, level in levels.items() if other <= closed and (other - month) % 12 == 0]
    value, n = rank_value(levels[month]), len(same)
    rank = sum(other < value for other in same) + (sum(other == value for other in same) + 1) / 2
    dry = levels[month] is None
    if n >= 15:
        sgi = QUANTILE((rank - 0.5) / n)

        def by(slack):
            found = 4 if sgi <= -2 + slack else 3 if sgi <= -1.5 + slack else 2 if sgi <= -1 + slack else 0
            return found if n >= 22 else min(found, 3)
        entry, hold, least = by(0), by(0.25), 2
    elif n >= 5:
        percentile = 100 * rank / (n + 1)
        limit, least = (25, 1) if n < 10 else (10, 2)
        entry, hold = (least if percentile < limit else 0), (least if percentile < limit + 5 else 0)
    else:
        return None
    if dry:
        entry, hold = max(entry, least), max(hold, least, entry)
    return entry, hold, n >= 10


def record_n(levels, closed):
    counts = [0] * 12
    for month in levels:
        if month <= closed:
            counts[month % 12] += 1
    return max(counts)


def judge_place(levels, wells, part_of, month, closed):
    """((entry, hold) as numbers from 1 or None each, or None; why not)"""
    there = [well for well in wells if levels[well] and min(levels[well]) <= closed]

    def class_at(well, at):
        found = judge_well(levels[well], at, closed)
        return found[0] if found and found[2] else None
    classes = {well: class_at(well, month) for well in there}
    eligible = [well for well in there if classes[well] is not None]
    if sum(record_n(levels[well], closed) >= 10 for well in there) < 3:
        return None, "insufficient_record"
    if len(eligible) < 5:
        return None, "insufficient_wells"
    if len({part_of(well) for well in eligible}) < 2:
        return None, "insufficient_spread"
    if len(eligible) / len(there) < 0.3:
        return None, "insufficient_coverage"
    count = lambda members, least: sum(classes[well] >= least for well in members)
    moderate, severe, extreme = (count(eligible, least) for least in (2, 3, 4))
    of = len(eligible)
    entry = None
    if moderate >= 3 and moderate / of >= 0.5:
        entry = 1
    if severe >= 3 and severe / of >= 0.3:
        entry = 2
    if severe >= 3 and severe / of >= 0.5:
        entry = 3
        if extreme >= 2 and extreme / of >= 0.3:
            entry = 4
    both = [well for well in eligible if class_at(well, month - 1) is not None]
    members = both if len(both) >= 5 else eligible
    share = lambda least: count(members, least) / len(members) + 0.1 + 1e-9
    hold = None
    if share(2) >= 0.5:
        hold = 1
    if share(3) >= 0.3:
        hold = 2
    if share(3) >= 0.5:
        hold = 4 if share(4) >= 0.3 else 3
    return (entry, hold), None


def severity_of_class(number):
    return number or None


def track(verdicts, severity=None):
    """(severity, stale) after these months."""
    top = lambda *values: max((value for value in values if value), default=None)
    before, stale = None, False
    for verdict in verdicts:
        if verdict is None:
            before, stale = None, severity is not None
            continue
        stale = False
        entry, held = verdict[0], top(*verdict)
        last, before = before, (entry, held)
        if severity is None or (entry or 0) > severity:
            severity = entry or severity
        elif last and held is None and last[1] is None:
            severity = None
        else:
            # Eased at once, but to no less than watch; the exit limits hold a severity up for one month alone.
            severity = min(held or 1, severity)
            if last:
                severity = min(severity, top(entry, last[0]) or 1)
    return severity, stale


class Flag:
    def __init__(self, scope, place):
        self.scope, self.place, self.severity, self.since, self.stale = scope, place, None, None, False

    def judge(self, month, first, verdict):
        """Yields (transition, severity, reason)."""
        if self.severity is None:
            severity, _ = track([verdict(month)])
            if severity:
                self.severity, self.since, self.stale = severity, month, False
                yield "raised", severity, ""
            return
        of_raising_month = verdict(self.since) if self.since >= first else None
        start = None if of_raising_month is not None else self.severity
        severity, stale = track([verdict(m) for m in range(max(self.since, first), month + 1)], start)
        before, was_stale = self.severity, self.stale
        if severity is None:
            cancelled = of_raising_month is not None and of_raising_month[0] is None and month - self.since < 12
            self.severity, self.stale = None, False
            yield "cleared", before, "late_data" if cancelled else "two_months_beyond_exit"
            return
        self.severity, self.stale = severity, stale
        if severity != before:
            yield "escalated" if severity > before else "eased", severity, ""
        elif stale and not was_stale:
            yield "stale", severity, ""
        elif was_stale and not stale:
            yield "raised", severity, "data_resumed"


def text_of(month):
    return f"{month // 12:04}-{month % 12 + 1:02}"


def main():
    rows = simulate()
    flags = {("well", f"W{well}"): Flag("well", f"W{well}") for well in PLACES}
    flags |= {("province", "30"): Flag("province", "30"), ("district", "3001"): Flag("district", "3001")}
    changes, places = [], []
    for month in range(FIRST, LAST + 1):
        levels = {well: {m: level for m, level in of_well.items() if m <= month}
                  for well, of_well in known(rows, closing_of(month)).items()}
        for well in PLACES:
            def verdict(at, well=well):
                found = judge_well(levels[well], at, month)
                return found and (severity_of_class(found[0]), severity_of_class(found[1]))
            found = flags["well", f"W{well}"].judge(month, month - 24, verdict)
            changes += [(text_of(month), "well", f"W{well}", *change) for change in found]
        for scope, place, part in (("province", "30", 0), ("district", "3001", 1)):
            wells = [well for well in PLACES if place in ("30", PLACES[well][0])]
            judged = lambda at: judge_place(levels, wells, lambda well: PLACES[well][part], at, month)
            found = flags[scope, place].judge(month, month - 23, lambda at: judged(at)[0])
            changes += [(text_of(month), scope, place, *change) for change in found]
            verdict, why = judged(month)
            claim = why if verdict is None else "none" if verdict[0] is None else SEVERITIES[verdict[0] - 1]
            places.append((text_of(month), scope, place, claim))

    def write(name, head, lines):
        with open(FOLDER / name, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            writer.writerows(lines)
    blank = lambda value: "" if value is None else value
    write("days.csv", ["well", "day", "depth_mm", "received"],
          [(f"W{well}", day, blank(depth), blank(late)) for well, day, depth, late in rows])
    write("changes.csv", ["month", "scope", "place", "transition", "severity", "reason"],
          [(month, scope, place, what, SEVERITIES[severity - 1], why)
           for month, scope, place, what, severity, why in changes])
    write("places.csv", ["month", "scope", "place", "claim"], places)


main()
