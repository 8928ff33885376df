"""Lines for the journal that nobody waits for: a journald that hangs must not hang the guard."""

from __future__ import annotations

import contextlib
import os
import time

_STDERR = 2
#: Seconds before the same error is told again.
_AGAIN = 60.0
_told: dict[str, float] = {}


def open_journal() -> None:
    os.set_blocking(_STDERR, False)


def say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(_STDERR, text.encode() + b"\n")


def complain(where: str, error: Exception) -> None:
    """An error that leaves everything else going; once a minute."""
    text = f"{where}: {error or ''} ({type(error).__name__})"
    at = time.monotonic()
    if at - _told.get(text, float("-inf")) > _AGAIN:
        _told[text] = at
        say(text)
