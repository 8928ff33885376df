"""List-append: transactions that append to and read lists, judged by the dependencies that their reads reveal. Pure.

After Elle (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations", VLDB 2020).
Every value is appended to a list once at most, so that a list read is its key's whole history of writes, and the order
between transactions follows from data. The names of anomalies are Adya's. Real time is judged too: what had ended
before a transaction began comes before it. A session's order is part of that, since a client sends nothing over a
connection before the answer to what it sent before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fournines.prove.cycles import Edge, cycle
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


Writers = Mapping[tuple[str, int], Transaction]
Reads = Sequence[tuple[Transaction, Read]]


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
    """What makes the history not strictly serializable, one line each; empty when nothing that was read contradicts it.

    Raises ValueError when a value was appended to one list twice: then no read tells whose it is.
    """
    writers = _writers(history)
    reads = [(t, s) for t in history if t.outcome == "ok" for s in t.steps if isinstance(s, Read)]
    order: dict[str, tuple[int, ...]] = {}
    for _, read in reads:
        order[read.key] = max(order.get(read.key, ()), read.values, key=len)
    problems = [
        *_inconsistent_within(history),
        *_impossible(reads, writers),
        *_disagreements(reads, order),
        *_lost(history, reads, order),
    ]
    # Dependencies between reads that contradict one another would be nonsense.
    return tuple(problems) or tuple(_cycles(history, reads, writers, order))


def _writers(history: Iterable[Transaction]) -> Writers:
    found: dict[tuple[str, int], Transaction] = {}
    for transaction in history:
        for step in transaction.steps:
            if isinstance(step, Append):
                if (step.key, step.value) in found:
                    raise ValueError(f"{step.value} was appended to {step.key} twice")
                found[step.key, step.value] = transaction
    return found


def _inconsistent_within(history: Iterable[Transaction]) -> Iterator[str]:
    """Of one transaction: what it appended it must see at the end of what it reads afterwards, and nothing else may
    change a list between two of its reads."""
    for t in history:
        known: dict[str, tuple[int, ...]] = {}
        own: dict[str, tuple[int, ...]] = {}
        for step in t.steps if t.outcome == "ok" else ():
            key = step.key
            if isinstance(step, Append):
                own[key] = (*own.get(key, ()), step.value)
                if key in known:
                    known[key] = (*known[key], step.value)
                continue
            mine = own.get(key, ())
            if mine and step.values[-len(mine) :] != mine:
                yield f"{t.name} read {key} without its own append of {mine[-1]} (internal)"
            elif key in known and step.values != known[key]:
                yield f"{t.name} read {key} twice, and it was not the same (internal)"
            known[key] = step.values


def _impossible(reads: Reads, writers: Writers) -> Iterator[str]:
    elsewhere = {value: key for key, value in writers}
    for reader, read in reads:
        if len(set(read.values)) < len(read.values):
            yield f"{reader.name} read a value of {read.key} twice"
        for value in read.values:
            writer = writers.get((read.key, value))
            if writer is None and value in elsewhere:
                yield f"{reader.name} read {value} in {read.key}, which was appended to {elsewhere[value]}"
            elif writer is None:
                yield f"{reader.name} read {value}, which nobody appended"
            elif writer.outcome == "fail":
                yield f"{reader.name} read {value}, whose transaction {writer.name} failed (G1a)"
        last = writers.get((read.key, read.values[-1])) if read.values else None
        if last and last is not reader and read.values[-1] != _final(last, read.key):
            yield f"{reader.name} read {read.key} as it was within {last.name} (G1b)"


def _final(transaction: Transaction, key: str) -> int:
    return [s.value for s in transaction.steps if isinstance(s, Append) and s.key == key][-1]


def _disagreements(reads: Reads, order: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    for reader, read in reads:
        if order[read.key][: len(read.values)] != read.values:
            yield f"{reader.name} read {read.key} in another order than the longest read"


def _lost(history: Sequence[Transaction], reads: Reads, order: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Acknowledged, and missing from a list that was read by a transaction that began afterwards."""
    of_key: dict[str, list[tuple[Transaction, Read]]] = {}
    for reader, read in reads:
        of_key.setdefault(read.key, []).append((reader, read))
    for writer in history:
        for step in writer.steps if writer.outcome == "ok" else ():
            if not isinstance(step, Append):
                continue
            later = (
                t for t, read in of_key.get(step.key, ()) if t.began > writer.ended and step.value not in read.values
            )
            blind = next(later, None)
            if blind and step.value in order[step.key]:
                yield f"{step.value}, appended to {step.key} by {writer.name}, was not seen by {blind.name} afterwards"
            elif blind:
                yield f"{step.value}, appended to {step.key} by {writer.name}, was lost"


def _cycles(
    history: Sequence[Transaction], reads: Reads, writers: Writers, order: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """Of write-write, write-read and read-write dependencies and real time (G0, G1c, G2, also in real time)."""
    found = cycle([*_dependencies(reads, writers, order), *_real_time(history)])
    if found:
        yield f"a cycle of dependencies: {' → '.join(found)}"


def _dependencies(reads: Reads, writers: Writers, order: Mapping[str, tuple[int, ...]]) -> Iterator[Edge]:
    for key, values in order.items():
        for one, other in pairwise(values):
            yield writers[key, one].name, writers[key, other].name
    for reader, read in reads:
        if read.values:
            yield writers[read.key, read.values[-1]].name, reader.name
        following = order[read.key][len(read.values) :]
        if following:
            yield reader.name, writers[read.key, following[0]].name


def _real_time(history: Sequence[Transaction]) -> Iterator[Edge]:
    """By way of moments, one after the other: an edge for each pair of transactions would be their square.

    What ended unknown may still happen later, and what failed did not happen.
    """
    done = sorted((t for t in history if t.outcome == "ok"), key=lambda t: t.ended)
    begun = sorted((t for t in history if t.outcome != "fail"), key=lambda t: t.began)
    for moment, t in enumerate(done):
        yield t.name, f"@{moment}"
        yield f"@{moment}", f"@{moment + 1}"
    passed = 0
    for t in begun:
        while passed < len(done) and done[passed].ended < t.began:
            passed += 1
        if passed:
            yield f"@{passed - 1}", t.name
