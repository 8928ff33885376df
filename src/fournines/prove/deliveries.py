"""Messages as their consumers see them: one that never came has no delivery to tell of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from fournines.prove.model import Operation


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a message came. `publisher`, `consumer`: connections, by a number that none other has; `number`: which of its
    publisher's messages it is. `again`: the broker says that it may have delivered it before."""

    publisher: str
    number: int
    consumer: str
    again: bool


def written(delivery: Delivery) -> str:
    """One line, `from 3 17 to 5 again`."""
    words = ["from", delivery.publisher, str(delivery.number), "to", delivery.consumer]
    return " ".join([*words, "again"] if delivery.again else words)


def delivery_of(text: str) -> Delivery | None:
    """What `written` made text of; None of anything else."""
    match text.split():
        case ["from", publisher, number, "to", consumer, *rest] if number.isdecimal():
            return Delivery(publisher, int(number), consumer, bool(rest))
        case _:
            return None


def deliveries(publishes: Iterable[Operation], consumed: Iterable[Operation], ended: float) -> list[Operation]:
    """One operation of `consume` for each message that was due: delivered, or never.

    A message that was not published cannot be delivered; one that was and never came is unanswered to the end of the
    load. What was delivered and is no message of ours stands for itself.
    """
    first: dict[str, Operation] = {}
    for o in sorted(consumed, key=lambda o: o.ended):
        first.setdefault(o.value, o)
    missing = [_missing(p, ended) for p in publishes if p.value not in first]
    return [*first.values(), *missing]


def _missing(publish: Operation, ended: float) -> Operation:
    failed = publish.outcome == "fail"
    until = publish.ended if failed else max(publish.ended, ended)
    outcome = "fail" if failed else "unknown"
    return replace(publish, function="consume", ended=until, outcome=outcome, error="never delivered", steps="")


def disorder(consumed: Sequence[Operation]) -> Iterator[str]:
    """What a queue must not do, one line each. Between one publisher and one consumer messages come in the order in
    which they were published, except what is delivered again; and what comes twice is marked as that.

    Raises ValueError where a delivery does not say how it came.
    """
    latest: dict[tuple[str, str], tuple[int, str]] = {}
    seen: set[str] = set()
    for o in sorted(consumed, key=lambda o: o.ended):
        how = delivery_of(o.steps)
        if how is None:
            raise ValueError(f"how {o.value} was delivered is not recorded")
        if o.value in seen and not how.again:
            yield f"{o.value} was delivered twice, and the broker does not say that it was again"
        seen.add(o.value)
        if how.again:
            continue
        number, before = latest.get((how.publisher, how.consumer), (-1, ""))
        if how.number < number:
            yield f"{o.value} came after {before}, which was published later over the same connection"
        else:
            latest[how.publisher, how.consumer] = how.number, o.value
