"""Who did what: one JSON line each, appended for its owner alone to read."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fournines.web.roles import Identity

FILE = "audit.jsonl"
log = logging.getLogger(__name__)


class Audit:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def note(self, what: str, who: Identity | None, address: str, outcome: str, **more: Any) -> None:
        """outcome: `ok`, or why not. What cannot be written down is in the server's log, and goes on."""
        entry: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "what": what,
            "who": who.name if who else "",
            "role": who.role if who else "",
            "how": who.how if who else "",
            "address": address,
            "outcome": outcome,
            **more,
        }
        line = json.dumps(entry) + "\n"
        try:
            with self._lock:
                file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    os.write(file, line.encode())
                finally:
                    os.close(file)
        except OSError as error:
            log.error("%s cannot be written (%s): %s", self.path, error.strerror, line.rstrip())

    def last(self, count: int) -> list[Mapping[str, Any]]:
        """Newest first."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 512 * count))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return []
        found: list[Mapping[str, Any]] = []
        for line in reversed(lines[-count:]):
            try:
                found.append(json.loads(line))
            except ValueError:  # the first one, cut
                continue
        return found
