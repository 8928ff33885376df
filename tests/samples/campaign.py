"""A campaign as a real run would leave it, made from a fixed seed: for the report's tests only."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

from fournines.prove.model import (
    Campaign,
    Fault,
    FaultResult,
    Finding,
    FunctionFigures,
    Pressure,
    RequestFigures,
    Series,
    Sighting,
    Subject,
    Writes,
)
from fournines.prove.probes import PROBES

WIDTH = 0.1
OWN, PEER, OTHER = Subject("acme", "lan"), Subject("acme", "kolla-22.2"), Subject("duo", "lan")
FUNCTIONS = (  # name, kind, idempotent, usual latency in ms, interval in s
    ("authenticate", "read", False, 38.0, 0.5),
    ("authenticate_password", "read", False, 310.0, 2.0),
    ("validate", "read", True, 7.0, 0.1),
    ("list_projects", "read", True, 11.0, 0.2),
    ("create_project", "write", False, 24.0, 0.5),
    ("read_row", "read", True, 2.0, 0.1),
    ("write_row", "write", False, 5.0, 0.1),
    ("publish", "write", False, 4.0, 0.1),
    ("consume", "read", False, 5.0, 0.1),
)


@dataclass(frozen=True)
class Shape:
    """What a fault does: seconds of outage a kind, how it ends, who holds the VIP."""

    fault: Fault
    host: str
    read: float
    write: float
    heal_after: float
    again: float | None
    roles: tuple[str, ...] = ()
    after_heal: float = 0.0
    moves_vip: bool = False


def _series(shape: Shape, name: str, kind: str, usual: float, interval: float, dice: random.Random) -> Series:
    injected, ended = 12.0, 12.0 + shape.heal_after + (shape.again or 40.0) + 6
    buckets = round(ended / WIDTH)
    outage = (shape.read if kind == "read" else shape.write) * dice.uniform(0.8, 1.0)
    spans = [(injected + 0.02, injected + outage)] if outage > 0.2 else []
    if shape.after_heal:
        begin = injected + shape.heal_after + 1.5
        spans.append((begin, begin + shape.after_heal * dice.uniform(0.5, 1)))
    ok, fail, unknown, ms = ([0] * buckets for _ in range(4))
    for i in range(0, buckets, round(interval / WIDTH)):
        at = i * WIDTH
        span = next((s for s in spans if s[0] <= at < s[1]), None)
        if span is None:
            ok[i], ms[i] = 1, round(usual * dice.lognormvariate(0, 0.35), 1)
        elif at + 0.4 > span[1] or dice.random() < 0.12:
            ok[i], ms[i] = 1, round(1000 * (span[1] - at) + usual, 1)  # a retry that got through
        elif dice.random() < (0.5 if kind == "read" else 0.25):
            fail[i], ms[i] = 1, round(dice.uniform(1, 300), 1)
        else:
            unknown[i], ms[i] = 1, round(dice.uniform(500, 2000), 1)
    gap = max(spans, key=lambda s: s[1] - s[0], default=(injected, injected + interval + 0.01))
    return Series(name, 0.0, WIDTH, tuple(ok), tuple(fail), tuple(unknown), tuple(ms), tuple(spans), gap)


def _requests(series: Series, usual: float, interval: float, kinds: int) -> RequestFigures:
    """As seen over one of `kinds` connections; a fraction of the counts each."""
    start, end = series.gap
    spans = tuple((math.floor(a), math.ceil(b)) for a, b in series.outages)
    total = sum(series.ok) + sum(series.fail) + sum(series.unknown)
    bad = sum(series.fail) + sum(series.unknown)
    return RequestFigures(
        ok=sum(series.ok) // kinds,
        fail=sum(series.fail) // kinds,
        unknown=sum(series.unknown) // kinds,
        answered_within_1s=1 - bad / total,
        degraded_s=float(sum(b - a for a, b in spans)),
        worst_wait_s=max(series.max_ms) / 1000,
        longest_gap_s=max(end - start, interval * kinds + usual / 1000),
        gap_returning_s=interval * kinds + 0.04,
        period_s=interval * kinds,
        degraded=spans,
        worst=(start, start + max(series.max_ms) / 1000),
        gap=series.gap,
    )


def _figures(series: Series, kind: str, idempotent: bool, usual: float, interval: float) -> FunctionFigures:
    outage = sum(b - a for a, b in series.outages)
    connections = PROBES[series.function].connections
    return FunctionFigures(
        function=series.function,
        interval_s=interval,
        whole=_requests(series, usual, interval, 1),
        by_connection={c: _requests(series, usual, interval, len(connections)) for c in connections},
        unavailable_s=outage,
        p50_ms=(usual, usual * 1.4, usual * 1.02),
        p99_ms=(usual * 2.2, max(usual * 3, 600 * outage), usual * 2.4),
        downtime_s=outage * 0.9,
        mttr_s=outage * 1.3,
        kind="read" if kind == "read" else "write",
        idempotent=idempotent,
        on_writer=PROBES[series.function].database,
        answered_before=1.0,
    )


def _sightings(shape: Shape) -> tuple[Sighting, ...]:
    if not shape.moves_vip:
        return tuple(Sighting(0.0, vip, ("ctl1",), ("ctl1",)) for vip in ("internal", "public"))
    took = 12.0 + 0.43
    return tuple(
        sighting
        for vip in ("internal", "public")
        for sighting in (
            Sighting(0.0, vip, (shape.host,), (shape.host,)),
            Sighting(12.05, vip, ()),
            Sighting(took, vip, ("ctl2",), ("ctl2",)),
        )
    )


def result(shape: Shape, subject: Subject, scale: float, seed: int) -> FaultResult:
    dice = random.Random(seed)
    scaled = Shape(
        shape.fault,
        shape.host,
        shape.read * scale,
        shape.write * scale,
        shape.heal_after * (1 if scale == 1 else 2),
        shape.again,
        shape.roles,
        shape.after_heal,
        shape.moves_vip and scale == 1,
    )
    series = tuple(_series(scaled, name, kind, usual, every, dice) for name, kind, _, usual, every in FUNCTIONS)
    figures = tuple(_figures(s, *rest) for s, (_, *rest) in zip(series, FUNCTIONS, strict=True))
    healed = 12.0 + scaled.heal_after
    lost = scale > 1 and "rabbitmq" in shape.fault.service
    bad = shape.again is None
    return FaultResult(
        fault=shape.fault,
        subject=subject,
        hosts=(shape.host,),
        injected=12.0,
        healed=healed,
        redundant_again_s=shape.again,
        functions=figures,
        writes={
            "projects": Writes(312, 0, 1, 0),
            "rows": Writes(604, 0, 0, 0),
            "messages": Writes(611, 3 if lost else 0, 0, 2),
        },
        audit=(
            Finding("one holder of each VIP", True, "ctl2 holds 198.18.0.100 and 198.18.1.100"),
            Finding("galera: one primary component", True, "3 of 3 synced, seqno 4711 everywhere"),
            Finding(
                "rabbitmq: every queue has all members", not bad, "queue q-3 has 2 of 3 members" if bad else "6 queues"
            ),
            Finding("units active", True, "18 of 18"),
            Finding("configuration as planned", None if bad else True, "ctl3 did not answer" if bad else "no change"),
        ),
        pressure=Pressure(0.03 if bad else 0.46, 0.61 if bad else 0.12, 0.02, 0.0),
        pressure_returning=Pressure(0.21, 0.3, 0.04, 0.0),
        candidates=3,
        expected=tuple(name for name, *_ in FUNCTIONS),
        verdict="fail" if bad else "pass",
        reasons=("not redundant again within 60 s", "audit: queue q-3 has 2 of 3 members") if bad else (),
        series=series,
        redundant=None if shape.again is None else healed + shape.again,
        ended=len(series[0].ok) * WIDTH,
        roles=shape.roles,
        vips=_sightings(scaled),
        idle=tuple(
            (float(t), 0.5 + 0.3 * math.sin(t / 4) * dice.random()) for t in range(int(len(series[0].ok) * WIDTH))
        ),
    )


SHAPES = (
    Shape(Fault("host.power_off", "", "vip", 20), "ctl1", 0.72, 0.78, 20, 24.4, ("vip",), moves_vip=True),
    Shape(Fault("host.power_off", "", "writer", 20), "ctl2", 1.31, 3.4, 20, 27.9, ("writer",), after_heal=0.5),
    Shape(Fault("network.isolate", "", "writer", 20), "ctl2", 1.2, 2.9, 20, 8.2, ("writer",)),
    Shape(Fault("network.isolate", "", "vip", 20), "ctl1", 0.9, 0.9, 20, 7.1, ("vip",), moves_vip=True),
    Shape(Fault("service.kill", "keystone", "one", 5), "ctl3", 0, 0, 5, 2.2),
    Shape(Fault("service.freeze", "keystone", "one", 20), "ctl1", 1.1, 1.4, 20, 0.4),
    Shape(Fault("service.freeze", "mariadb", "writer", 20), "ctl2", 1.2, 2.8, 20, 6.0, ("writer",)),
    Shape(Fault("service.freeze", "memcached", "one", 20), "ctl1", 0.3, 0.3, 20, 0.2),
    Shape(Fault("service.kill", "rabbitmq", "one", 5), "ctl3", 0, 1.9, 5, None),
)


def campaign() -> Campaign:
    ours = [result(s, OWN, 1, n) for n, s in enumerate(SHAPES)]
    theirs = [result(s, PEER, 12.7, n) for n, s in enumerate(SHAPES)]
    missing = FaultResult(
        Fault("network.loss", "", "one", 20), OWN, (), 0, 0, None, (), {}, (), Pressure(1, 0, 0, 0), "unknown",
        ("not measured",), "the kernel has no netem queueing discipline",
    )  # fmt: skip
    return Campaign(
        subjects=(OWN,),
        started_at="2026-11-21T00:31:02+00:00",
        command="fournines prove examples/three-controllers.yaml --faults host.power_off@vip,host.power_off@writer"
        " --baseline kolla-22.2",
        versions={
            "fournines": "0.1.0",
            "haproxy": "3.0.11",
            "mariadb": "11.8.6",
            "galera": "26.4.23",
            "keystone": "27.0.0",
        },
        results=(*ours, missing, *theirs),
        verdict="fail",
        machine={"kernel": "Linux 6.18", "cores": "2", "memory": "24 GiB"},
        reference=PEER,
    )


def beside() -> Campaign:
    """Two clouds, two faults, three runs of each; one more that only the first has a service for."""
    runs = [
        replace(result(shape, subject, scale + run / 10, run), run=run)
        for run in (1, 2, 3)
        for subject, scale in ((OWN, 1.0), (OTHER, 4.0))
        for shape in SHAPES[:2]
    ]
    absent = Fault("service.kill", "arbitrator", "one", 0)
    missing = FaultResult(
        absent, OTHER, (), 0, 0, None, (), {}, (), Pressure(0, 0, 0, 0), "unknown",
        ("not measured: there is no service 'arbitrator'",), "there is no service 'arbitrator'",
    )  # fmt: skip
    return replace(campaign(), subjects=(OWN, OTHER), reference=None, results=(*runs, missing))
