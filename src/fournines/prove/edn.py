"""Transactions on lists as Jepsen writes its histories: EDN, an operation's invocation or completion a line. Pure.

Elle (https://github.com/jepsen-io/elle) and elle-cli read it as a `list-append` history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fournines.prove.anomalies import Append, Read, Transaction

#: Outcome -> how Jepsen calls it. What ended unknown may still happen: its process never calls anything again.
_TYPE = {"ok": ":ok", "fail": ":fail", "unknown": ":info"}


@dataclass(frozen=True, slots=True)
class _Moment:
    """`done`: 0 of an invocation, 1 of a completion: of what happens at the same time, invocations come first, so that
    neither is before the other."""

    at: float
    done: int
    number: int


def edn(history: Sequence[Transaction]) -> str:
    """Times in nanoseconds. A process does one thing after the other, as Jepsen's do."""
    moments = [_Moment(t.began, 0, n) for n, t in enumerate(history)]
    moments += [_Moment(max(t.began, t.ended), 1, n) for n, t in enumerate(history)]
    free: list[int] = []
    processes: dict[int, int] = {}
    used = 0
    lines: list[str] = []
    for index, moment in enumerate(sorted(moments, key=lambda m: (m.at, m.done, m.number))):
        transaction = history[moment.number]
        if not moment.done:
            processes[moment.number] = free.pop() if free else used
            used = max(used, processes[moment.number] + 1)
        process = processes[moment.number]
        if moment.done and transaction.outcome != "unknown":
            free.append(process)
        kind = _TYPE[transaction.outcome] if moment.done else ":invoke"
        value = _value(transaction.steps, read=kind == ":ok")
        lines.append(
            f"{{:index {index}, :type {kind}, :process {process}, :f :txn, :time {round(moment.at * 1e9)},"
            f" :value [{value}]}}"
        )
    return "".join(line + "\n" for line in lines)


def _value(steps: Iterable[Append | Read], *, read: bool) -> str:
    return " ".join(_step(s, read=read) for s in steps)


def _step(step: Append | Read, *, read: bool) -> str:
    if isinstance(step, Append):
        return f"[:append {step.key} {step.value}]"
    return f"[:r {step.key} [{' '.join(map(str, step.values))}]]" if read else f"[:r {step.key} nil]"
