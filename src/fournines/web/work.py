"""The process that does a job: `python -m fournines.web.work DIRECTORY`.

A process of its own, so that a prover's timing does not share an interpreter with the server, and so that a job goes on
when the server is restarted. SIGTERM cancels: what was struck is healed, and any change can be continued.

In the job's directory: `order.json` (what was asked for), `process.json` (who does it), `events.jsonl` (progress),
`result.json` (how it ended; whole or not there), `plan` (a saved plan).
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from fournines.commands.design import finite
from fournines.engine.events import (
    ChangesDone,
    ChangeStarted,
    Event,
    GateWaits,
    HostAnswered,
    HostFailed,
    StageDone,
    StageStarted,
)
from fournines.errors import CloudFileError, FourninesError
from fournines.web.process import started

ORDER, PROCESS, EVENTS, RESULT, PLAN = "order.json", "process.json", "events.jsonl", "result.json", "plan"
#: Seconds between two lines about the same waiting check.
QUIET = 1.0

NAMES: dict[type[Any], str] = {
    HostAnswered: "answered",
    StageStarted: "stage",
    ChangeStarted: "change",
    ChangesDone: "changed",
    GateWaits: "waits",
    StageDone: "stage-done",
}


class Work:
    """Where a job tells what it does. backups: the directory in which they are kept."""

    def __init__(self, directory: Path, backups: Path | None = None) -> None:
        self.directory = directory
        self.backups = backups or directory / "backups"
        self._waited: dict[tuple[str, str], float] = {}

    def tell(self, about: str, /, **what: Any) -> None:
        line = json.dumps({"at": round(time.time(), 3), "type": about, **what}, default=str)
        with (self.directory / EVENTS).open("a") as file:
            file.write(line + "\n")

    def say(self, text: str) -> None:
        self.tell("text", text=text)

    def report(self, event: Event) -> None:
        """The engine's."""
        if isinstance(event, HostFailed):
            self.tell("host-failed", host=event.host, **refusal(event.error))
            return
        if isinstance(event, GateWaits):
            now = time.monotonic()
            if now - self._waited.get((event.host, event.check), -QUIET) < QUIET:
                return
            self._waited[event.host, event.check] = now
        self.tell(NAMES[type(event)], **dataclasses.asdict(event))


def refusal(error: FourninesError) -> dict[str, str]:
    """An error as the API gives it."""
    why = error.why
    if isinstance(error, CloudFileError):
        why = "\n".join([*filter(None, [why]), *map(str, error.problems)])
    return {"what": error.what, "where": error.where, "why": why, "next": error.next}


def write(path: Path, document: Any) -> None:
    """Whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(finite(document), default=str))
    fresh.replace(path)


def main(directory: Path) -> int:
    from fournines.commands.clouds import load_cloud
    from fournines.web.kinds import KINDS
    from fournines.web.tasks_all import TASKS

    def cancel(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, cancel)
    signal.signal(signal.SIGINT, cancel)
    write(directory / PROCESS, started())
    order = json.loads((directory / ORDER).read_text())
    kind, work = KINDS[order["kind"]], Work(directory, Path(order["backups"]))
    ended: dict[str, Any]
    try:
        asked = kind.arguments.model_validate(order["arguments"])
        result = TASKS[kind.name](load_cloud(Path(order["cloud"])), asked, work)
        ended = {"state": "done", "result": result}
    except KeyboardInterrupt:
        ended = {"state": "cancelled"}
    except FourninesError as error:
        ended = {"state": "failed", "error": refusal(error)}
    except Exception as error:  # a job must end in a result, also of a mistake in this program
        traceback.print_exc()
        what = f"fournines failed: {type(error).__name__}"
        ended = {
            "state": "failed",
            "error": {"what": what, "where": "", "why": str(error), "next": "see the job's output"},
        }
    write(directory / RESULT, {**ended, "ended": time.time()})
    return 0 if ended["state"] == "done" else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
