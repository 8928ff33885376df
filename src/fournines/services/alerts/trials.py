"""Unit tests of the rules, for `promtool test rules`: a healthy hour in which nothing fires but Watchdog, and for each
rule its fault, during which it fires, and after which it resolves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fournines.cloud.model import Cloud, Region
from fournines.services.alerts import alerts
from fournines.services.alerts.alert import SCRAPE, Alert, Sample

HOUR = 3600
#: Seconds for which all is well first, and for which a rule must fire and be quiet beyond what it waits for.
CALM, MORE = 60, 120
_RANGE = re.compile(r"\[(\d+)([mh])\]")


def tests(cloud: Cloud, *regions: Region, rule_file: str) -> dict[str, object]:
    """promtool's test file, of rules that are in `rule_file` beside it."""
    every = [a for region in regions for a in alerts(cloud, region)]
    cases = [_healthy([sample for a in every for sample in a.samples])]
    cases += [_fault(a, region) for region in regions for a in alerts(cloud, region) if a.samples]
    return {"rule_files": [rule_file], "evaluation_interval": f"{SCRAPE}s", "tests": cases}


def _healthy(samples: Iterable[Sample]) -> dict[str, object]:
    found = {sample.series: sample.healthy for sample in samples}
    count = HOUR // SCRAPE
    return {
        "name": "a healthy hour",
        "interval": f"{SCRAPE}s",
        "input_series": [
            {"series": series, "values": _values(line.level, line.slope, count)}
            for series, line in found.items()
            if line is not None
        ],
        "promql_expr_test": [
            # Pending ones count: what is about to fire in a healthy hour is wrong already.
            {"expr": 'count by (alertname) (ALERTS{alertname!="Watchdog"})', "eval_time": f"{at}s", "exp_samples": []}
            for at in range(600, HOUR + 1, 600)
        ],
    }


@dataclass(frozen=True)
class _Phases:
    """Seconds at which the fault begins and ends, and the trial is over."""

    begins: int
    ends: int
    over: int


def _phases(alert: Alert) -> _Phases:
    """What looks back over minutes takes these to notice, and to forget."""
    back = max((int(n) * {"m": 60, "h": HOUR}[unit] for n, unit in _RANGE.findall(alert.expr)), default=0)
    ends = CALM + alert.wait + back + MORE
    return _Phases(CALM, ends, ends + back + MORE)


def _fault(alert: Alert, region: Region) -> dict[str, object]:
    firing = f'count(ALERTS{{alertname="{alert.name}",alertstate="firing",region="{region.name}"}}) > bool 0'
    seen: list[dict[str, object]] = [{"labels": "{}", "value": 1}]
    at = _phases(alert)
    moments: list[tuple[int, list[dict[str, object]]]] = [
        (at.begins - SCRAPE, []),
        (at.ends - SCRAPE, seen),
        (at.over - SCRAPE, []),
    ]
    if alert.wait >= 2 * SCRAPE:
        moments.insert(1, (at.begins + alert.wait - 2 * SCRAPE, []))  # not before its time
    return {
        "name": f"{alert.name} of {region.name}",
        "interval": f"{SCRAPE}s",
        "input_series": [{"series": s.series, "values": _faulty(s, at)} for s in alert.samples],
        "promql_expr_test": [{"expr": firing, "eval_time": f"{when}s", "exp_samples": e} for when, e in moments],
    }


def _faulty(sample: Sample, at: _Phases) -> str:
    """Healthy, faulty, healthy again."""
    parts: list[str] = []
    reached = 0.0  # by what has grown so far
    lasts = (at.begins, at.ends - at.begins, at.over - at.ends)
    for line, seconds in zip((sample.healthy, sample.faulty, sample.healthy), lasts, strict=True):
        count = seconds // SCRAPE
        slope = line.slope if line else 0.0
        # A series that a scrape does not have any more is marked as stale, and not one that is merely late.
        gone = f"stale _x{count - 1}"
        parts.append(gone if line is None else _values(line.level + reached, slope, count))
        reached += slope * count
    return " ".join(parts)


def _values(level: float, slope: float, count: int) -> str:
    """`count` of them: promtool's `a+bxn` is the first and n more."""
    return f"{_number(level)}+{_number(slope)}x{count - 1}" if slope else f"{_number(level)}x{count - 1}"


def _number(value: float) -> str:
    """Without an exponent, whose `+` would read as a slope."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
