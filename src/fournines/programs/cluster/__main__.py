from __future__ import annotations

import sys

from . import __doc__ as usage
from .power import power
from .running import apply, health


def main(words: list[str]) -> None:
    match words:
        case ["apply"]:
            apply()
        case ["health", *later]:
            health(later)
        case ["power", "status" | "on" | "off" as action, host]:
            power(action, host)
        case _:
            sys.exit(usage)


if __name__ == "__main__":
    main(sys.argv[1:])
