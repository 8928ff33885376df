"""`python3 -m agent [agent.json]`."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from . import system
from .agent import Agent
from .config import PATH, load


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)  # the journal adds the rest
    try:
        config = load(Path(sys.argv[1]) if len(sys.argv) > 1 else PATH)
    except (OSError, ValueError) as error:
        sys.exit(f"agent: {PATH}: {error}")
    logging.info("agent of %s (%s), %s", config.host, config.region, system.prefer())
    asyncio.run(Agent(config).run())


if __name__ == "__main__":
    main()
