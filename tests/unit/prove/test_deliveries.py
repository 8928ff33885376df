"""Messages: what never came, what came twice, and in which order."""

from __future__ import annotations

import pytest

from fournines.prove.deliveries import Delivery, Repeats, deliveries, delivery_of, disorder, repeats, returned, written
from fournines.prove.model import Operation, Outcome


def publish(value: str, at: float, outcome: Outcome = "ok") -> Operation:
    return Operation("publish", "kept", at, at, at + 0.01, outcome, value)


def came(
    value: str, ended: float, number: int, *, publisher: str = "0.0", to: str = "1", again: bool = False
) -> Operation:
    steps = written(Delivery(publisher, number, to, again))
    return Operation("consume", "kept", ended - 0.1, ended - 0.1, ended, "ok", value, steps=steps)


@pytest.mark.parametrize("delivery", [Delivery("0.1", 17, "4", True), Delivery("2.0", 0, "0", False)])
def test_a_delivery_survives_its_way_through_the_history(delivery: Delivery) -> None:
    assert delivery_of(written(delivery)) == delivery


@pytest.mark.parametrize("text", ["", "read 3 17", "from 1 x to 2"])
def test_anything_else_is_no_delivery(text: str) -> None:
    assert delivery_of(text) is None


def test_every_confirmed_message_has_one_delivery_or_none_ever() -> None:
    sent = [publish("a", 0), publish("b", 1)]
    found = deliveries(sent, [came("a", 0.2, 0), came("a", 0.9, 0, again=True), came("stray", 1.0, 1)], ended=9.0)
    assert [(o.value, o.outcome, o.ended) for o in found] == [
        ("a", "ok", 0.2),
        ("stray", "ok", 1.0),
        ("b", "unknown", 9.0),
    ]
    assert {o.function for o in found} == {"consume"}


@pytest.mark.parametrize("outcome", ["fail", "unknown"])
@pytest.mark.parametrize("arrival", [[], [came("a", 55.0, 0)]], ids=["lost", "late"])
def test_a_message_that_was_never_confirmed_is_no_wait_of_its_consumer(
    outcome: Outcome, arrival: list[Operation]
) -> None:
    assert deliveries([publish("a", 0, outcome)], arrival, ended=60.0) == []


def test_order_between_one_publisher_and_one_consumer() -> None:
    fine = [came("a", 1, 0), came("b", 2, 1), came("x", 2.1, 5, to="2"), came("y", 2.2, 2, publisher="1.0")]
    assert list(disorder(fine)) == []
    assert list(disorder([*fine, came("c", 3, 0)])) == [
        "c came after b, which was published later over the same connection"
    ]


def test_what_is_delivered_again_may_come_late_and_twice() -> None:
    assert list(disorder([came("a", 1, 0), came("b", 2, 1), came("a", 3, 0, to="2", again=True)])) == []


def test_messages_that_come_more_than_once_are_counted() -> None:
    """As seen after a cut of 1 s: the delivery that the cut had held up came after the one that is marked."""
    held_up = [came("a", 1, 0, to="2", again=True), came("a", 2, 0, to="1")]
    sent_twice = [came("b", 3, 1), came("b", 4, 2)]
    assert repeats([*held_up, *sent_twice, came("c", 5, 3)]) == Repeats(messages=2, elsewhere=1, unmarked=1)
    assert list(disorder(held_up)) == []


def test_what_was_acknowledged_while_nothing_was_struck_does_not_come_again() -> None:
    before, during, after = (came(v, at, n) for n, (v, at) in enumerate((("a", 5.0), ("b", 12.0), ("c", 45.0))))
    again = [came(o.value, o.ended + 20, n, to="2", again=True) for n, o in enumerate((before, during, after))]
    (first, second) = returned([before, during, after, *again], [(0.0, 8.0), (40.0, 99.0)])
    assert first == "a was acknowledged while nothing was struck, and came again 20.0 s later"
    assert second.startswith("c ")


def test_a_delivery_that_does_not_say_how_it_came_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="not recorded"):
        list(disorder([Operation("consume", "kept", 0, 0, 1, "ok", "a")]))
