"""Copies of the database: taken, restored beside it, loaded (`programs/database_copy.py`), on each of its hosts."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fournines.cloud.model import Cloud
from fournines.services import database_accounts
from fournines.services.capabilities import FillsTables, present
from fournines.services.render import program
from fournines.services.resource import File, Resource

PROGRAM = "/usr/lib/fournines/database-copy"
SETTINGS = "/etc/fournines/database-copy.json"
#: What `prove` writes to.
PROBE = "probe"


def resources(cloud: Cloud, region: str) -> Iterable[Resource]:
    yield File(PROGRAM, program("database_copy.py"), mode=0o755)
    yield File(SETTINGS, _settings(cloud, region))


def _settings(cloud: Cloud, region: str) -> str:
    """What a copy is asked for; which databases of it are restored: all but that of `prove`."""
    wanted = database_accounts.asked(cloud, region).values()
    names = [name for databases in wanted for name in databases if name != PROBE]
    filled = [table for s in present(cloud, region) if isinstance(s, FillsTables) for table in s.filled]
    return json.dumps({"databases": names, "filled": filled}, indent=2) + "\n"
