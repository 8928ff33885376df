"""What a design rule finds, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from fournines.cloud.model import Cloud
from fournines.cloud.source import Path
from fournines.errors import Problem

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that a rule does not like at `path` of the cloud file (its key, if `key`).

    what: the fact. why: what it leads to. change: the way out, as an instruction.
    """

    path: Path
    severity: Severity
    what: str
    why: str
    change: str
    key: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """`about` completes "Reports …". Not `acceptable`: the cloud cannot work so, and `accept:` does not help."""

    id: str
    about: str
    flaws: Callable[[Cloud], Iterable[Flaw]]
    acceptable: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """A flaw with its rule and place. Line and column are 1-based; `path` as in jq. accepted: the operator's reason."""

    rule: str
    severity: Severity
    file: str
    line: int
    column: int
    path: str
    what: str
    why: str
    change: str
    accepted: str = ""

    @property
    def problem(self) -> Problem:
        """In brief, for a refusal that names `fournines check` as the place to read on."""
        return Problem(self.file, self.line, self.column, self.path, self.what, self.change)


def listed(words: Iterable[str], link: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} {link} {last}" if most else last
