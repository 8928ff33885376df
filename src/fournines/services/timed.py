"""Which options of which files carry which timer: what an operator sets by option counts like what `timing:` says.

Each service declares those that it renders from `Timers`, beside where it does; a test renders every file with every
timer changed, and compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

#: Reads an option's value: in the timer's unit. Raises ValueError with what was expected.
Form = Callable[[str], float]

_HAPROXY = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number of seconds") from None


def milliseconds(text: str) -> float:
    return seconds(text) / 1000


def haproxy(text: str) -> float:
    """`10s`, `500ms`; a bare number means milliseconds (HAProxy's configuration manual, 2.5)."""
    match = re.fullmatch(r"([0-9]+)(us|ms|s|m|h|d)?", text)
    if not match:
        raise ValueError("a time of HAProxy's such as 500ms, 10s or 2m")
    return int(match[1]) * _HAPROXY[match[2] or "ms"]


def iso8601(text: str) -> float:
    """Galera's: `PT1.5S`, `PT2M`; a bare number means seconds."""
    match = re.fullmatch(r"(?:PT)?(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S?)?", text)
    if not match or not any(match.groups()):
        raise ValueError("a period such as PT1.5S")
    try:
        return sum(float(n or 0) * unit for n, unit in zip(match.groups(), (3600, 60, 1), strict=True))
    except ValueError:
        raise ValueError("a period such as PT1.5S") from None


@dataclass(frozen=True)
class Timed:
    """`option` of `section` (both may be patterns) is `timer`, a field of `timing.Timers`. part: of several settings in
    one value, the one whose name is before the timer (`inter 500ms`, `evs.suspect_timeout=PT5S`)."""

    section: str
    option: str
    timer: str
    form: Form = seconds
    part: str = ""

    def fits(self, section: str, option: str) -> bool:
        return fnmatchcase(section, self.section) and fnmatchcase(option, self.option)

    def values(self, written: Any) -> Iterator[float]:
        """Those that an operator wrote; none where it says nothing of this timer. Raises ValueError."""
        for one in cast(list[Any], written) if isinstance(written, list) else [written]:
            if one is None or isinstance(one, bool):
                continue
            text = str(one).strip().strip('"')
            if not self.part:
                yield self.form(text)
                continue
            for match in re.finditer(rf"(?:^|[\s;]){re.escape(self.part)}(?:\s*=\s*|\s+)([^\s;]+)", text):
                yield self.form(match[1])


@runtime_checkable
class HasTimers(Protocol):
    """File -> those of its options that are timers."""

    timed: ClassVar[Mapping[str, tuple[Timed, ...]]]
