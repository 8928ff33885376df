"""How Python's programs on a host reach the database: by PyMySQL, which a program of ours keeps from going on without
TLS (`programs/fournines_pymysql.py`; decision 53).

In the middle of a change (`tls.internal: optional`) a server may not have its certificate any more, or not yet: only
where TLS is required is it a condition.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from fournines.cloud.model import Cloud, Region
from fournines.services import quoting, tls
from fournines.services.render import module
from fournines.services.resource import Directory, File, Package, Resource
from fournines.timing import timers

PORT = 3306
#: The program, its module, and the plugin of SQLAlchemy that it is.
NAME = "fournines_pymysql"
PACKAGES = "/usr/lib/python3/dist-packages"
_DISTRIBUTION = f"{PACKAGES}/{NAME}-1.dist-info"
_METADATA = "Metadata-Version: 2.1\nName: fournines-pymysql\nVersion: 1\n"
_ENTRY_POINTS = f"[sqlalchemy.plugins]\n{NAME} = {NAME}:Plugin\n"


def resources() -> Iterable[Resource]:
    """No triggers: what connects through it restarts when its own file first names it."""
    yield Package("python3-pymysql")
    yield File(f"{PACKAGES}/{NAME}.py", module(f"{NAME}.py"))
    yield Directory(_DISTRIBUTION)
    yield File(f"{_DISTRIBUTION}/METADATA", _METADATA)
    yield File(f"{_DISTRIBUTION}/entry_points.txt", _ENTRY_POINTS)


def trust(cloud: Cloud) -> dict[str, Any] | None:
    """`ssl` of `fournines_pymysql.connect`: the certificate must be one of the address that is connected to."""
    return {"ca": tls.CA, "required": tls.required(cloud)} if tls.encrypted(cloud) else None


def parameters(cloud: Cloud) -> list[str]:
    """The same in a URL of SQLAlchemy's."""
    asked = [f"ssl_ca={tls.CA}"] if tls.encrypted(cloud) else []
    return [*asked, f"plugin={NAME}"] if tls.required(cloud) else asked


def address(cloud: Cloud, region: Region) -> IPv4Address:
    """Where clients find the database: behind the load balancers, which know the writer; or, of one that moves between
    hosts, at the address that moves with it (decision 116)."""
    return region.vips.moving.get("database", region.vips.internal) if moves(cloud) else region.vips.internal


def moves(cloud: Cloud) -> bool:
    """Whether the cluster says which host it is on, with an address of its own."""
    return cloud.pattern.database in ("replica", "shared")


def database_url(cloud: Cloud, region: Region, name: str) -> str:
    """SQLAlchemy URL of database `name`. Holds the password."""
    t = timers(cloud)
    timeouts = {
        "connect_timeout": t.db_connect_timeout,
        "read_timeout": t.db_read_timeout,
        "write_timeout": t.db_read_timeout,
    }
    # SQLAlchemy passes these to PyMySQL as whole seconds; without one, PyMySQL waits for ever.
    limits = [f"{name}={math.ceil(seconds)}" for name, seconds in timeouts.items() if seconds]
    query = "&".join(["charset=utf8mb4", *limits, *parameters(cloud)])
    password = quoting.userinfo(cloud.secrets.get(f"{name}.database"))
    return f"mysql+pymysql://{name}:{password}@{address(cloud, region)}:{PORT}/{name}?{query}"
