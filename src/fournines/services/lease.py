"""A daemon of which one host's copy works at a time: its unit runs on every host, under a lease in the database.

The database, because nothing of OpenStack works without it, so that whoever cannot renew could not have worked either;
and because Galera grants a row to one of two that want it, where Valkey may forget a lock in a failover. Decision 16.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from fournines.cloud.model import Cloud, Host
from fournines.services import database_access, units
from fournines.services.render import program
from fournines.services.resource import Directory, File, Package, Resource
from fournines.services.service import Check
from fournines.timing import timers

DATABASE = "lease"
SCRIPT = "/usr/lib/fournines/lease"
DIRECTORY = "/etc/fournines/lease"


def leased(cloud: Cloud, host: Host, made: units.Daemon, name: str) -> Iterable[Resource]:
    """As `units.daemon`, under lease `name`; the service has `DATABASE` among its `databases`."""
    lease = timers(cloud).service_lease
    wanted = {
        "host": host.name,
        "lease": lease,
        "database": {
            "host": str(database_access.address(cloud, cloud.region_of(host))),
            "port": database_access.PORT,
            "user": DATABASE,
            "password": cloud.secrets.get(f"{DATABASE}.database"),
            "database": DATABASE,
            "ssl": database_access.trust(cloud),
        },
    }
    yield Package("python3-pymysql")
    yield File(SCRIPT, program("lease.py"), mode=0o755, triggers=(f"restart:{made.unit}",))
    yield Directory(DIRECTORY)
    yield File(
        f"{DIRECTORY}/{name}.json",
        json.dumps(wanted, indent=2) + "\n",
        mode=0o640,
        group=made.user,
        secret=True,
        triggers=(f"restart:{made.unit}",),
    )
    command = f"{SCRIPT} {name} -- {made.command}"
    # What is said to systemd lags behind what was sent to the database by up to a sixth of the lease.
    yield from units.daemon(cloud, replace(made, command=command, watchdog=0.75 * lease))


def held(host: Host, unit: str, name: str) -> Check:
    """Some host works under lease `name`; asked on one of them."""
    return Check(f"one host runs {name}", host.name, f"{SCRIPT} {name} --holder", within=120, unit=unit)
