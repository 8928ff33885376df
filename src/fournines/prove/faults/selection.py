"""Which faults a campaign can inject on all of its clouds, and what it cannot on one of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.errors import ProveError
from fournines.prove.faults.injection import strikable
from fournines.prove.faults.text import parse_one
from fournines.prove.model import Fault


@dataclass(frozen=True, slots=True)
class Selection:
    """`faults`: all clouds can be struck with them. `absent`: cloud, fault, and why it cannot be struck with it."""

    faults: tuple[Fault, ...]
    absent: tuple[tuple[Cloud, Fault, str], ...]


def select(asked: Iterable[str], places: Sequence[tuple[Cloud, str]], duration: float | None = None) -> Selection:
    """`asked`: each fault as one would type it. `places`: clouds, each with its region's name.

    Raises ProveError for what no cloud can make sense of, and when there is no fault that all can be struck with.
    """
    against: dict[Fault, list[tuple[Cloud, Fault, str]]] = {}
    for text in asked:
        read = [_read(text, cloud, duration) for cloud, _ in places]
        fault = next((r for r in read if isinstance(r, Fault)), None)
        if fault is None:
            raise next(r for r in read if isinstance(r, ProveError))
        against[fault] = [
            (cloud, fault, why)
            for (cloud, region), r in zip(places, read, strict=True)
            if (why := r.what if isinstance(r, ProveError) else _nobody(r, cloud, region))
        ]
    faults = tuple(fault for fault, whys in against.items() if not whys)
    absent = tuple(line for whys in against.values() for line in whys)
    if not faults:
        clouds = " and ".join(cloud.name for cloud, _ in places)
        raise ProveError(
            f"no fault that was named can be injected on {clouds}",
            why="; ".join(f"{fault} on {cloud.name}: {why}" for cloud, fault, why in absent[:5]),
            next="choose others, such as host.power_off@vip",
        )
    return Selection(faults, absent)


def _read(text: str, cloud: Cloud, duration: float | None) -> Fault | ProveError:
    try:
        return parse_one(text, cloud, duration)
    except ProveError as error:
        return error


def _nobody(fault: Fault, cloud: Cloud, region: str) -> str:
    """Why there is no host to strike, "" if there is one."""
    targets = [single.target for single in fault.singles if not strikable(single, cloud, region)]
    return f"there is no host that is {targets[0]}" if targets else ""
