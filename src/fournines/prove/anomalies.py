"""List-append: transactions that append to and read lists, judged by the dependencies that their reads reveal. Pure.

After Elle (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations", VLDB 2020).
Every appended value is unique, so that a list read is its key's whole history of writes, and the order between
transactions follows from data rather than from clocks. The names of anomalies are Adya's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from fournines.prove.model import Outcome


@dataclass(frozen=True, slots=True)
class Append:
    key: str
    value: int


@dataclass(frozen=True, slots=True)
class Read:
    """`values`: the whole list, oldest first."""

    key: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """`began` and `ended` in seconds; reads count only where `outcome` is ok."""

    name: str
    steps: tuple[Append | Read, ...]
    began: float
    ended: float
    outcome: Outcome


def steps_of(text: str) -> tuple[Append | Read, ...]:
    """What `written` made text of."""
    words = (step.split() for step in text.split(",") if step)
    return tuple(
        Append(key, int(numbers[0])) if kind == "append" else Read(key, tuple(map(int, numbers)))
        for kind, key, *numbers in words
    )


def written(steps: Iterable[Append | Read]) -> str:
    """One line, `read 3 17 19,append 3 21`: lists by key, oldest value first."""
    return ",".join(
        f"append {s.key} {s.value}" if isinstance(s, Append) else " ".join(["read", s.key, *map(str, s.values)])
        for s in steps
    )


def check_list_append(history: Sequence[Transaction]) -> tuple[str, ...]:
    """What makes the history not serializable, one line each; empty when nothing that was read contradicts it."""
    writers = {s.value: t for t in history for s in t.steps if isinstance(s, Append)}
    reads = [(t, s) for t in history if t.outcome == "ok" for s in t.steps if isinstance(s, Read)]
    order: dict[str, tuple[int, ...]] = {}
    for _, read in reads:
        order[read.key] = max(order.get(read.key, ()), read.values, key=len)
    problems = [*_impossible(reads, writers), *_disagreements(reads, order), *_lost(history, reads)]
    # Dependencies between reads that contradict one another would be nonsense.
    return tuple(problems) or tuple(_cycles(reads, writers, order))


def _impossible(reads: Sequence[tuple[Transaction, Read]], writers: Mapping[int, Transaction]) -> Iterator[str]:
    for reader, read in reads:
        if len(set(read.values)) < len(read.values):
            yield f"{reader.name} read a value of {read.key} twice"
        for value in read.values:
            writer = writers.get(value)
            if writer is None:
                yield f"{reader.name} read {value}, which nobody appended"
            elif writer.outcome == "fail":
                yield f"{reader.name} read {value}, whose transaction {writer.name} failed (G1a)"
        last = writers.get(read.values[-1]) if read.values else None
        if last and last is not reader and read.values[-1] != _final(last, read.key):
            yield f"{reader.name} read {read.key} as it was within {last.name} (G1b)"


def _final(transaction: Transaction, key: str) -> int:
    return [s.value for s in transaction.steps if isinstance(s, Append) and s.key == key][-1]


def _disagreements(reads: Sequence[tuple[Transaction, Read]], order: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    for reader, read in reads:
        if order[read.key][: len(read.values)] != read.values:
            yield f"{reader.name} read {read.key} in another order than the longest read"


def _lost(history: Sequence[Transaction], reads: Sequence[tuple[Transaction, Read]]) -> Iterator[str]:
    """Acknowledged, and missing from a list that was read by a transaction that began afterwards."""
    of_key: dict[str, list[tuple[float, Read]]] = {}
    for reader, read in reads:
        of_key.setdefault(read.key, []).append((reader.began, read))
    for writer in history:
        if writer.outcome == "ok":
            for step in writer.steps:
                if isinstance(step, Append) and any(
                    began > writer.ended and step.value not in read.values for began, read in of_key.get(step.key, ())
                ):
                    yield f"{step.value}, appended to {step.key} by {writer.name}, was lost"


def _cycles(
    reads: Sequence[tuple[Transaction, Read]], writers: Mapping[int, Transaction], order: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """Of write-write, write-read and read-write dependencies (G0, G1c, G2)."""
    after: dict[str, set[str]] = {}

    def comes(first: Transaction, then: Transaction) -> None:
        if first is not then:
            after.setdefault(then.name, set()).add(first.name)

    for values in order.values():
        for one, other in pairwise(values):
            comes(writers[one], writers[other])
    for reader, read in reads:
        if read.values:
            comes(writers[read.values[-1]], reader)
        following = order[read.key][len(read.values) :]
        if following:
            comes(reader, writers[following[0]])
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        yield f"a cycle of dependencies: {' → '.join(error.args[1])}"
