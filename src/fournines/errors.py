"""Every error that a user can cause, as one tree.

    FourninesError            1    something was asked for and could not be done
    ├── UsageError           64    the command line is wrong
    ├── CloudFileError        1    the cloud file is wrong: every problem at once
    ├── HostError             1    a host does not answer, refuses, or fails a command
    ├── LockedError           1    another run holds the cloud
    ├── PlanError             1    a plan cannot be made, or the world moved since it was made
    ├── GateError             1    a stage's checks did not hold within their deadline
    ├── LabError              1    the lab cannot be built on this machine
    ├── ProveError            1    a campaign cannot start (the cloud is unhealthy, a fault is unknown)
    ├── SmokeError            1    nobody can sign in, so there is nothing to try
    └── BackupError           1    a backup cannot be taken, is damaged, or is not what it is wanted for

Each says what happened, where, why, and what to do next. `cli.main` prints it and exits with `exit_code`; no
traceback reaches the user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class FourninesError(Exception):
    """Base of all errors shown to the user.

    what: one sentence, no trailing period. where: host, file or resource. why: the underlying message.
    next: what to type or change.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next = next

    def __str__(self) -> str:
        lines = [self.what + (f" ({self.where})" if self.where else "")]
        if self.why:
            lines.append(f"  why:  {self.why}")
        if self.next:
            lines.append(f"  next: {self.next}")
        return "\n".join(lines)


class UsageError(FourninesError):
    exit_code: ClassVar[int] = 64


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: 1-based line and column, YAML path such as `regions.phx.hosts.ctl1.zone`."""

    file: str
    line: int
    column: int
    path: str
    message: str
    next: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"
        return f"{text}\n    next: {self.next}" if self.next else text


class CloudFileError(FourninesError):
    """The cloud file cannot be used. `problems` holds every one of them, in file order."""

    def __init__(self, what: str, problems: tuple[Problem, ...] = (), **kw: str) -> None:
        super().__init__(what, **kw)
        self.problems = problems

    def __str__(self) -> str:
        what, *rest = super().__str__().split("\n")
        return "\n".join([what, *(f"  {p}" for p in self.problems), *rest])


class HostError(FourninesError):
    pass


class LockedError(FourninesError):
    pass


class PlanError(FourninesError):
    pass


class GateError(FourninesError):
    pass


class LabError(FourninesError):
    pass


class ProveError(FourninesError):
    pass


class SmokeError(FourninesError):
    pass


class BackupError(FourninesError):
    pass
