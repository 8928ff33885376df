"""Fault trees in the Open-PSA Model Exchange Format (2.0d): XML in, a `Tree` out, or every problem with its place.

Read are fault trees (gates of and, or, not, xor, nand, nor, iff, atleast, nested at will, in components or not), basic
events with a number or an exponential law as their probability, house events, and `model-data`. Whatever else stands in
a file (parameters, distributions, common-cause groups, substitutions, event trees, includes) is refused: an exact
figure of a part of a model is a wrong figure of the model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from fournines.cloud.names import suggest
from fournines.design.faulttree import CONNECTIVES, EVENTS, LABELS, Tree, inside, references, truth
from fournines.design.markup import Element, ModelError, read
from fournines.errors import Problem

_CONTAINERS = ("opsa-mef", "define-fault-tree", "define-component", "model-data")
_DEFINITIONS = ("define-gate", "define-basic-event", "define-house-event")
_NUMBERS = ("float", "int")
#: What may stand in the text, and the attributes that are read or change nothing here: names are unique in the file, so
#: that `role` (public or private) is without effect, and `type` repeats what the definition of that name says.
_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*_CONTAINERS, *_DEFINITIONS), ("name", "role")),
    **dict.fromkeys(EVENTS, ("name", "type")),
    **dict.fromkeys(CONNECTIVES, ()),
    "atleast": ("min",),
    **dict.fromkeys((*_NUMBERS, "constant"), ("value",)),
    "exponential": (),
}
#: Of how many operands at least, and at most.
_ARITY = {"not": (1, 1), "xor": (2, 2), "iff": (2, 2)}
#: What a reference of each kind may name, besides anything by `event`.
_KINDS = {"gate": "define-gate", "basic-event": "define-basic-event", "house-event": "define-house-event"}


def parse(text: bytes, file: str) -> Tree:
    """Raises ModelError with every problem that was found, each with its place."""
    root = read(text, file)
    if root.tag != "opsa-mef":
        raise ModelError(f"{file} is no fault tree", (root.problem(file, f"expected <opsa-mef>, found <{root.tag}>"),))
    reader = _Reader(file)
    tree = reader.tree(root)
    if reader.problems:
        count = f"{len(reader.problems)} problems" if len(reader.problems) > 1 else "1 problem"
        found = tuple(sorted(reader.problems, key=lambda p: (p.line, p.column)))
        raise ModelError(f"{file} cannot be used: {count}", found)
    return tree


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._defined: dict[str, Element] = {}

    def tree(self, root: Element) -> Tree:
        definitions = list(self._definitions(root))
        gates: dict[str, Element] = {}
        events: dict[str, float] = {}
        houses: dict[str, bool] = {}
        for element in (d for d in definitions if d.tag == "define-gate"):
            formula = self._one(element, (*CONNECTIVES, *EVENTS, "constant"))
            if formula and self._named(element):
                gates[element.name] = formula
        for element in (d for d in definitions if d.tag == "define-basic-event"):
            value = self._one(element, (*_NUMBERS, "exponential"))
            if value and self._named(element):
                events[element.name] = self._probability(value)
        for element in (d for d in definitions if d.tag == "define-house-event"):
            value = self._one(element, ("constant",))
            if value and self._named(element):
                houses[element.name] = self._truth(value)
        if not any(d.tag == "define-gate" for d in definitions):
            self._wrong(root, "there is no gate in it", "add <define-gate name=…>")
        for formula in gates.values():
            for part in formula.walk(LABELS):
                self._formula(part)
        self._circles(gates)
        return Tree(self.file, gates, events, houses)

    def _wrong(self, element: Element, message: str, next: str = "") -> None:
        self.problems.append(element.problem(self.file, message, next))

    def _definitions(self, root: Element) -> list[Element]:
        """Every definition, in the order of the file. What is neither that nor a container of them is refused."""
        found: list[Element] = []
        todo = [root]
        while todo:
            element = todo.pop()
            if element.tag in _CONTAINERS:
                self._plain(element)
                todo += reversed(inside(element))
            elif element.tag in _DEFINITIONS:
                self._plain(element)
                found.append(element)
            else:
                self._unread(element, (*_CONTAINERS[1:], *_DEFINITIONS))
        return found

    def _unread(self, element: Element, known: Sequence[str]) -> None:
        self._wrong(
            element,
            f"<{element.tag}> is not read here, and the result would be of another model",
            f"one of {', '.join(known)}",
        )

    def _plain(self, element: Element) -> None:
        """Refuses attributes and text that nothing would read."""
        known = _ATTRIBUTES[element.tag]
        for name in element.attributes if element.tag != "opsa-mef" else ():  # there they are the schema's
            if name not in known:
                hint = f"known here: {', '.join(known)}" if known else f"<{element.tag}> takes no attributes"
                self._wrong(element, f"attribute {name} of <{element.tag}> is not read here", hint)
        if element.text:
            shown = element.text if len(element.text) <= 40 else element.text[:40] + "…"
            self._wrong(element, f"<{element.tag}> contains text: {shown}", "values are attributes: value=…, name=…")

    def _named(self, element: Element) -> bool:
        name = element.name
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
        parts = inside(element)
        if len(parts) == 1 and parts[0].tag in tags:
            return parts[0]
        self._defined.setdefault(element.name, element)  # what refers to it is not reported a second time
        if len(parts) == 1:
            self._unread(parts[0], tags)
        else:
            self._wrong(element, f"expected one formula or value, found {len(parts)}")
        return None

    def _probability(self, value: Element) -> float:
        if value.tag == "exponential":
            return self._exponential(value)
        number = self._number(value)
        if not 0 <= number <= 1:
            self._wrong(value, f"a probability is a number from 0 to 1, not {value.attributes.get('value')}")
        return number

    def _exponential(self, law: Element) -> float:
        self._plain(law)
        parts = inside(law)
        if len(parts) != 2:
            self._wrong(law, "an exponential law takes a rate and a time")
            return 0.0
        rate, time = (self._number(p) for p in parts)
        if rate < 0 or time < 0:
            self._wrong(law, f"a {'rate' if rate < 0 else 'time'} cannot be negative")
        return -math.expm1(-abs(rate * time))

    def _number(self, element: Element) -> float:
        if element.tag not in _NUMBERS:
            self._unread(element, _NUMBERS)
            return 0.0
        self._leaf(element)
        try:
            number = float(element.attributes.get("value", ""))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._wrong(element, f"{element.attributes.get('value') or 'nothing'} is not a number")
            return 0.0
        return number

    def _truth(self, constant: Element) -> bool:
        self._leaf(constant)
        value = truth(constant)
        if value is None:
            self._wrong(constant, "a constant is true or false, not " + constant.attributes.get("value", "nothing"))
        return bool(value)

    def _leaf(self, element: Element) -> None:
        self._plain(element)
        for part in inside(element):
            self._unread(part, ("nothing",))

    def _formula(self, formula: Element) -> None:
        """One part of a formula; those inside it are looked at by themselves."""
        if formula.tag in EVENTS:
            self._leaf(formula)
            self._reference(formula)
        elif formula.tag == "constant":
            self._truth(formula)
        elif formula.tag in CONNECTIVES:
            self._plain(formula)
            self._operands(formula, len(inside(formula)))
        else:
            self._unread(formula, (*CONNECTIVES, *EVENTS, "constant"))

    def _reference(self, reference: Element) -> None:
        name = reference.name
        defined = self._defined.get(name) if name else None
        if defined is None:
            hint = suggest(name, self._defined)
            self._wrong(reference, f"{name or 'an event without a name'} is not defined", hint)
            return
        kind = reference.attributes.get("type", "") if reference.tag == "event" else reference.tag
        if kind and _KINDS.get(kind) != defined.tag:
            what = defined.tag.removeprefix("define-").replace("-", " ")
            self._wrong(reference, f"{name} is a {what}, not a {kind.replace('-', ' ')}")

    def _operands(self, formula: Element, count: int) -> None:
        low, high = _ARITY.get(formula.tag, (1, count))
        if not low <= count <= high:
            wanted = str(low) if low == high else "some"
            self._wrong(formula, f"<{formula.tag}> takes {wanted} operands, not {count}")
        if formula.tag == "atleast":
            least = formula.attributes.get("min", "")
            if not re.fullmatch("[0-9]{1,9}", least):
                self._wrong(formula, "atleast needs min, a whole number")
            elif not 1 <= int(least) <= max(count, 1):
                self._wrong(formula, f"atleast {least} of {count} operands is decided without them")

    def _circles(self, gates: Mapping[str, Element]) -> None:
        """A gate that stands on itself."""
        below = {name: [r.name for r in references(f) if r.name in gates] for name, f in gates.items()}
        done: set[str] = set()
        for start in gates:
            path: dict[str, None] = {}
            todo: list[tuple[str, bool]] = [(start, True)]
            while todo:
                name, entering = todo.pop()
                if not entering:
                    del path[name]
                    done.add(name)
                elif name in path:
                    names = list(path)
                    circle = [*names[names.index(name) :], name]
                    self._wrong(self._defined[name], f"it stands on itself: {' → '.join(circle)}")
                    return
                elif name not in done:
                    path[name] = None
                    todo.append((name, False))
                    todo += [(n, True) for n in below[name]]
