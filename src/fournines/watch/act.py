"""Handlers at work: conditions are looked at each second, actions carried out one beside the other, all of it recorded.

In the folder: `actions.jsonl`, a JSON line for everything that was done, would have been done, or was refused, and
`handlers.json`, what outlives the watch. What cannot be recorded is not done.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from fournines.cloud.handlers import Handler
from fournines.errors import FourninesError
from fournines.watch.decide import Action, Condition, Decider, Remark
from fournines.watch.ledger import append, read, replace_file

ACTIONS, OLDER, STATE, RESUME = "actions.jsonl", "actions.1.jsonl", "handlers.json", "resume"
#: Of `actions.jsonl`, before it becomes the older one.
MOST_BYTES = 4 << 20
EVERY_S = 1.0

#: Conditions of now and hosts of which none is known; None while nothing can be said yet.
Look = Callable[[], tuple[Collection[Condition], Collection[str]] | None]


@dataclass(frozen=True)
class Doing:
    """look: what is there. carry_out: what was done; raises FourninesError. note: into the incident that goes on."""

    look: Look
    carry_out: Callable[[Action], Awaitable[str]]
    say: Callable[[str], None]
    note: Callable[[str, str], None]
    wall: Callable[[], float]


class Acting:
    def __init__(self, handlers: Sequence[Handler], domains: Mapping[str, str], directory: Path, doing: Doing) -> None:
        self._directory = directory
        self._doing = doing
        self._tasks: set[asyncio.Task[None]] = set()
        self._saved: dict[str, Any] = {}
        self._decider = Decider(handlers, domains)
        self._restore()

    def handlers(self, handlers: Sequence[Handler], domains: Mapping[str, str]) -> None:
        """Those of the cloud file as it is now, once nothing is on its way."""
        state = self._decider.state()
        self._decider = Decider(handlers, domains)
        self._decider.restore(state)

    @property
    def idle(self) -> bool:
        return not self._tasks

    async def run(self) -> None:
        """Until it is cancelled. What is on its way is then given up, and counts as one that did not help."""
        try:
            while True:
                self.look()
                await asyncio.sleep(EVERY_S)
        finally:
            self._save()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def look(self) -> None:
        self._resume()
        if (there := self._doing.look()) is None:
            return
        for said in self._decider.step(self._doing.wall(), *there):
            if isinstance(said, Remark):
                self._remark(said)
            else:
                self._start(said)
        self._save()

    def _start(self, action: Action) -> None:
        condition = str(action.condition)
        try:
            self._record(action.handler, action.condition, action.do, "begins")
        except OSError as error:
            self._doing.say(f"{action.do} is not done, for it cannot be recorded: {error.strerror or error}")
            self._finished(action, ok=False, text="it could not be recorded")
            return
        if action.handler.dry_run:
            self._doing.say(f"dry run: {action.handler.name} would {action.do}: {condition}")
            self._finished(action, ok=True, text=f"dry run: {action.do} was not done")
            return
        self._doing.say(f"{action.handler.name}: {action.do}: {condition}")
        task = asyncio.create_task(self._carry_out(action))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, action: Action) -> None:
        try:
            text = await self._doing.carry_out(action)
        except FourninesError as error:
            why = ": ".join(filter(None, (error.what, error.where, error.why)))
            self._finished(action, ok=False, text=why)
        except Exception as error:  # a mistake in this program must not act again and again
            self._finished(action, ok=False, text=f"{type(error).__name__}: {error}")
        else:
            self._finished(action, ok=True, text=text)

    def _finished(self, action: Action, *, ok: bool, text: str) -> None:
        outcome = "dry run" if action.handler.dry_run else "ok" if ok else "failed"
        self._keep(action.handler, action.condition, action.do, outcome, text)
        for remark in self._decider.finished(action.id, self._doing.wall(), ok=ok, text=text):
            self._remark(remark)
        self._save()

    def _remark(self, remark: Remark) -> None:
        self._keep(remark.handler, remark.condition, "", "remark", remark.text)

    def _keep(self, handler: Handler, condition: Condition, do: str, outcome: str, text: str) -> None:
        self._doing.say(f"{handler.name}: {condition}: {text}")
        self._doing.note(handler.name, f"{condition}: {text}")
        try:
            self._record(handler, condition, do, outcome, text)
        except OSError as error:
            self._doing.say(f"{self._directory / ACTIONS} cannot be written: {error.strerror or error}")

    def _record(self, handler: Handler, condition: Condition, do: str, outcome: str, text: str = "") -> None:
        """Raises OSError."""
        path = self._directory / ACTIONS
        if path.exists() and path.stat().st_size > MOST_BYTES:
            path.replace(self._directory / OLDER)
        line = {
            "at": round(self._doing.wall(), 3),
            "handler": handler.name,
            "condition": asdict(condition),
            "do": do,
            "outcome": outcome,
            "text": text,
        }
        append(path, line, sync=True)

    # Over a restart

    def _restore(self) -> None:
        """One that cannot be read is said: what was stopped may then act again."""
        path = self._directory / STATE
        try:
            self._decider.restore(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._doing.say(f"{path} cannot be read, handlers begin anew: {type(error).__name__}")

    def _save(self) -> None:
        state = self._decider.state()
        if state == self._saved:
            return
        try:
            replace_file(self._directory / STATE, state)
            self._saved = state
        except OSError as error:
            self._doing.say(f"{self._directory / STATE} cannot be written: {error.strerror or error}")

    def _resume(self) -> None:
        for path in (self._directory / RESUME).glob("*"):
            path.unlink(missing_ok=True)
            count = self._decider.resume(path.name)
            self._doing.say(f"{path.name} is resumed; it had been stopped {count} times")


def ask_to_resume(directory: Path, handler: str) -> None:
    """The watch that runs, or the next one, does it. Raises OSError."""
    folder = directory / RESUME
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / handler).touch()


def last(directory: Path, count: int) -> list[dict[str, Any]]:
    """The newest lines of the record, the newest first."""
    lines = [*read(directory / OLDER), *read(directory / ACTIONS)]
    return lines[::-1][:count]


def stopped(directory: Path) -> list[tuple[str, str, str]]:
    """Handler, condition, and why nothing more is done about it."""
    try:
        return [(name, str(Condition(**condition)), why) for name, condition, why in kept(directory)["stopped"]]
    except (ValueError, KeyError, TypeError):
        return []


def kept(directory: Path) -> dict[str, Any]:
    """What outlives the watch, as `Decider.state` gave it; {} where there is nothing that can be read."""
    try:
        said: Any = json.loads((directory / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast(dict[str, Any], said) if isinstance(said, dict) else {}
