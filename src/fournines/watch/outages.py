"""Seconds of all functions in, what began and what ended out. Pure; times are the prober's, whole seconds.

A function is out from the first second in which it was not answered well over one of its kinds of connections until
the next in which it was. An incident lasts from the first function that goes out until nothing has been out for
`CALM_S`: what goes out again while a host comes back is the same incident.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fournines.watch.seconds import State

CALM_S = 10
#: A function and a kind of connection.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Began:
    """An incident."""

    at: int


@dataclass(frozen=True, slots=True)
class Out:
    key: Key
    at: int


@dataclass(frozen=True, slots=True)
class Well:
    """Again: `key` was out from `since` until `at`."""

    key: Key
    since: int
    at: int


@dataclass(frozen=True, slots=True)
class Ended:
    """An incident; `bad`: function -> seconds in which it was not answered well, `unknown`: not known."""

    since: int
    at: int
    bad: Mapping[str, int]
    unknown: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Judged:
    """A second of a function, over all its kinds of connections."""

    function: str
    second: int
    state: State


Transition = Began | Out | Well | Ended | Judged


@dataclass
class _Incident:
    since: int
    last: int  # the last second in which anything was out
    bad: dict[str, int] = field(default_factory=dict[str, int])
    unknown: dict[str, int] = field(default_factory=dict[str, int])


class Outages:
    """`keys`: all that is watched."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._kinds = {function: {k for f, k in keys if f == function} for function, _ in keys}
        self._seen: dict[Key, int] = {}  # the last second that is judged
        self._out: dict[Key, int] = {}  # since when
        self._open: dict[tuple[str, int], dict[str, State]] = {}
        self._incident: _Incident | None = None

    @property
    def out(self) -> Mapping[Key, int]:
        """What is out now, and since when."""
        return dict(self._out)

    @property
    def since(self) -> int | None:
        """Of the incident that goes on; None without one."""
        return self._incident.since if self._incident else None

    def see(self, key: Key, second: int, state: State) -> Iterator[Transition]:
        """One second of one key; those of a key come in their order."""
        self._seen[key] = second
        if state == "bad":
            if self._incident is None:
                self._incident = _Incident(second, second)
                yield Began(second)
            self._incident.last = max(self._incident.last, second)
            if key not in self._out:
                self._out[key] = second
                yield Out(key, second)
        elif state == "good" and key in self._out:
            yield Well(key, self._out.pop(key), second)
        yield from self._whole(key, second, state)
        yield from self._calm()

    def stop(self) -> Iterator[Transition]:
        """The watch ends: an incident that goes on ends with what is known."""
        for key, since in self._out.items():
            yield Well(key, since, self._seen[key] + 1)
        self._out = {}
        if self._incident:
            yield self._end(self._incident)

    def _whole(self, key: Key, second: int, state: State) -> Iterator[Judged]:
        """Bad over one kind is bad; else unknown over one is unknown."""
        function, kind = key
        states = self._open.setdefault((function, second), {})
        states[kind] = state
        if set(states) != self._kinds[function]:
            return
        del self._open[function, second]
        found: State = "good"
        if set(states.values()) != {"good"}:
            found = "bad" if "bad" in states.values() else "unknown"
        if (incident := self._incident) and found != "good" and second >= incident.since:
            counts = incident.bad if found == "bad" else incident.unknown
            counts[function] = counts.get(function, 0) + 1
        yield Judged(function, second, found)

    def _calm(self) -> Iterator[Ended]:
        incident = self._incident
        if incident and not self._out and min(self._seen.values()) >= incident.last + CALM_S:
            yield self._end(incident)

    def _end(self, incident: _Incident) -> Ended:
        self._incident = None
        return Ended(incident.since, incident.last + 1, incident.bad, incident.unknown)
