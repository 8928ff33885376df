"""A condition as a tree of lines: what `design why` prints, and what the architecture document repeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from fournines.design.condition import WORDS, Component, Condition, Copy, Kind, Requirement
from fournines.design.finding import listed


def heading(condition: Condition) -> str:
    return f"{condition.name} in {condition.region}: a user {condition.does}, while all of these hold"


def lines(condition: Condition) -> Iterator[tuple[int, str]]:
    """(depth, text); depth 0 is one of the things that must all hold."""
    yield 0, f"{_parts(condition.base)} {'stands' if len(condition.base) == 1 else 'stand'}"
    for name in condition.missing:
        yield 0, f"{name}: on no host, so this never holds"
    for requirement in condition.requirements:
        yield 0, _requirement(requirement)
        for copy in requirement.copies:
            yield 1, copy_line(copy)
    for name, price in condition.without:
        yield 0, f"not {name}: {price}"


def _requirement(requirement: Requirement) -> str:
    r = requirement
    because = f"; {listed(r.needed_by)} {'needs' if len(r.needed_by) == 1 else 'need'} it" if r.needed_by else ""
    count = f"{r.least} of {r.total}" if r.least > 1 else f"any of {r.total}" if r.total > 1 else "the only one"
    return f"{r.name}: {count} ({r.pattern}{because})"


def copy_line(copy: Copy) -> str:
    """`ctl1: host ctl1, zone rack1, power feed pdu-a, switch tor-1; mariadb and agent run`."""
    machines = [p for p in copy.parts if p.kind != "process"]
    processes = [p.service for p in (*copy.parts, *copy.alike) if p.kind == "process"]
    who = copy.host if copy.count == 1 else f"any of {copy.count} hosts, {copy.host} the first"
    runs = f"; {listed(processes)} {'runs' if len(processes) == 1 else 'run'}" if processes else ""
    return f"{who}: {_parts(m for m in machines if m.kind != 'host')}{runs}"


def _parts(components: Iterable[Component]) -> str:
    """`region phx, networks management and public`."""
    alike = [list(same) for _, same in groupby(components, key=lambda c: c.kind)]
    return ", ".join(f"{_plural(a[0].kind, len(a))} {listed(c.name for c in a)}" for a in alike)


def _plural(kind: Kind, count: int) -> str:
    return WORDS[kind] + ("" if count == 1 else "es" if kind == "switch" else "s")


def tree(condition: Condition) -> Iterator[str]:
    """With the branches drawn."""
    shown = list(lines(condition))
    yield heading(condition)
    for i, (depth, text) in enumerate(shown):
        last = all(d != depth for d, _ in _until_shallower(shown[i + 1 :], depth))
        trunk = "" if depth == 0 else ("│  " if any(d == 0 for d, _ in shown[i + 1 :]) else "   ")
        yield f"{trunk}{'└─' if last else '├─'} {text}"


def _until_shallower(rest: list[tuple[int, str]], depth: int) -> Iterator[tuple[int, str]]:
    for d, text in rest:
        if d < depth:
            return
        yield d, text
