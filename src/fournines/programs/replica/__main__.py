from __future__ import annotations

import sys
import uuid

from . import __doc__ as usage
from . import crm, rebuild, server
from .agent import SUCCESS, UNIMPLEMENTED, Agent
from .metadata import METADATA
from .record import Record
from .settings import Settings, load


def main(words: list[str]) -> int:
    match words:
        case ["meta-data"]:
            print(METADATA)
        case ["validate-all"]:
            load()
        case ["start" | "stop" | "monitor" | "promote" | "demote" | "notify" as action]:
            return int(getattr(Agent(load()), action)())
        case ["rebuild"]:
            rebuild.build(load())
        case ["send", host]:
            rebuild.send(load(), host)
        case ["accept-loss"]:
            accept_loss(load())
        case [_]:
            return UNIMPLEMENTED
        case _:
            sys.exit(usage)
    return SUCCESS


def accept_loss(settings: Settings) -> None:
    """This host's data are what the database goes on with. The cluster promotes it by that."""
    known, answer = crm.read(), server.look()
    if not answer.lineage:
        sys.exit(f"{settings.host} has no copy of the database: nothing would be left")
    term = max(known.term if known else 0, answer.term) + 1
    crm.write(Record(term, settings.host, answer.lineage or uuid.uuid4().hex))
    print(
        f"{settings.host} is promoted within seconds, at {answer.applied}; what others have beyond that is kept aside"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
