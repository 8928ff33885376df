"""Runs on a host, with Python's own library alone: each new state.json as one line, as soon as it is written.

A line is the host's clock, a space, and the document; without the document where it has not changed for a second, and
with `-` where there is none. The argument: the file. Ends with the connection.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

LOOK = 0.1
ALIVE = 1.0


def main() -> None:
    path, seen, told = Path(sys.argv[1]), -1, 0.0
    while True:
        try:
            changed, document = path.stat().st_mtime_ns, ""
            if changed != seen:
                document = path.read_text()
        except OSError:
            changed, document = 0, "-"
        now = time.monotonic()
        if changed != seen or now - told >= ALIVE:
            sys.stdout.write(f"{time.time():.6f} {document}\n")
            sys.stdout.flush()
            seen, told = changed, now
        time.sleep(LOOK)


if __name__ == "__main__":
    main()
