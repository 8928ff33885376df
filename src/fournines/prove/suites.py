"""Suites: faults under one name, written as one would type them. This is the only place that says what is in one."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.prove.faults.catalogue import CATALOGUE, drawn, each
from fournines.prove.faults.target import TARGETS, subjects
from fournines.prove.faults.text import parse
from fournines.prove.model import Fault
from fournines.prove.probes import PROBES

SMOKE = (
    "service.kill@mariadb+writer",
    "service.freeze@keystone",
    "network.isolate@vip/1s",
    "network.isolate@vip",
)
STANDARD = (
    "service.kill@haproxy",
    "service.kill@guard",
    "service.kill@nova-conductor",
    "service.kill@mariadb+all",
    "service.freeze@keystone",
    "service.freeze@mariadb+writer",
    "service.freeze@rabbitmq+leader",
    "network.isolate@vip/1s",
    "network.isolate@writer",
    "network.partition@half",
    "host.power_off@vip",
    "host.power_off@one",
)
#: What `full` has beside every fault of every service at every target.
PAIRS = (
    "service.freeze@keystone+vip and network.isolate@vip",
    "service.kill@mariadb+writer and network.isolate@vip",
    "host.power_off@vip then service.kill@mariadb+writer",
    "host.power_off@writer then host.power_off@one",
)
#: Of a soak: the share of its steps that are two faults.
PAIRED = 0.25


def full(cloud: Cloud) -> Iterator[str]:
    """Every fault of every service and host, at every target and in every zone of several hosts; `each`; and pairs."""
    services = tuple(dict.fromkeys(owner for owner, _ in subjects(cloud).values()))
    zones = tuple(name for name, count in Counter(h.zone.name for h in cloud.hosts).items() if count > 1)
    for kind in drawn(cloud):
        of_kind = [name for name in services if name in (kind.services or services)]
        for name in of_kind if kind.subject == "service" else ("",):
            yield from (f"{kind.name}@{'+'.join(filter(None, (name, target)))}" for target in (*TARGETS, *zones))
    yield from each(cloud)
    yield from PAIRS


@dataclass(frozen=True, slots=True)
class Suite:
    """`within`: seconds that it takes at most on `components: compute`. `light`: work that takes seconds is not probed,
    where nothing says what is."""

    faults: Callable[[Cloud], Iterable[str]]
    what: str
    within: float = math.inf
    light: bool = False


SUITES = {
    "smoke": Suite(lambda _: SMOKE, "less than 5 minutes", within=300.0, light=True),
    "standard": Suite(lambda _: STANDARD, "less than 30 minutes", within=1800.0),
    "full": Suite(full, "every fault of every service at every target; days"),
}


def functions_of(name: str, functions: Iterable[str]) -> tuple[str, ...]:
    """Those of `functions` that the suite probes."""
    return tuple(f for f in functions if not (SUITES[name].light and PROBES[f].turns))


def suite(name: str, cloud: Cloud, duration: float | None = None) -> tuple[Fault, ...]:
    """Its faults that the cloud has the services for."""
    return parse(",".join(texts(name, cloud)), cloud, duration=duration)


def texts(name: str, cloud: Cloud) -> tuple[str, ...]:
    """The same as one would type them."""
    known = subjects(cloud)
    return tuple(t for t in SUITES[name].faults(cloud) if _there(t, known))


def _there(text: str, known: Iterable[str]) -> bool:
    """Whether the cloud has each service of a fault, or of several joined ones."""
    for part in re.split(r"\s+(?:and|then)\s+", text):
        name, _, subject = part.partition("@")
        if CATALOGUE[name].subject == "service" and re.split(r"[+/]", subject)[0] not in known:
            return False
    return True


def soak(cloud: Cloud, seed: int) -> Iterator[Fault]:
    """Faults and pairs without end, the same for the same cloud and seed."""
    dice = random.Random(seed)  # noqa: S311
    names = sorted(kind.name for kind in drawn(cloud))
    services = sorted(subjects(cloud))
    while True:
        parts = [_random(dice, names, services) for _ in range(2 if dice.random() < PAIRED else 1)]
        yield parse(dice.choice((" and ", " then ")).join(parts), cloud)[0]


def _random(dice: random.Random, names: list[str], services: list[str]) -> str:
    kind = CATALOGUE[dice.choice(names)]
    target = dice.choice(TARGETS)
    if kind.subject == "host":
        return f"{kind.name}@{target}"
    return f"{kind.name}@{dice.choice([s for s in services if s in (kind.services or services)])}+{target}"
