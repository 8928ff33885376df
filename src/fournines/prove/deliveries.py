"""Messages as their consumers see them: one that never came has no delivery to tell of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from fournines.prove.model import Operation, Span


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
    """One operation of `consume` for each message that the broker confirmed: delivered, or never.

    What was not confirmed may be lost, and nobody is promised it: whether and when it comes says nothing about
    delivery, and that it was not confirmed is judged as its publish. What was confirmed and never came is unanswered to
    the end of the load. What was delivered and is no message of ours stands for itself.
    """
    sent = {p.value: p for p in publishes}
    first: dict[str, Operation] = {}
    for o in sorted(consumed, key=lambda o: o.ended):
        first.setdefault(o.value, o)
    due = [o for o in first.values() if o.value not in sent or sent[o.value].outcome == "ok"]
    missing = [_missing(p, ended) for p in sent.values() if p.outcome == "ok" and p.value not in first]
    return [*due, *missing]


def _missing(publish: Operation, ended: float) -> Operation:
    until = max(publish.ended, ended)
    return replace(publish, function="consume", ended=until, outcome="unknown", error="never delivered", steps="")


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often messages came more than once. `elsewhere`: some delivery went to another consumer, whose
    oslo.messaging cannot know of the first one. `unmarked`: more than one delivery is not marked by the broker as made
    again."""

    messages: int
    elsewhere: int
    unmarked: int


def repeats(consumed: Iterable[Operation]) -> Repeats:
    """Raises ValueError where a delivery does not say how it came."""
    again = [ways for ways in _ways(consumed).values() if len(ways) > 1]
    return Repeats(
        messages=len(again),
        elsewhere=sum(len({how.consumer for _, how in ways}) > 1 for ways in again),
        unmarked=sum(sum(not how.again for _, how in ways) > 1 for ways in again),
    )


def disorder(consumed: Sequence[Operation]) -> Iterator[str]:
    """What came from one publisher to one consumer in another order than it was published, one line each; but for what
    the broker marks as delivered again.

    Raises ValueError where a delivery does not say how it came.
    """
    latest: dict[tuple[str, str], tuple[int, str]] = {}
    for o in sorted(consumed, key=lambda o: o.ended):
        how = _how(o)
        if how.again:
            continue
        number, before = latest.get((how.publisher, how.consumer), (-1, ""))
        if how.number < number:
            yield f"{o.value} came after {before}, which was published later over the same connection"
        else:
            latest[how.publisher, how.consumer] = how.number, o.value


def returned(consumed: Iterable[Operation], quiet: Iterable[Span]) -> Iterator[str]:
    """Messages that were delivered and acknowledged in a time in which nothing was struck, and came once more, one line
    each. The acknowledgement cannot have been lost, so that the queue gave out again what it had already removed.

    Raises ValueError where a delivery does not say how it came.
    """
    spans = tuple(quiet)
    for value, ways in _ways(consumed).items():
        came = sorted(at for at, _ in ways)
        if len(came) > 1 and any(start <= came[0] <= end for start, end in spans):
            yield f"{value} was acknowledged while nothing was struck, and came again {came[1] - came[0]:.1f} s later"


def _ways(consumed: Iterable[Operation]) -> dict[str, list[tuple[float, Delivery]]]:
    """Message -> when and how it came."""
    found: dict[str, list[tuple[float, Delivery]]] = {}
    for o in consumed:
        found.setdefault(o.value, []).append((o.ended, _how(o)))
    return found


def _how(o: Operation) -> Delivery:
    how = delivery_of(o.steps)
    if how is None:
        raise ValueError(f"how {o.value} was delivered is not recorded")
    return how
