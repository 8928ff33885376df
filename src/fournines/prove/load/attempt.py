"""One request on its way, and the rule that makes an outcome of what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from fournines.prove.model import Connection, Outcome


class RefusedError(Exception):
    """The server answered that it did not do it: 4xx, a rolled back transaction, an unroutable message."""


@dataclass(slots=True)
class Attempt:
    """`sent` is set just before the first byte of the request itself can leave; a handshake is not the request.

    `value`, `steps`: as in `Operation`.
    """

    connection: Connection
    intended: float
    value: str = ""
    steps: str = ""
    sent: bool = False

    def outcome_of(self, error: BaseException) -> Outcome:
        """`fail` only when it is sure that nothing was applied."""
        return "unknown" if self.sent and not isinstance(error, RefusedError) else "fail"


def describe(error: BaseException) -> str:
    """One short line: the kind of error and what it says."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}"[:200] if said else type(error).__name__
