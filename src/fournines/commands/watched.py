"""What `watch` has measured and kept, for whoever shows it. Nothing but files is read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud, Region
from fournines.health.cluster import Cluster
from fournines.watch import act
from fournines.watch.availability import Availability, measured
from fournines.watch.conditions import conditions
from fournines.watch.decide import Condition
from fournines.watch.foresee import Foreseen, foresee
from fournines.watch.incidents import Incident, Incidents, NoSuchIncidentError
from fournines.watch.ledger import Ledger
from fournines.watch.now import Now, told

#: Incidents and actions that a summary has.
LATEST, LATEST_ACTIONS = 5, 20


def directory(cloud: Cloud, region: Region, state: Path | None) -> Path:
    """Where the watch of a region keeps what it has. `state`: the folder of all; None: beside the cloud file."""
    return (state or cloud.state_dir / "watch") / region.name


@dataclass(frozen=True)
class Summary:
    """Of one region: what was measured, what the watch says now (None: none ever ran), the latest incidents, what
    handlers did last, and where they do nothing more (handler, condition, why)."""

    region: str
    availability: tuple[Availability, ...]
    now: Now | None
    runs: bool
    incidents: tuple[dict[str, Any], ...]
    actions: tuple[dict[str, Any], ...] = ()
    stopped: tuple[tuple[str, str, str], ...] = ()

    @property
    def out(self) -> tuple[str, ...]:
        """What is out at this moment; () when no watch runs."""
        return tuple(f for f, s in self.now.functions.items() if s == "bad") if self.now and self.runs else ()


def summaries(cloud: Cloud, state: Path | None = None) -> tuple[Summary, ...]:
    """Of the regions that were ever watched."""
    moment = time.time()
    found: list[Summary] = []
    for region in cloud.regions.values():
        folder = directory(cloud, region, state)
        ledger, now = Ledger(folder), told(folder)
        figures = measured(ledger, moment, targets(cloud, ledger, moment))
        if figures or now:
            latest = tuple(map(short, Incidents(folder).all(LATEST)))
            done = tuple(act.last(folder, LATEST_ACTIONS)), tuple(act.stopped(folder))
            found.append(Summary(region.name, figures, now, bool(now and now.runs(moment)), latest, *done))
    return tuple(found)


def targets(cloud: Cloud, ledger: Ledger, moment: float) -> dict[str, float]:
    """Function -> per cent, of those that the cloud file has its own of."""
    whole = cloud.design.target
    common = dict.fromkeys(ledger.since(0.0, moment), whole) if whole is not None else {}
    return {**common, **cloud.design.targets}


def short(incident: Incident) -> dict[str, Any]:
    """An incident as a list has it."""
    return {
        "id": incident.id,
        "region": incident.region,
        "began": incident.began,
        "ended": incident.ended,
        "interrupted": incident.interrupted,
        "functions": list(incident.functions),
        "bad_s": dict(incident.bad),
        "sentence": incident.sentence,
    }


def incidents(cloud: Cloud, state: Path | None = None) -> list[dict[str, Any]]:
    """Of all regions, newest first."""
    every = [i for r in cloud.regions.values() for i in Incidents(directory(cloud, r, state)).all()]
    return [short(i) for i in sorted(every, key=lambda i: i.began, reverse=True)]


def incident(cloud: Cloud, id: str, state: Path | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """As a list has it, and all its lines. Raises NoSuchIncidentError."""
    for region in cloud.regions.values():
        if found := Incidents(directory(cloud, region, state)).find(id):
            return short(found), list(found.lines)
    raise NoSuchIncidentError(f"there is no incident {id}", next="see the list of incidents")


@dataclass(frozen=True)
class Acting:
    """Of one region: whether a watch, which carries handlers out, runs there now; and where they do nothing more."""

    region: str
    runs: bool
    stopped: tuple[tuple[str, str, str], ...]


def acting(cloud: Cloud, state: Path | None = None) -> list[Acting]:
    """Of all regions."""
    moment = time.time()
    found: list[Acting] = []
    for region in cloud.regions.values():
        folder = directory(cloud, region, state)
        now = told(folder)
        found.append(Acting(region.name, bool(now and now.runs(moment)), tuple(act.stopped(folder))))
    return found


def actions(cloud: Cloud, state: Path | None, count: int) -> list[dict[str, Any]]:
    """The record of what handlers did, of all regions, newest first."""
    every = [
        {"region": region.name, **line}
        for region in cloud.regions.values()
        for line in act.last(directory(cloud, region, state), count)
    ]
    return sorted(every, key=lambda line: float(line.get("at", 0.0)), reverse=True)[:count]


def foreseen(seen: Cluster, state: Path | None = None) -> list[tuple[str, Foreseen]]:
    """Region and what its handlers would do about what is there now. What only a watch can know, functions that are
    out, alerts and full logs, is as the one that runs says."""
    moment = time.time()
    found: list[tuple[str, Foreseen]] = []
    for region in seen.cloud.regions.values():
        folder = directory(seen.cloud, region, state)
        now, kept = told(folder), act.kept(folder)
        runs = bool(now and now.runs(moment))
        out = [f for f, s in now.functions.items() if s == "bad"] if now and runs else []
        there, _ = conditions(seen, region.name, out, (), now=moment)
        heard = [Condition(**c) for c, _ in kept.get("since", []) if runs and c["when"] in ("alert", "log.full")]
        handlers = list(seen.cloud.handlers.values())
        found += [(region.name, f) for f in foresee(handlers, {*there, *heard}, kept, moment, watched=runs)]
    return found


def figures_document(every: Sequence[Summary]) -> dict[str, Any]:
    """For `--json` and the REST API."""
    return {
        "regions": {
            s.region: {
                "watched": s.runs,
                "as_of": s.now.at if s.now else None,
                "out": list(s.out),
                "incident": s.now.incident if s.now and s.runs else "",
                "functions": [
                    {
                        "function": a.function,
                        "target_percent": a.target,
                        "availability_percent": a.percent,
                        "minutes_used": a.minutes,
                        "minutes_a_year": a.budget,
                        "good_s": a.seconds.good,
                        "bad_s": a.seconds.bad,
                        "unknown_s": a.seconds.unknown,
                        "burn_rate": dict(a.burn),
                    }
                    for a in s.availability
                ],
                "incidents": list(s.incidents),
                "actions": list(s.actions),
                "stopped": [{"handler": h, "condition": c, "why": why} for h, c, why in s.stopped],
            }
            for s in every
        }
    }
