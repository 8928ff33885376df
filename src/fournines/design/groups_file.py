"""Repairable groups as a file: YAML in, a `System` out, or every problem with its place.

repairable: workstation cluster
groups:                                         # rates per unit of time, one unit for all of the file
  left: {count: 2, fail: 1/500, repair: 2}
  switch: {count: 1, fail: 1/4000, repair: 0.25}
crew: {size: 1, inspect: 10}                    # without: every component has its own
works: left >= 2 and switch                     # a name: how many are up
lost_is_lost: false                             # true: what no longer works is never repaired
after: 1                                        # also: the chance to work that long after everything was up
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from fournines.cloud.names import suggest
from fournines.cloud.problems import Problems
from fournines.cloud.source import Path, parse
from fournines.design.markup import ModelError
from fournines.design.repairable import Crew, Group, System

_KEYS = ("repairable", "groups", "crew", "works", "lost_is_lost", "after")
_GROUP = ("count", "fail", "repair")
_CREW = ("size", "inspect")
_RATE = re.compile(r"\s*(-?[0-9.]+(?:e-?[0-9]+)?)\s*/\s*([0-9.]+(?:e-?[0-9]+)?)\s*", re.IGNORECASE)
#: Of how many of each group are up (group's name -> count): a number, or whether something holds.
Value = Callable[[Mapping[str, int]], int]
_COMPARE: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.GtE: operator.ge,
    ast.Gt: operator.gt,
    ast.LtE: operator.le,
    ast.Lt: operator.lt,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
#: Of a condition's parts in one another; a sum of so many groups is as deep.
_DEEPEST = 200
#: More of one group than this is a slip of the finger.
_MOST = 10_000


@dataclass(frozen=True)
class Model:
    name: str
    system: System
    after: float | None


def read(text: str, file: str) -> Model:
    """Raises ModelError."""
    data, places, wrong = parse(text, file)
    problems = Problems(places)
    problems.found += wrong
    model = _Reader(problems).model(data) if isinstance(data, dict) else None
    if model is None and not problems.found:
        problems.wrong((), "expected a mapping that begins with `repairable: NAME`")
    if problems.found or model is None:
        count = f"{len(problems.found)} problems" if len(problems.found) > 1 else "1 problem"
        found = tuple(sorted(problems.found, key=lambda p: (p.line, p.column)))
        raise ModelError(f"{file} cannot be used: {count}", found)
    return model


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def model(self, data: Any) -> Model:
        self._keys((), data, _KEYS, required=("repairable", "groups", "works"))
        groups = self._groups(self._mapping(("groups",), data.get("groups", {})))
        crew = self._crew(self._mapping(("crew",), data.get("crew", {})))
        works = self._works(data.get("works", ""), {g.name for g in groups})
        after = None if data.get("after") is None else self._number(("after",), data["after"])
        lost = data.get("lost_is_lost", False)
        if not isinstance(lost, bool):
            self.problems.wrong(("lost_is_lost",), "expected true or false")
        return Model(str(data.get("repairable", "")), System(groups, crew, works, bool(lost)), after)

    def _mapping(self, path: Path, value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return cast(dict[str, Any], value)
        self.problems.wrong(path, "expected a mapping")
        return {}

    def _keys(self, path: Path, data: dict[str, Any], known: tuple[str, ...], required: tuple[str, ...] = ()) -> None:
        for key in data:
            self.problems.known((*path, key), "key", key, known, key=True)
        for key in required:
            if key not in data:
                self.problems.wrong(path, f"{key} is missing", f"add {key}:")

    def _groups(self, data: dict[str, Any]) -> tuple[Group, ...]:
        groups: list[Group] = []
        for name, written in data.items():
            path: Path = ("groups", name)
            entry = self._mapping(path, written)
            self._keys(path, entry, _GROUP, required=_GROUP)
            if not name.isidentifier():
                self.problems.wrong(path, f"{name} cannot stand in a condition", "letters, digits and _", key=True)
            count = entry.get("count", 1)
            if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST:
                self.problems.wrong((*path, "count"), f"expected a whole number from 1 to {_MOST}, found {count!r}")
                count = 1
            fail, repair = (self._number((*path, k), entry.get(k, 1.0)) for k in ("fail", "repair"))
            groups.append(Group(name, count, fail, repair))
        if not groups and ("groups",) in self.problems.places:
            self.problems.wrong(("groups",), "a model needs at least one group")
        return tuple(groups)

    def _crew(self, data: dict[str, Any]) -> Crew:
        self._keys(("crew",), data, _CREW)
        size = data.get("size")
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
            self.problems.wrong(("crew", "size"), f"expected a whole number of at least 1, found {size!r}")
            size = 1
        if size is None and "inspect" in data:
            self.problems.wrong(("crew",), "who inspects is a crew of some size", "add size: 1")
        inspect = None if data.get("inspect") is None else self._number(("crew", "inspect"), data["inspect"])
        return Crew(size, inspect)

    def _number(self, path: Path, value: Any) -> float:
        """Above zero; `1/500` is one too."""
        number = math.nan
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = float(value)
        elif isinstance(value, str) and (match := _RATE.fullmatch(value)):
            with suppress(ValueError, ZeroDivisionError):
                number = float(match[1]) / float(match[2])
        if not math.isfinite(number):
            self.problems.wrong(path, f"expected a number, or a ratio such as 1/500, found {value!r}")
        elif number <= 0:
            self.problems.wrong(path, f"a rate, or a time, is above zero, not {value}")
        else:
            return number
        return 1.0

    def _works(self, text: Any, names: set[str]) -> Callable[[Mapping[str, int]], bool]:
        """Raises nothing: what is wrong is noted, and the result then says yes."""
        try:
            parsed = ast.parse(str(text).strip(), mode="eval").body
            if _depth(parsed) > _DEEPEST:
                raise ValueError(f"nested more than {_DEEPEST} deep")
            value = self._value(parsed, names)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.problems.wrong(("works",), f"this is no condition: {error}", "left >= 2 and switch")
            value = _YES
        return lambda up: bool(value(up))

    def _value(self, node: ast.expr, names: set[str]) -> Value:
        """Names of groups, whole numbers, sums, comparisons, and, or, not; each means what it does in Python."""
        value: Value = _YES
        match node:
            case ast.BoolOp():
                value = _first([self._value(part, names) for part in node.values], isinstance(node.op, ast.Or))
            case ast.UnaryOp(op=ast.Not()):
                value = _not(self._value(node.operand, names))
            case ast.BinOp(op=ast.Add()):
                value = _both(operator.add, self._value(node.left, names), self._value(node.right, names))
            case ast.Compare(ops=[sign], comparators=[right]) if type(sign) in _COMPARE:
                value = _both(_COMPARE[type(sign)], self._value(node.left, names), self._value(right, names))
            case ast.Constant(value=int(number)):
                value = _constant(number)
            case ast.Name(id=name) if name in names:
                value = operator.itemgetter(name)
            case ast.Name(id=name):
                self.problems.wrong(("works",), f"there is no group {name}", suggest(name, names))
            case _:
                self.problems.wrong(
                    ("works",), f"{ast.unparse(node)} is not understood", "names, numbers, +, >=, and, or, not"
                )
        return value


def _depth(node: ast.expr) -> int:
    deepest, todo = 0, [(cast(ast.AST, node), 1)]
    while todo:
        part, depth = todo.pop()
        deepest = max(deepest, depth)
        todo += [(child, depth + 1) for child in ast.iter_child_nodes(part)]
    return deepest


def _first(parts: list[Value], decides: bool) -> Value:
    """The first that is true (`or`), or false (`and`); the last, when none is."""
    *before, last = parts

    def value(up: Mapping[str, int]) -> int:
        for part in before:
            if bool(found := part(up)) is decides:
                return found
        return last(up)

    return value


def _both(joined: Callable[[int, int], int], left: Value, right: Value) -> Value:
    return lambda up: joined(left(up), right(up))


def _not(inside: Value) -> Value:
    return lambda up: not inside(up)


def _constant(number: int) -> Value:
    return lambda up: number


_YES = _constant(True)
