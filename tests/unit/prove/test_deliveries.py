"""Messages: what never came, what came twice, and in which order."""

from __future__ import annotations

import pytest

from fournines.prove.deliveries import Delivery, deliveries, delivery_of, disorder, written
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


def test_every_message_has_one_delivery_or_none_ever() -> None:
    sent = [publish("a", 0), publish("b", 1), publish("c", 2, "fail"), publish("d", 3, "unknown")]
    found = deliveries(sent, [came("a", 0.2, 0), came("a", 0.9, 0, again=True)], ended=9.0)
    assert [(o.value, o.outcome, o.ended) for o in found] == [
        ("a", "ok", 0.2),
        ("b", "unknown", 9.0),
        ("c", "fail", 2.01),
        ("d", "unknown", 9.0),
    ]
    assert {o.function for o in found} == {"consume"}


def test_order_between_one_publisher_and_one_consumer() -> None:
    fine = [came("a", 1, 0), came("b", 2, 1), came("x", 2.1, 5, to="2"), came("y", 2.2, 2, publisher="1.0")]
    assert list(disorder(fine)) == []
    assert list(disorder([*fine, came("c", 3, 0)])) == [
        "c came after b, which was published later over the same connection"
    ]


def test_what_is_delivered_again_may_come_late_and_twice() -> None:
    assert list(disorder([came("a", 1, 0), came("b", 2, 1), came("a", 3, 0, to="2", again=True)])) == []


def test_what_comes_twice_and_is_not_said_to_come_again_is_a_duplicate() -> None:
    (said,) = disorder([came("a", 1, 0), came("a", 2, 0, to="2")])
    assert "a was delivered twice" in said


def test_a_delivery_that_does_not_say_how_it_came_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="not recorded"):
        list(disorder([Operation("consume", "kept", 0, 0, 1, "ok", "a")]))
