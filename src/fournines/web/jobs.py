"""Jobs: long work in processes of its own, kept in the cloud's state folder, found again after a restart."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fournines.engine.lock import holder
from fournines.errors import FourninesError, LockedError
from fournines.web.arguments import Arguments
from fournines.web.kinds import Kind
from fournines.web.models import Job
from fournines.web.process import runs
from fournines.web.work import EVENTS, ORDER, PROCESS, RESULT

#: Older ones are removed.
KEPT = 200
#: Seconds that a new process has to say who it is.
STARTING = 30.0
OUTPUT = "output"
#: Where backups are kept unless the server is told otherwise, in the cloud's state folder.
BACKUPS = "backups"


class NoSuchJobError(FourninesError):
    pass


def spawn(directory: Path) -> subprocess.Popen[bytes]:
    """The process that does the job, in a session of its own: what ends the server does not end it."""
    with (directory / OUTPUT).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "fournines.web.work", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Jobs:
    """`state`: the cloud's state folder. `start_process`: starts what does the job in a directory."""

    def __init__(
        self,
        state: Path,
        cloud: Path,
        start_process: Callable[[Path], subprocess.Popen[bytes]] = spawn,
        backups: Path | None = None,
    ) -> None:
        self._state = state
        self._cloud = cloud
        self._directory = state / "jobs"
        self.backups = backups or state / BACKUPS
        self._start = start_process
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._ended: dict[str, Job] = {}

    def start(self, kind: Kind, arguments: Arguments, by: str) -> Job:
        """Raises LockedError, which says who holds the cloud, for work that needs its lock."""
        if kind.locks and (who := self.lock()):
            raise LockedError(
                "another run holds this cloud",
                where=str(self._state / "lock"),
                why=who,
                next="wait for it to end, or cancel it",
            )
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        directory = self._directory / f"{stamp}-{kind.name}-{secrets.token_hex(3)}"
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
        order = {
            "kind": kind.name,
            "cloud": str(self._cloud),
            "arguments": arguments.model_dump(),
            "by": by,
            "began": time.time(),
            "backups": str(self.backups),
        }
        (directory / ORDER).write_text(json.dumps(order))
        self._children[directory.name] = self._start(directory)
        self._prune()
        return self.get(directory.name)

    def lock(self) -> str | None:
        """Who holds the cloud; a job of ours by its name."""
        who = holder(self._state)
        if who is None:
            return None
        for job in self.all():
            if job.state == "running" and f"pid {job.pid} " in who:
                return f"job {job.id}, begun by {job.by} ({who})"
        return who

    def all(self) -> list[Job]:
        """Newest first."""
        found: list[Job] = []
        names = [path.name for path in self._directory.iterdir()] if self._directory.exists() else []
        for name in sorted(names, reverse=True):
            with contextlib.suppress(NoSuchJobError):  # it is being made, or removed
                found.append(self.get(name))
        return found

    def get(self, name: str) -> Job:
        """Raises NoSuchJobError."""
        if name not in self._ended:
            job = self._read(name)
            if job.state == "running":
                return job
            self._ended[name] = job
            if child := self._children.pop(name, None):
                child.poll()
        return self._ended[name]

    def events(self, name: str, since: int) -> tuple[Sequence[Mapping[str, Any]], int]:
        """Progress after the first `since` bytes, and how many there are now. Raises NoSuchJobError."""
        path = self._path(name) / EVENTS
        if not path.exists():
            return [], 0
        with path.open("rb") as file:
            file.seek(since)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines()], since + len(whole)

    def result(self, name: str) -> Mapping[str, Any] | None:
        """What came of it; None while it runs, or when it was interrupted. Raises NoSuchJobError."""
        return _json(self._path(name) / RESULT)

    def cancel(self, name: str) -> Job:
        """Raises NoSuchJobError. One that has ended is left as it is."""
        job = self.get(name)
        if job.state == "running" and job.pid:
            os.kill(job.pid, signal.SIGTERM)
        return job

    def _path(self, name: str) -> Path:
        path = self._directory / name
        if not name or "/" in name or name.startswith(".") or not (path / ORDER).is_file():
            raise NoSuchJobError("there is no such job", where=name, next="see the list of jobs")
        return path

    def _read(self, name: str) -> Job:
        path = self._path(name)
        order, process, result = _json(path / ORDER) or {}, _json(path / PROCESS), _json(path / RESULT)
        if result is None and not self._alive(name, process, order):
            result = _json(path / RESULT)  # it may have ended between the two looks
            if result is None:
                return self._job(name, order, process, {"state": "interrupted"})
        return self._job(name, order, process, result or {"state": "running"})

    def _alive(self, name: str, process: Mapping[str, Any] | None, order: Mapping[str, Any]) -> bool:
        child = self._children.get(name)
        if child is not None:
            return child.poll() is None
        if process is None:
            return time.time() - order.get("began", 0.0) < STARTING
        return runs(process)

    def _job(
        self, name: str, order: Mapping[str, Any], process: Mapping[str, Any] | None, result: Mapping[str, Any]
    ) -> Job:
        return Job(
            id=name,
            kind=order.get("kind", "?"),
            state=result["state"],
            by=order.get("by", "?"),
            began=order.get("began", 0.0),
            ended=result.get("ended"),
            arguments=order.get("arguments", {}),
            error=result.get("error"),
            pid=process["pid"] if process else 0,
        )

    def _prune(self) -> None:
        for name in [job.id for job in self.all()][KEPT:]:
            if self.get(name).state != "running":
                shutil.rmtree(self._directory / name, ignore_errors=True)
                self._ended.pop(name, None)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
