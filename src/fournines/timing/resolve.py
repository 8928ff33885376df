"""`timing:` of a cloud file to timers."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, get_type_hints

from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.cloud.values import OutsideError, duration
from fournines.errors import CloudFileError, Problem
from fournines.timing.profiles import NAMES, PEERS, profile
from fournines.timing.timers import Timers

_TYPES = get_type_hints(Timers)
#: What the kernel takes (net/ipv4/sysctl_net_ipv4.c); its counts are bytes.
_BOUNDS = {
    "tcp_keepalive_time": (1, 32_767),
    "tcp_keepalive_interval": (1, 32_767),
    "tcp_keepalive_probes": (1, 127),
    "tcp_retries2": (0, 255),
    "tcp_syn_retries": (1, 127),
    "tcp_syn_linear_timeouts": (0, 127),
    "db_max_retries": (-1, 1_000_000),
}
#: Of the others: seconds, or a count. A day is longer than anybody waits.
_MOST = 86_400
#: The text timers, and what they may be; `retry_on` is HAProxy's to judge.
_CHOICES = {"database_check": ("agent", "tcp")}


@lru_cache(maxsize=16)
def resolve(cloud: Cloud) -> tuple[Timers | None, tuple[Problem, ...]]:
    """The cloud's timers (None: its profile is unknown), and what its `timing:` gets wrong."""
    spec = cloud.timing
    wrong = cloud.places.problem
    if spec.profile not in NAMES:
        path = ("timing", "profile")
        return None, (wrong(path, f"unknown timing profile {spec.profile}", suggest(spec.profile, NAMES)),)
    problems: list[Problem] = []
    detect = spec.detect
    if detect is not None and spec.profile in PEERS:
        message = f"{spec.profile} is what a peer ships; it cannot be scaled"
        problems.append(wrong(("timing", "detect"), message, "remove detect, or use the profile lan or wan"))
        detect = None
    values: dict[str, Any] = {}
    for name, written in spec.overrides.items():
        path = ("timing", "overrides", name)
        if name not in _TYPES:
            problems.append(wrong(path, f"unknown timer {name}", suggest(name, _TYPES), key=True))
            continue
        try:
            values[name] = _value(name, written)
        except ValueError as error:
            problems.append(wrong(path, str(error), getattr(error, "next", "")))
    return dataclasses.replace(profile(spec.profile, detect), **values), tuple(problems)


def timers(cloud: Cloud) -> Timers:
    """Every timer of `cloud`, computed once. Raises CloudFileError with the place of what is wrong."""
    made, problems = resolve(cloud)
    if made is None or problems:
        raise CloudFileError(f"the timing of {cloud.places.file or cloud.name} cannot be used", problems)
    return made


def _value(name: str, written: float | bool | str) -> float | bool | str:
    """`written` as the timer's type. Raises ValueError."""
    kind = _TYPES[name]
    if kind is bool or kind is str:
        if not isinstance(written, kind):
            raise ValueError(f"{name} takes {'true or false' if kind is bool else 'text'}, not {written!r}")
        if name in _CHOICES and written not in _CHOICES[name]:
            raise ValueError(f"{name} is one of {', '.join(_CHOICES[name])}, not {written!r}")
        return written
    value = duration(written) if kind is float else written
    if kind is int and type(value) is not int:
        raise ValueError(f"{name} takes a whole number, not {written!r}")
    least, most = _BOUNDS.get(name, (0, _MOST))
    if not least <= value <= most:  # pyright: ignore[reportOperatorIssue]
        raise OutsideError(f"{name} cannot be {written}", f"from {least} to {most:,}")
    return value
