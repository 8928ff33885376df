"""Fault trees with known answers, and trees that cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.design.faulttree import Solution, solve
from fournines.design.faulttree_file import parse
from fournines.design.markup import ModelError

#: The "Chinese" tree of the Aralia benchmark (25 events, 36 gates), as gate, operator, operands.
CHINESE = """
r1 and g1 g2;          g1 or e1 e2 e3 g3;     g2 and g4 g5;          g3 and g6 g7;       g4 or e4 e5 e6 e7 g8
g5 or e8 g9;           g6 or e9 e10 e11 g10;  g7 or e12 e13;         g8 and g11 g12;     g9 and g13 g14
g10 and g15 g16;       g11 or e14 e15 e16 g17; g12 and g18 g19;      g13 or e1 e2 e3 g20; g14 or e4 e5 e6 e7 g21
g15 or e17 e18;        g16 or e19 e20 e21;    g17 and g22 g23;       g18 or e22 e23;     g19 or e24 e25
g20 and g24 g25;       g21 and g26 g27;       g22 or e17 e18 e21;    g23 or e19 e20;     g24 or e14 e15 e16 g28
g25 and g29 g30;       g26 or e9 e10 e11 g31; g27 or e12 e13;        g28 and g32 g33;    g29 or e22 e23
g30 or e24 e25;        g31 and g34 g35;       g32 or e17 e18 e21;    g33 or e19 e20;     g34 or e19 e20 e21
g35 or e17 e18
"""


def mef(gates: str, events: dict[str, float], more: str = "") -> bytes:
    """`name operator operand …`, separated by semicolons or lines."""
    text = ""
    for line in filter(None, (p.strip() for p in gates.replace("\n", ";").split(";"))):
        name, operator, *operands = line.split()
        tag, _, least = operator.partition(":")
        opening = f'{tag} min="{least}"' if least else tag
        inside = "".join(f'<event name="{o}"/>' for o in operands)
        text += f'<define-gate name="{name}"><{opening}>{inside}</{tag}></define-gate>\n'
    given = "".join(
        f'<define-basic-event name="{n}"><float value="{p}"/></define-basic-event>\n' for n, p in events.items()
    )
    return f'<opsa-mef>\n<define-fault-tree name="t">\n{text}</define-fault-tree>\n{given}{more}</opsa-mef>'.encode()


def solved(text: bytes, order: int = 9) -> Solution:
    tree = parse(text, "model.xml")
    (top,) = tree.tops()
    return solve(tree, top, order)


def test_the_chinese_tree() -> None:
    solution = solved(mef(CHINESE, {f"e{i}": 0.02 for i in range(1, 26)}))
    assert (solution.events, len(solution.cuts or ())) == (25, 392)
    assert Counter(len(c) for c, _ in solution.cuts or ()) == {2: 12, 4: 24, 5: 188, 6: 168}
    assert solution.probability == pytest.approx(0.0045691, abs=1e-5)  # as published: three terms of a series
    assert solution.probability == pytest.approx(0.0045693217804974595, rel=1e-13)  # every one of 2^25 states


def test_fewer_cut_sets_are_those_of_fewer_events() -> None:
    text = mef(CHINESE, {f"e{i}": 0.02 for i in range(1, 26)})
    every, few = (solved(text, order).cuts or () for order in (9, 3))
    assert few == tuple(c for c in every if len(c[0]) <= 3)


@pytest.mark.parametrize(
    ("gate", "truth"),
    [
        ("t and a b c", lambda a, b, c: a and b and c),
        ("t or a b c", lambda a, b, c: a or b or c),
        ("t atleast:2 a b c", lambda a, b, c: a + b + c >= 2),
        ("t nand a b c", lambda a, b, c: not (a and b and c)),
        ("t nor a b c", lambda a, b, c: not (a or b or c)),
        ("t xor a b; u and t c", lambda a, b, c: (a != b) and c),
        ("t iff a b; u or t c", lambda a, b, c: (a == b) or c),
        ("t not a; u and t b c", lambda a, b, c: not a and b and c),
    ],
)
def test_every_connective(gate: str, truth: Callable[..., object]) -> None:
    p = {"a": 0.1, "b": 0.3, "c": 0.6}
    expected = sum(
        (p["a"] if a else 0.9) * (p["b"] if b else 0.7) * (p["c"] if c else 0.4) * bool(truth(a, b, c))
        for a, b, c in product((0, 1), repeat=3)
    )
    solution = solved(mef(gate, p))
    assert solution.probability == pytest.approx(expected)
    coherent = any(word in gate for word in (" and a", " or a", "atleast"))
    assert (solution.cuts is not None) == coherent


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_cut_sets_of_random_coherent_trees(data: st.DataObject) -> None:
    names = ["a", "b", "c", "d", "e"]
    gates, below = list[str](), list(names)
    for i in range(data.draw(st.integers(1, 4))):
        inside = data.draw(st.lists(st.sampled_from(below), min_size=2, max_size=3, unique=True))
        gates.append(f"g{i} {data.draw(st.sampled_from(['and', 'or', 'atleast:2']))} {' '.join(inside)}")
        below.append(f"g{i}")
    gates.append(f"top or {' '.join(n for n in below if n.startswith('g'))}")
    solution = solved(mef(";".join(gates), dict.fromkeys(names, 0.5)))
    holds = {
        n: solved(mef(";".join(gates), {m: float(m in n) for m in names})).probability > 0.5 for n in _subsets(names)
    }
    least = {n for n, yes in holds.items() if yes and not any(holds[m] for m in holds if m < n)}
    assert {frozenset(c) for c, _ in solution.cuts or ()} == least
    assert solution.probability == pytest.approx(sum(holds.values()) / 2 ** len(names))


def _subsets(names: list[str]) -> list[frozenset[str]]:
    return [frozenset(s) for n in range(len(names) + 1) for s in combinations(names, n)]


def test_house_events_and_exponential_laws() -> None:
    more = '<define-house-event name="on"><constant value="true"/></define-house-event>'
    law = '<exponential><float value="0.01"/><float value="10"/></exponential>'
    law = f'<define-basic-event name="x">{law}</define-basic-event>'
    assert solved(mef("t and on x", {}, more + law)).probability == pytest.approx(0.09516258196404048)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (b"not xml", "1:1", "this is not XML"),
        (b"<opsa-mef>\n<define-gate", "2:1", "this is not XML"),
        (b"<html/>", "1:1", "expected <opsa-mef>, found <html>"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><opsa-mef/>', "1:13", "a document type is not read here"),
        (b"<opsa-mef/>", "1:1", "there is no gate in it"),
        (mef("t and a", {"a": 1.5}), "5:30", "a probability is a number from 0 to 1, not 1.5"),
        (mef("t and a", {"a": -0.5}), "5:30", "a probability is a number from 0 to 1, not -0.5"),
        (mef("t and a", {"a": float("nan")}), "5:30", "nan is not a number"),
        (mef("t and a b", {"a": 0.5}), "3:45", "b is not defined"),
        (mef("t and u a; u or t a", {"a": 0.5}), "3:1", "it stands on itself: t → u → t"),
        (mef("t and a; t or a", {"a": 0.5}), "4:1", "t is defined twice; the first is on line 3"),
        (mef("t xor a", {"a": 0.5}), "3:23", "<xor> takes 2 operands, not 1"),
        (mef("t atleast a", {"a": 0.5}), "3:23", "atleast needs min"),
        (mef("t and a", {}, '<define-basic-event name="a"><exponential><float value="-1"/><float value="2"/>'
             "</exponential></define-basic-event>"), "5:30", "a rate cannot be negative"),
        (mef("t and a", {}, '<define-basic-event name="a"><exponential><float value="1"/><float value="-2"/>'
             "</exponential></define-basic-event>"), "5:30", "a time cannot be negative"),
        (mef("t and a", {}, '<define-basic-event name="a"><weibull/></define-basic-event>'), "5:30",
         "<weibull> is not read"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(text: bytes, place: str, message: str) -> None:
    with pytest.raises(ModelError) as refused:
        parse(text, "model.xml")
    (problem,) = refused.value.problems
    assert message in problem.message
    assert f"model.xml:{place}:" in str(problem)


def chain(gates: int, operators: tuple[str, ...]) -> bytes:
    """g0 over e0 and g1 over e1 and … : each gate stands on the next one."""
    lines = [f"g{i} {operators[i % len(operators)]} e{i} g{i + 1}" for i in range(gates)]
    return mef(";".join([*lines, f"g{gates} and e{gates}"]), {f"e{i}": 0.01 for i in range(gates + 1)})


@pytest.mark.parametrize("gates", [250, 3000])
def test_thousands_of_gates_in_a_chain(gates: int) -> None:
    solution = solved(chain(gates, ("or",)), order=2)
    assert solution.probability == pytest.approx(1 - 0.99 ** (gates + 1))
    assert len(solution.cuts or ()) == gates + 1


def test_a_chain_of_alternating_gates() -> None:
    solution = solved(chain(2000, ("or", "and")), order=3)
    expected = 0.01
    for i in reversed(range(2000)):
        expected = 0.01 * expected if i % 2 else 0.01 + 0.99 * expected
    assert solution.probability == pytest.approx(expected)
    assert {c for c, _ in solution.cuts or ()} == {("e0",), ("e1", "e2"), ("e1", "e3", "e4")}


def test_a_formula_that_is_nested_thousands_deep() -> None:
    nested = "<not>" * 4000 + '<event name="a"/>' + "</not>" * 4000
    text = f'<opsa-mef><define-gate name="t">{nested}</define-gate>'
    event = '<define-basic-event name="a"><float value="0.25"/></define-basic-event></opsa-mef>'
    assert solved((text + event).encode()).probability == pytest.approx(0.25)


def test_the_same_events_again_deep_in_a_chain() -> None:
    """Nothing is decided at the top: the diagram is walked to its end again and again."""
    lines = [f"g{i} {('and', 'or')[i % 2]} e{i % 40} g{i + 1}" for i in range(1200)]
    solution = solved(mef(";".join([*lines, "g1200 or e0 e1"]), {f"e{i}": 0.3 for i in range(40)}), order=1)
    assert 0 < solution.probability < 1


GATE = '<define-gate name="t"><and><event name="a"/></and></define-gate>'
EVENT = '<define-basic-event name="a"><float value="0.5"/></define-basic-event>'


@pytest.mark.parametrize(
    "more",
    [
        '<define-CCF-group name="c" model="beta-factor"><members><basic-event name="a"/></members></define-CCF-group>',
        '<define-parameter name="p"><float value="0.1"/></define-parameter>',
        '<define-substitution name="s"><hypothesis><event name="a"/></hypothesis></define-substitution>',
        '<include file="other.xml"/>',
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="other.xml"/>',
        '<define-event-tree name="e"/>',
        '<define-initiating-event name="i"/>',
        '<define-extern-library name="l" path="x"/>',
        "a stray word",
    ],
)
@pytest.mark.parametrize("where", ["root", "tree", "component", "data"])
def test_what_is_not_read_is_refused_wherever_it_stands(more: str, where: str) -> None:
    parts = {key: more if key == where else "" for key in ("root", "tree", "component", "data")}
    text = (
        f'<opsa-mef>{parts["root"]}<define-fault-tree name="f"><label>Pumps</label>{GATE}{parts["tree"]}'
        f'<define-component name="c">{parts["component"]}</define-component></define-fault-tree>'
        f"<model-data>{EVENT}{parts['data']}</model-data></opsa-mef>"
    )
    parse(text.replace(more, "").encode(), "model.xml")
    with pytest.raises(ModelError) as refused:
        parse(text.encode(), "model.xml")
    assert any("is not read here" in p.message or "contains text" in p.message for p in refused.value.problems)


@pytest.mark.parametrize(
    ("gate", "event"),
    [
        ('<and><event name="a"/></and>', "<float value='0.5' unit='hours'/>"),
        ('<and><event name="a"/></and>', "<float>0.5</float>"),
        ('<and><event name="a"/></and>', "<parameter name='p'/>"),
        ('<and><event name="a"/></and>', "<exponential><parameter name='r'/><float value='1'/></exponential>"),
        ('<and><event name="a"/></and>', "<exponential><float value='1'/><system-mission-time/></exponential>"),
        ('<and><event name="a"/></and>', "<exponential><float value='1'/></exponential>"),
        ('<and><event name="a"/></and>', "<add><float value='0.1'/><float value='0.2'/></add>"),
        ('<and><event name="a"/></and>', "<lognormal-deviate><float value='0.1'/></lognormal-deviate>"),
        ('<and weight="2"><event name="a"/></and>', "<float value='0.5'/>"),
        ('<and><event name="a"><not/></event></and>', "<float value='0.5'/>"),
        ('<and><event name="a"/> or b</and>', "<float value='0.5'/>"),
        ('<and><gate name="a"/></and>', "<float value='0.5'/>"),
        ('<and><event name="a" type="house-event"/></and>', "<float value='0.5'/>"),
        ('<and><event name="a"/><constant value="maybe"/></and>', "<float value='0.5'/>"),
        ('<atleast min="3"><event name="a"/></atleast>', "<float value='0.5'/>"),
        ('<atleast min="0"><event name="a"/></atleast>', "<float value='0.5'/>"),
        ('<atleast min="²"><event name="a"/></atleast>', "<float value='0.5'/>"),
        ('<cardinality min="1" max="1"><event name="a"/></cardinality>', "<float value='0.5'/>"),
        ('<imply><event name="a"/><event name="a"/></imply>', "<float value='0.5'/>"),
    ],
)
def test_no_part_of_a_definition_is_dropped(gate: str, event: str) -> None:
    text = f'<define-gate name="t">{gate}</define-gate><define-basic-event name="a">{event}</define-basic-event>'
    with pytest.raises(ModelError):
        parse(f"<opsa-mef>{text}</opsa-mef>".encode(), "model.xml")


def test_labels_attributes_and_types_change_nothing() -> None:
    label = "<label>a word</label><attributes><attribute name='x' value='y'/></attributes>"
    gate = f'<define-gate name="t">{label}<and><event name="a" type="basic-event"/>{label}</and></define-gate>'
    event = f'<define-basic-event name="a" role="private">{label}<float value="0.5"/></define-basic-event>'
    text = f'<opsa-mef version="2">{label}<define-fault-tree name="f">{gate}{event}</define-fault-tree></opsa-mef>'
    assert solved(text.encode()).probability == pytest.approx(0.5)
