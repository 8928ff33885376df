"""Steps on their way to a host, and what comes back: the two ends of `scripts/perform.sh`, pure."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from fournines.engine.transport import Done
from fournines.services.resource import MakeDirectory, Put, Run, Step

SCRIPT = resources.files("fournines.engine").joinpath("scripts/perform.sh").read_text()
HEADER = "fournines-perform"


def request(steps: Sequence[Step], *, keep_going: bool) -> bytes:
    """stdin of the script. Contents and secrets travel here, never on a command line."""
    parts = [b"continue\n" if keep_going else b"stop\n"]
    for step in steps:
        if isinstance(step, MakeDirectory):
            path = step.path.encode()
            parts += [f"dir {step.mode:o} {step.owner} {step.group} {len(path)}\n".encode(), path]
        elif isinstance(step, Put):
            path = step.path.encode()
            head = f"put {step.mode:o} {step.owner} {step.group} {len(path)} {len(step.content)}\n"
            parts += [head.encode(), path, step.content]
        else:
            script, stdin = step.script.encode(), step.stdin.encode()
            parts += [f"run {step.timeout:g} {len(script)} {len(stdin)}\n".encode(), script, stdin]
    return b"".join(parts)


def done(record: str) -> Done:
    """`NUMBER STATUS OUTPUT`."""
    _, status, output = record.split(" ", 2)
    return Done(int(status), output.strip())


def allowance(step: Step) -> float:
    """Seconds within which the host must report the end of `step`: its own timeout, and what ending it may take."""
    return (step.timeout if isinstance(step, Run) else 60.0) + 30.0
