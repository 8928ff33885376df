"""Fault trees solved exactly: the probability of a top gate, its minimal cut sets, and how much each event decides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fournines.design.bdd import Diagram
from fournines.design.cutsets import minimal
from fournines.design.markup import Element

#: References to something that is defined by name.
EVENTS = ("basic-event", "house-event", "gate", "event")
CONNECTIVES = ("and", "or", "not", "xor", "nand", "nor", "iff", "atleast")
#: What people are told, and what computes nothing.
LABELS = ("label", "attributes")
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
        used = {e.name for formula in self.gates.values() for e in references(formula)}
        return tuple(name for name in self.gates if name not in used)

    def operands(self, formula: Element) -> Sequence[Element]:
        """The formulas that must be computed before `formula` is: its own, or the one of the gate that it refers to."""
        if formula.tag in EVENTS:
            return [self.gates[formula.name]] if formula.name in self.gates else []
        return inside(formula)

    def below(self, top: str) -> Iterator[Element]:
        """Every formula under gate `top`, each once, from the first operand down (neighbours stay neighbours)."""
        seen: set[int] = set()
        todo = [self.gates[top]]
        while todo:
            formula = todo.pop()
            if id(formula) not in seen:
                seen.add(id(formula))
                yield formula
                todo += reversed(self.operands(formula))


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


def inside(element: Element) -> list[Element]:
    """Its children, without what only describes it."""
    return [c for c in element.children if c.tag not in LABELS]


def references(formula: Element) -> Iterator[Element]:
    return (e for e in formula.walk(LABELS) if e.tag in EVENTS)


def solve(tree: Tree, top: str, order: int) -> Solution:
    """Exact probability of `top`; minimal cut sets of at most `order` events."""
    formulas = list(tree.below(top))
    variables = list(dict.fromkeys(f.name for f in formulas if f.tag in EVENTS and f.name in tree.events))
    diagram = Diagram(variables)
    root = _build(tree, top, diagram)
    probability, slopes = diagram.gradient(root, tree.events)
    coherent = all(f.tag in _COHERENT for f in formulas if f.tag in CONNECTIVES)
    cuts = _cuts(diagram, root, tree.events, order) if coherent else None
    return Solution(top, probability, len(variables), diagram.size(root), order, cuts, slopes)


def _build(tree: Tree, top: str, diagram: Diagram) -> int:
    """The diagram's node of gate `top`. Without recursion: trees of thousands of gates in a chain are ordinary."""
    made: dict[int, int] = {}  # id of a formula -> node
    todo = [tree.gates[top]]
    while todo:
        formula = todo[-1]
        operands = tree.operands(formula)
        missing = [o for o in operands if id(o) not in made]
        if missing:
            todo += missing
            continue
        todo.pop()
        if id(formula) not in made:
            made[id(formula)] = _node(tree, formula, [made[id(o)] for o in operands], diagram)
    return made[id(tree.gates[top])]


def _node(tree: Tree, formula: Element, operands: Sequence[int], d: Diagram) -> int:
    match formula.tag:
        case "constant":
            node = d.TRUE if truth(formula) else d.FALSE
        case "and" | "nand":
            node = d.every(operands)
        case "or" | "nor":
            node = d.some(operands)
        case "atleast":
            node = d.at_least(int(formula.attributes["min"]), operands)
        case "not":
            node = -operands[0]
        case "xor" | "iff":
            node = d.choose(operands[0], -operands[1], operands[1])
        case _ if formula.name in tree.events:
            node = d.variable(formula.name)
        case _ if formula.name in tree.houses:
            node = d.TRUE if tree.houses[formula.name] else d.FALSE
        case _:
            node = operands[0]
    return -node if formula.tag in ("nand", "nor", "iff") else node


def truth(constant: Element) -> bool | None:
    """None: it says neither."""
    return {"true": True, "1": True, "false": False, "0": False}.get(constant.attributes.get("value", ""))


def _cuts(diagram: Diagram, root: int, p: Mapping[str, float], order: int) -> tuple[tuple[tuple[str, ...], float], ...]:
    found = [(tuple(sorted(cut)), math.prod(p[e] for e in cut)) for cut in minimal(diagram.solutions(root, order))]
    return tuple(sorted(found, key=lambda c: (-c[1], len(c[0]), c[0])))
