"""Asks every host what its agent says, all at once: one exec a host, and a host that does not answer is a finding."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace

from fournines.cloud.model import Cloud, Host
from fournines.engine.transport import Transport
from fournines.errors import HostError
from fournines.health.cluster import Cluster, Unknown, regions
from fournines.health.problems import problems, warnings
from fournines.health.snapshot import HostState, parse
from fournines.timing import timers

STATE = "/run/fournines/state.json"
#: The host's own clock first: whose clock is wrong, ours or its, must not matter.
_SCRIPT = f"date +%s.%N; cat {STATE}"
ANSWER = 10.0


async def look(cloud: Cloud, hosts: Mapping[str, Transport], failures: Mapping[str, HostError]) -> Cluster:
    """`failures`: hosts that could not be connected to, and why."""
    asked = [h for h in cloud.hosts if h.name in hosts]
    answers = await asyncio.gather(*(_ask(host, hosts[host.name]) for host in asked))
    states: dict[str, HostState | Unknown] = {a.host: a for a in answers}
    states |= {name: unreachable(name, error) for name, error in failures.items()}
    return together(cloud, states)


def together(cloud: Cloud, states: Mapping[str, HostState | Unknown]) -> Cluster:
    """What follows from all of them."""
    seen = tuple(regions(cloud, states))
    return Cluster(
        cloud,
        seen,
        tuple(p for region in seen for p in problems(region)),
        tuple(w for region in seen for w in warnings(region, timers(cloud))),
    )


def absent(host: str) -> Unknown:
    return Unknown(host, "no observer has run here since it booted", "", "fournines apply")


async def _ask(host: Host, transport: Transport) -> HostState | Unknown:
    asked = time.time()
    try:
        done = await transport.run(_SCRIPT, timeout=ANSWER)
    except HostError as error:
        return unreachable(host.name, error)
    clock, _, document = done.stdout.partition("\n")
    if done.status != 0:
        return absent(host.name)
    return understood(host.name, clock, document, asked=asked, answered=time.time())


def understood(host: str, clock: str, document: str, *, asked: float, answered: float) -> HostState | Unknown:
    """`document`: state.json as it was when the host's own clock said `clock`, seconds since the epoch; somewhere
    between `asked` and `answered` of this machine's clock."""
    try:
        said = json.loads(document)
        state = parse(said, max(0.0, float(clock) - said["time"]))
        middle, either_way = (asked + answered) / 2, (answered - asked) / 2
        return replace(state, clock=(float(clock) - middle, either_way))
    except (ValueError, KeyError, TypeError) as error:
        return Unknown(host, "its observer is of another version", repr(error), "fournines apply")


def unreachable(name: str, error: HostError) -> Unknown:
    return Unknown(name, error.what, error.why, error.next or f"see whether {name} has power and network")
