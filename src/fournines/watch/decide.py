"""Which handlers act, on what and when: conditions in, actions out. Pure; times in seconds, on the caller's clock.

In one failure domain one action is carried out at a time, until it is known whether it helped. A handler acts at most
`limit` times in `per`, however many hosts have the event. Where an action did not help, or could not be carried out,
that handler does nothing more about that event of that host until an operator resumes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from fournines.cloud.handlers import OF_ALL, Do, Handler, When

#: Of what is done to no host in particular: no other action beside it.
EVERYWHERE = ""
#: Of these it is known whether they are there, also of a host that does not answer.
_SEEN_ELSEWHERE: frozenset[When] = frozenset(("host.unreachable", "alert"))
#: What cannot be done to a host that does not answer.
_ANSWERS: frozenset[Do] = frozenset(("restart", "drain", "reboot"))
#: Beginnings of a condition that are remembered, and for how long.
MOST_BEGINNINGS, REMEMBERED_S = 50, 86_400.0


@dataclass(frozen=True, slots=True)
class Condition:
    """An event that is there now. `host` "": of none. `of`: function, unit, file. `text`: for people, may change."""

    when: When
    host: str
    of: str
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        where = " of ".join(filter(None, (self.of, self.host)))
        return f"{self.when} {where}".strip()


@dataclass(frozen=True, slots=True)
class Action:
    """`after`: what was done about it before, a line each."""

    id: int
    handler: Handler
    do: Do
    condition: Condition
    domain: str
    after: tuple[str, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether it changes anything in the cloud."""
        return self.do != "notify"


@dataclass(frozen=True, slots=True)
class Remark:
    """For the record: why nothing is done, or whether what was done helped."""

    handler: Handler
    condition: Condition
    text: str


@dataclass
class _Case:
    """`phase`: `ready` for its next step, `running` one, `settling` after it. since: of the phase."""

    handler: Handler
    condition: Condition
    step: int = 0
    phase: Literal["ready", "running", "settling"] = "ready"
    since: float = 0.0
    action: int = 0
    acted: bool = False
    waits: str = ""
    done: list[str] = field(default_factory=list[str])


Key = tuple[str, Condition]


class Decider:
    """`domains`: host -> its failure domain."""

    def __init__(self, handlers: Sequence[Handler], domains: Mapping[str, str]) -> None:
        self._handlers = [h for h in handlers if h.enabled]
        self._domains = domains
        self._since: dict[Condition, float] = {}
        self._beginnings: dict[Condition, list[float]] = {}
        self._handled: dict[Key, float] = {}
        self._cases: dict[Key, _Case] = {}
        self._stopped: dict[Key, str] = {}
        self._starts: dict[tuple[str, bool], list[float]] = {}
        self._next = 1

    @property
    def stopped(self) -> Mapping[Key, str]:
        """Handler and condition -> why nothing more is done about it."""
        return dict(self._stopped)

    def resume(self, handler: str) -> int:
        """Of how many conditions it had been stopped."""
        keys = [key for key in self._stopped if key[0] == handler]
        for key in keys:
            del self._stopped[key]
        return len(keys)

    def step(self, now: float, there: Collection[Condition], unknown: Collection[str] = ()) -> list[Action | Remark]:
        """`there`: all conditions of this moment, but of the hosts in `unknown`, of which none is known but
        `host.unreachable` and `alert`: theirs neither begin nor end."""
        self._remember(now, there, unknown)
        found: list[Action | Remark] = []
        for handler in self._handlers:
            for condition in sorted(self._since, key=str):
                self._open(now, handler, condition)
        for key, case in list(self._cases.items()):
            found += self._advance(now, key, case, unknown)
        return found

    def finished(self, id: int, now: float, *, ok: bool, text: str) -> Iterator[Remark]:
        """An action of `step` was carried out, or could not be."""
        key, case = next(
            ((k, c) for k, c in self._cases.items() if c.action == id and c.phase == "running"), (None, None)
        )
        if key is None or case is None:
            return
        case.done.append(text)
        if case.handler.dry_run:
            case.phase, case.since, case.acted = "ready", now, True
        elif ok:
            case.phase, case.since = "settling", now
        else:
            yield self._stop(now, key, case, f"{case.handler.do[case.step - 1]} could not be carried out: {text}")

    # What is there

    def _remember(self, now: float, there: Collection[Condition], unknown: Collection[str]) -> None:
        for condition in there:
            if condition not in self._since:
                self._since[condition] = now
                begun = [t for t in self._beginnings.get(condition, []) if now - t < REMEMBERED_S]
                self._beginnings[condition] = [*begun, now][-MOST_BEGINNINGS:]
        current = {c: c for c in there}
        for condition in list(self._since):
            kept = condition.when not in _SEEN_ELSEWHERE and condition.host in unknown
            if condition in current:
                self._since[current[condition]] = self._since.pop(condition)  # with its newest text
            elif not kept:
                del self._since[condition]
        for condition, begun in list(self._beginnings.items()):
            if condition not in self._since and now - begun[-1] >= REMEMBERED_S:
                del self._beginnings[condition]
                self._handled = {k: v for k, v in self._handled.items() if k[1] != condition}

    def _open(self, now: float, handler: Handler, condition: Condition) -> None:
        key = (handler.name, condition)
        began = self._since[condition]
        if key in self._cases or key in self._stopped or not fits(handler, condition):
            return
        if self._handled.get(key, float("-inf")) >= began or now - began < handler.lasts:
            return
        begun = [t for t in self._beginnings[condition] if now - t <= handler.within]
        if handler.times > 1 and len(begun) < handler.times:
            return
        self._cases[key] = _Case(handler, condition, since=now)

    # What is done

    def _advance(self, now: float, key: Key, case: _Case, unknown: Collection[str]) -> Iterator[Action | Remark]:
        if case.phase == "settling":
            yield from self._settled(now, key, case, unknown)
        while case.phase == "ready":
            if case.step == len(case.handler.do):
                self._close(now, key)
                return
            if not case.done and case.handler.times == 1 and case.condition not in self._since:
                self._close(now, key)  # it has ended by itself
                return
            do = case.handler.do[case.step]
            if do != "notify" and case.acted:
                case.step += 1  # it helped, or it did not: nothing more is tried
                continue
            if why := self._must_wait(now, case, do):
                if why != case.waits:
                    case.waits = why
                    yield Remark(case.handler, case.condition, why)
                if do == "notify":
                    case.step += 1  # a message that would come an hour late says nothing
                    continue
                return
            yield self._begin(now, case, do)

    def _begin(self, now: float, case: _Case, do: Do) -> Action:
        domain = self._domain(case)
        id, self._next = self._next, self._next + 1
        self._starts.setdefault((case.handler.name, do == "notify"), []).append(now)
        case.step, case.waits = case.step + 1, ""
        if do != "notify":
            case.phase, case.since, case.action = "running", now, id
        current = next((c for c in self._since if c == case.condition), case.condition)
        return Action(id, case.handler, do, current, domain, tuple(case.done))

    def _must_wait(self, now: float, case: _Case, do: Do) -> str:
        """Why it cannot be done now, "" if it can."""
        handler = case.handler
        starts = self._starts.setdefault((handler.name, do == "notify"), [])
        starts[:] = [t for t in starts if now - t < handler.per]
        if len(starts) >= handler.limit:
            return f"{do} waits: {handler.limit} in {handler.per:g} s are its limit"
        if do == "notify":
            return ""
        host, own = case.condition.host, self._domain(case)
        if do in _ANSWERS and Condition("host.unreachable", host, "") in self._since:
            return f"{do} waits until {host} answers"
        for other in self._cases.values():
            busy = other.phase != "ready" and not other.handler.dry_run
            if other is not case and busy and EVERYWHERE in (own, self._domain(other)):
                return f"{do} waits for an action of {other.handler.name}"
            if other is not case and busy and self._domain(other) == own:
                return f"{do} waits for an action of {other.handler.name} in {own}"
        return ""

    def _settled(self, now: float, key: Key, case: _Case, unknown: Collection[str]) -> Iterator[Remark]:
        condition, handler = case.condition, case.handler
        if now - case.since < handler.settle:
            return
        if condition.host in unknown and condition.when not in _SEEN_ELSEWHERE:
            return
        do = handler.do[case.step - 1]
        if condition in self._since:
            yield self._stop(now, key, case, f"{do} did not help within {handler.settle:g} s")
        else:
            case.phase, case.since, case.acted = "ready", now, True
            case.done.append(f"{do} helped")
            yield Remark(handler, condition, f"{do} helped")

    def _stop(self, now: float, key: Key, case: _Case, why: str) -> Remark:
        self._stopped[key] = why
        case.phase, case.since, case.acted = "ready", now, True
        case.done.append(why)
        return Remark(case.handler, case.condition, f"{why}; nothing more is done about it until it is resumed")

    def _close(self, now: float, key: Key) -> None:
        del self._cases[key]
        self._handled[key] = max(now, self._since.get(key[1], now))

    def _domain(self, case: _Case) -> str:
        return EVERYWHERE if OF_ALL & set(case.handler.do) else self._domains.get(case.condition.host, EVERYWHERE)

    # Over a restart

    def state(self) -> dict[str, Any]:
        """All that must outlive the watch, as JSON values. An action on its way counts as one that was not seen to
        help."""
        running = {k: "the watch ended while it acted" for k, c in self._cases.items() if c.phase != "ready"}
        return {
            "stopped": [[name, _plain(c), why] for (name, c), why in {**self._stopped, **running}.items()],
            "starts": [[name, notified, times] for (name, notified), times in self._starts.items()],
            "handled": [[name, _plain(c), at] for (name, c), at in self._handled.items()],
            "beginnings": [[_plain(c), times] for c, times in self._beginnings.items()],
            "since": [[_plain(c), at] for c, at in self._since.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """What `state` gave. KeyError, TypeError, ValueError: it is not that."""
        self._stopped = {(name, Condition(**c)): why for name, c, why in state["stopped"]}
        self._starts = {(name, notified): list(times) for name, notified, times in state["starts"]}
        self._handled = {(name, Condition(**c)): at for name, c, at in state["handled"]}
        self._beginnings = {Condition(**c): list(times) for c, times in state["beginnings"] if times}
        self._since = {c: at for c, at in ((Condition(**c), at) for c, at in state["since"]) if c in self._beginnings}


def _plain(condition: Condition) -> dict[str, str]:
    return asdict(condition)


def fits(handler: Handler, condition: Condition) -> bool:
    def any_of(patterns: Sequence[str], text: str) -> bool:
        return not patterns or any(fnmatchcase(text, p) for p in patterns)

    return handler.when == condition.when and any_of(handler.of, condition.of) and any_of(handler.hosts, condition.host)
