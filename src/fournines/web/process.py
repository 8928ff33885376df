"""Whether a process that was started by somebody else still runs: its id alone is not enough, ids are used again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def started() -> Mapping[str, int]:
    """This process, for `runs`."""
    pid = os.getpid()
    return {"pid": pid, "started": _started(pid) or 0}


def runs(process: Mapping[str, Any]) -> bool:
    return _started(int(process["pid"])) == process["started"]


def _started(pid: int) -> int | None:
    """In clock ticks since the boot; None when it does not run (any more)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
