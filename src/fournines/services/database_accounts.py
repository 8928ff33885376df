"""Databases and accounts that services ask for (`capabilities.UsesDatabase`), and what makes them so in MariaDB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fournines.cloud.model import Cloud
from fournines.services import database_tls
from fournines.services.capabilities import UsesDatabase, present
from fournines.services.render import template
from fournines.services.rotation import Rotation, TwoValid


def asked(cloud: Cloud, region: str) -> Mapping[str, tuple[str, ...]]:
    """Account -> its databases, of all that the services of `region` ask for."""
    entries = (entry for s in present(cloud, region) if isinstance(s, UsesDatabase) for entry in s.databases)
    found: dict[str, tuple[str, ...]] = {}
    for name, _, owner in (entry.partition(":") for entry in entries):
        found[owner or name] = (*found.get(owner or name, ()), name)
    return found


def passwords(cloud: Cloud) -> Iterable[str]:
    """Names of the secrets."""
    return (f"{name}.database" for region in cloud.regions for name in asked(cloud, region))


ROTATIONS: Mapping[str, Rotation] = {
    "database": TwoValid("the passwords of the services' accounts in the database", passwords)
}


@dataclass(frozen=True)
class Wanted:
    """Both for the database's root, by its local socket. check: POSIX sh that prints `ok` where all is there, else the
    accounts that differ: one client, for each that a probe starts costs the host more than its question. statements:
    SQL that makes it so; it holds hashes of passwords."""

    check: str
    statements: str = field(repr=False)


def wanted(cloud: Cloud, region: str) -> Wanted:
    network = cloud.regions[region].networks["management"].cidr
    values = {
        "accounts": [
            {"name": name, "databases": databases, "digests": digests(cloud, f"{name}.database")}
            for name, databases in asked(cloud, region).items()
        ],
        "host": f"{network.network_address}/{network.netmask}",
        "transport": database_tls.transport(cloud),
    }
    return Wanted(template("mariadb/accounts-check.sh.j2", **values), template("mariadb/accounts.sql.j2", **values))


def digests(cloud: Cloud, secret: str) -> list[str]:
    """Of the password in use and, in the middle of a rotation, of the other one. In an order that does not change when
    the two change places."""
    return sorted(_digest(p) for p in (cloud.secrets.get(secret), cloud.secrets.other(secret)) if p is not None)


def _digest(password: str) -> str:
    """mysql_native_password's hash, SHA1(SHA1(password)): of 192 random bits, safe to compare by."""
    once = hashlib.sha1(password.encode(), usedforsecurity=False)  # MariaDB's choice, not ours
    return "*" + hashlib.sha1(once.digest(), usedforsecurity=False).hexdigest().upper()
