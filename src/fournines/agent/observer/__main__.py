"""`python3 -m agent.observer [observer.json]`."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from .config import PATH, load
from .observer import Observer


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)  # the journal adds the rest
    try:
        config = load(Path(sys.argv[1]) if len(sys.argv) > 1 else PATH)
    except (OSError, ValueError) as error:
        sys.exit(f"observer: {PATH}: {error}")
    logging.info("observer of %s (%s)", config.host, config.region)
    asyncio.run(Observer(config).run())


if __name__ == "__main__":
    main()
