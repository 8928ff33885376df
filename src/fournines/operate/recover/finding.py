"""What `recover` finds: with its evidence, what the way out loses, what is kept, and the stages that go it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fournines.plan.model import Action, Change, Stage
from fournines.programs import source
from fournines.services.resource import Run, Step
from fournines.services.service import Check, Rolling

Kind = Literal["majority", "histories", "database", "broker", "keys", "rings", "secrets"]


@dataclass(frozen=True)
class Finding:
    """where: hosts. loses, keeps: a line each. choose: what a person has to add to the command, "" when nothing.
    stages: () where `choose` says something, or another command does it: `next`."""

    kind: Kind
    region: str
    what: str
    where: tuple[str, ...]
    evidence: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    choose: str = ""
    next: str = ""
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a program of ours does on the host; the program comes along, so that it need not be there."""

    name: str
    program: str
    words: tuple[str, ...]
    timeout: float = 300.0
    triggers: tuple[str, ...] = field(default=())

    @property
    def key(self) -> str:
        return f"recover:{self.name}"

    def steps(self) -> Sequence[Step]:
        return [Run(f"python3 - {shlex.join(self.words)}", self.timeout, stdin=program(self.program))]


@dataclass(frozen=True, slots=True)
class Shell:
    """POSIX sh, for what no program is worth."""

    name: str
    script: str
    timeout: float = 120.0
    triggers: tuple[str, ...] = field(default=())

    @property
    def key(self) -> str:
        return f"recover:{self.name}"

    def steps(self) -> Sequence[Step]:
        return [Run(self.script, self.timeout)]


def program(name: str) -> str:
    return source(f"{name}.py")


def change(host: str, action: Action, what: str) -> Change:
    return Change(host, action, "update", what)


def stage(
    name: str, changes: Iterable[Change], gate: Iterable[Check] = (), waves: Sequence[tuple[str, ...]] = ()
) -> Stage:
    """waves (): all hosts at once."""
    made = tuple(changes)
    moves = tuple(waves) or (tuple(dict.fromkeys(c.host for c in made)),)
    rolling: Rolling = "joining" if len(moves) > 1 else "together"
    return Stage(name, made, rolling, tuple(gate), moves)
