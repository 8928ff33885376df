"""`python3 -m agent.guard [guard.json]`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

from .. import process
from .config import PATH, load
from .guard import Guard
from .heartbeat import PROTOCOL
from .journal import open_journal, say


def main() -> None:
    try:
        config = load(Path(sys.argv[1]) if len(sys.argv) > 1 else PATH)
    except (OSError, ValueError) as error:
        sys.exit(f"guard: {PATH}: {error}")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # What a test of two versions side by side sets; a guard of the next version says its own number.
    protocol = int(os.environ.get("FOURNINES_GUARD_PROTOCOL", PROTOCOL))
    guard = Guard(config, protocol)
    voters = ", ".join(config.voters)
    say(f"guard of {config.host}, protocol {protocol}, {process.prefer()}, {process.lock_memory()}; voters: {voters}")
    open_journal()
    gc.collect()
    gc.freeze()
    gc.disable()  # nothing here makes cycles, and a collection is a stall
    guard.run()


if __name__ == "__main__":
    main()
