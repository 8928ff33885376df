"""Fault trees in the Open-PSA Model Exchange Format: read, checked, and solved exactly.

Read are fault trees (gates of and, or, not, xor, nand, nor, iff, atleast, nested at will), basic events with a number
or an exponential law as their probability, house events, and `model-data`. Event trees, parameters, distributions and
common-cause groups are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fournines.cloud.names import suggest
from fournines.design.bdd import Diagram
from fournines.design.cutsets import minimal
from fournines.design.markup import Element, ModelError, read
from fournines.errors import Problem

_EVENTS = ("basic-event", "house-event", "gate", "event")
_CONNECTIVES = ("and", "or", "not", "xor", "nand", "nor", "iff", "atleast")
_LABELS = ("label", "attributes")
#: Of how many operands at least, and at most.
_ARITY = {"not": (1, 1), "xor": (2, 2), "iff": (2, 2)}
#: With these alone a tree is coherent: what makes things worse never makes them better.
_COHERENT = ("and", "or", "atleast")


@dataclass(frozen=True)
class Tree:
    """gates: name -> formula. events: basic event -> probability. houses: house event -> whether it has happened."""

    file: str
    gates: Mapping[str, Element]
    events: Mapping[str, float]
    houses: Mapping[str, bool]

    def tops(self) -> tuple[str, ...]:
        """Gates that no other gate refers to."""
        used = {e.attributes.get("name") for formula in self.gates.values() for e in _references(formula)}
        return tuple(name for name in self.gates if name not in used)


@dataclass(frozen=True)
class Solution:
    """Of one top gate. cuts: minimal cut sets of at most `order` events with their probabilities, the most probable
    first; None: the tree is not coherent, so that it has none. birnbaum: of each event."""

    top: str
    probability: float
    events: int
    nodes: int
    order: int
    cuts: tuple[tuple[tuple[str, ...], float], ...] | None
    birnbaum: Mapping[str, float]


def parse(text: bytes, file: str) -> Tree:
    """Raises ModelError with every problem that was found, each with its place."""
    root = read(text, file)
    if root.tag != "opsa-mef":
        raise ModelError(f"{file} is no fault tree", (root.problem(file, f"expected <opsa-mef>, found <{root.tag}>"),))
    reader = _Reader(file)
    tree = reader.tree(root)
    if reader.problems:
        count = f"{len(reader.problems)} problems" if len(reader.problems) > 1 else "1 problem"
        raise ModelError(f"{file} cannot be used: {count}", tuple(sorted(reader.problems, key=lambda p: p.line)))
    return tree


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._defined: dict[str, Element] = {}

    def tree(self, root: Element) -> Tree:
        gates: dict[str, Element] = {}
        events: dict[str, float] = {}
        houses: dict[str, bool] = {}
        for element in root.every("define-gate"):
            formula = self._one(element, (*_CONNECTIVES, *_EVENTS, "constant"))
            if formula and self._named(element):
                gates[element.attributes["name"]] = formula
        for element in root.every("define-basic-event"):
            value = self._one(element, ("float", "int", "exponential"))
            if value and self._named(element):
                events[element.attributes["name"]] = self._probability(value)
        for element in root.every("define-house-event"):
            value = self._one(element, ("constant",))
            if value and self._named(element):
                houses[element.attributes["name"]] = value.attributes.get("value") == "true"
        if not gates:
            self._wrong(root, "there is no gate in it", "add <define-gate name=…>")
        known = {*gates, *events, *houses, *self._defined}
        for formula in gates.values():
            self._formula(formula, known)
        self._circles(gates)
        return Tree(self.file, gates, events, houses)

    def _wrong(self, element: Element, message: str, next: str = "") -> None:
        self.problems.append(element.problem(self.file, message, next))

    def _named(self, element: Element) -> bool:
        name = element.attributes.get("name", "")
        if not name:
            self._wrong(element, "name is missing")
        elif first := self._defined.get(name):
            self._wrong(element, f"{name} is defined twice; the first is on line {first.line}")
        else:
            self._defined[name] = element
            return True
        return False

    def _one(self, element: Element, tags: Sequence[str]) -> Element | None:
        """The single child that says what `element` is."""
        inside = [c for c in element.children if c.tag not in _LABELS]
        name = element.attributes.get("name", "")
        if len(inside) == 1 and inside[0].tag in tags:
            return inside[0]
        self._defined.setdefault(name, element)  # what refers to it is not reported a second time
        if len(inside) == 1:
            self._wrong(inside[0], f"<{inside[0].tag}> is not read here", f"one of {', '.join(tags)}")
        else:
            self._wrong(element, f"expected one formula or value, found {len(inside)}")
        return None

    def _probability(self, value: Element) -> float:
        if value.tag == "exponential":
            rate, time = (self._number(c) for c in [*value.children, value, value][:2])
            if len(value.children) != 2:
                self._wrong(value, "an exponential law takes a rate and a time")
            elif rate < 0 or time < 0:
                self._wrong(value, f"a {'rate' if rate < 0 else 'time'} cannot be negative")
            return 1 - math.exp(-abs(rate * time))
        number = self._number(value)
        if not 0 <= number <= 1:
            self._wrong(value, f"a probability is a number from 0 to 1, not {value.attributes.get('value')}")
        return number

    def _number(self, element: Element) -> float:
        try:
            number = float(element.attributes.get("value", ""))
        except ValueError:
            number = math.nan
        if not math.isfinite(number) and element.tag in ("float", "int"):
            self._wrong(element, f"{element.attributes.get('value', 'nothing')} is not a number")
            return 0.0
        return number

    def _formula(self, formula: Element, known: set[str]) -> None:
        inside = [c for c in formula.children if c.tag not in _LABELS]
        if formula.tag in _EVENTS:
            name = formula.attributes.get("name", "")
            if name not in known:
                self._wrong(formula, f"{name or 'an event without a name'} is not defined", suggest(name, known))
        elif formula.tag in _CONNECTIVES:
            low, high = _ARITY.get(formula.tag, (1, len(inside)))
            if not low <= len(inside) <= high:
                self._wrong(
                    formula, f"<{formula.tag}> takes {low if low == high else 'some'} operands, not {len(inside)}"
                )
            if formula.tag == "atleast" and not formula.attributes.get("min", "").isdigit():
                self._wrong(formula, "atleast needs min, a whole number")
            for child in inside:
                self._formula(child, known)
        elif formula.tag != "constant":
            self._wrong(formula, f"<{formula.tag}> is not read here", f"one of {', '.join(_CONNECTIVES)}")

    def _circles(self, gates: Mapping[str, Element]) -> None:
        """A gate that stands on itself."""
        done: set[str] = set()
        for start in gates:
            path: list[str] = []
            todo: list[tuple[str, bool]] = [(start, True)]
            while todo:
                name, entering = todo.pop()
                if not entering:
                    path.pop()
                    done.add(name)
                elif name in path:
                    circle = [*path[path.index(name) :], name]
                    self._wrong(self._defined[name], f"it stands on itself: {' → '.join(circle)}")
                    return
                elif name not in done:
                    path.append(name)
                    todo.append((name, False))
                    below = (e.attributes.get("name", "") for e in _references(gates[name]))
                    todo += [(n, True) for n in below if n in gates]


def _references(formula: Element) -> Iterator[Element]:
    for tag in _EVENTS:
        yield from formula.every(tag)


def solve(tree: Tree, top: str, order: int) -> Solution:
    """Exact probability of `top`; minimal cut sets of at most `order` events."""
    variables = list(_visited(tree, top))
    diagram = Diagram(variables)
    root = _Builder(tree, diagram).gate(top)
    probability, slopes = diagram.gradient(root, tree.events)
    cuts = _cuts(diagram, root, tree.events, order) if _coherent(tree, top) else None
    return Solution(top, probability, len(variables), diagram.size(root), order, cuts, slopes)


def _visited(tree: Tree, top: str) -> dict[str, None]:
    """Basic events below `top`, in the order of a first walk: neighbours in the tree are neighbours in the diagram."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    todo = [tree.gates[top]]
    while todo:
        element = todo.pop()
        name = element.attributes.get("name", "")
        if element.tag not in _EVENTS:
            todo += reversed(element.children)
        elif name in tree.events:
            found[name] = None
        elif name in tree.gates and name not in seen:
            seen.add(name)
            todo.append(tree.gates[name])
    return found


def _coherent(tree: Tree, top: str) -> bool:
    seen: set[str] = set()
    todo = [tree.gates[top]]
    while todo:
        element = todo.pop()
        name = element.attributes.get("name", "")
        if element.tag in _EVENTS:
            if name in tree.gates and name not in seen:
                seen.add(name)
                todo.append(tree.gates[name])
        elif element.tag in _CONNECTIVES and element.tag not in _COHERENT:
            return False
        todo += element.children
    return True


class _Builder:
    """Gates to diagram nodes, each once."""

    def __init__(self, tree: Tree, diagram: Diagram) -> None:
        self.tree = tree
        self.diagram = diagram
        self._made: dict[str, int] = {}

    def gate(self, name: str) -> int:
        if name not in self._made:
            self._made[name] = self._formula(self.tree.gates[name])
        return self._made[name]

    def _formula(self, formula: Element) -> int:
        d = self.diagram
        name = formula.attributes.get("name", "")
        if formula.tag in _EVENTS:
            if name in self.tree.events:
                return d.variable(name)
            if name in self.tree.houses:
                return d.TRUE if self.tree.houses[name] else d.FALSE
            return self.gate(name)
        if formula.tag == "constant":
            return d.TRUE if formula.attributes.get("value") == "true" else d.FALSE
        inside = [self._formula(c) for c in formula.children if c.tag not in _LABELS]
        match formula.tag:
            case "and" | "nand":
                node = d.every(inside)
            case "or" | "nor":
                node = d.some(inside)
            case "atleast":
                node = d.at_least(int(formula.attributes["min"]), inside)
            case "not":
                node = -inside[0]
            case _:  # xor, iff
                node = d.choose(inside[0], -inside[1], inside[1])
        return -node if formula.tag in ("nand", "nor", "iff") else node


def _cuts(diagram: Diagram, root: int, p: Mapping[str, float], order: int) -> tuple[tuple[tuple[str, ...], float], ...]:
    found = [(tuple(sorted(cut)), math.prod(p[e] for e in cut)) for cut in minimal(diagram.solutions(root, order))]
    return tuple(sorted(found, key=lambda c: (-c[1], len(c[0]), c[0])))
