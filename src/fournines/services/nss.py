"""Certificates for programs that read NSS's databases alone: the same PEM as elsewhere, brought there by a program of
ours (`programs/nss_database.py`)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fournines.services import tls
from fournines.services.render import program
from fournines.services.resource import Directory, File, Package, Resource, Task

PROGRAM = "/usr/lib/fournines/nss-database"
SETTINGS = "/etc/fournines/nss"


def database(
    name: str, directory: str, nickname: str, pem: str, authorities: str, *, group: str, unit: str
) -> Iterable[Resource]:
    """`directory` with the certificate and key of `pem`, under `nickname`; trusts `authorities` (PEM). `unit`, of
    `group`, reads it when it starts."""
    from_files = f"{tls.DIRECTORY}/{name}"
    wanted = {
        "directory": directory,
        "group": group,
        "nickname": nickname,
        "pem": f"{from_files}/member.pem",
        "authorities": f"{from_files}/members.pem",
    }
    yield from (Package(package) for package in ("libnss3-tools", "openssl"))
    yield from tls.files(from_files, "root", (), member=pem, members=authorities)
    yield File(PROGRAM, program("nss_database.py"), mode=0o755)
    yield Directory(SETTINGS)
    yield File(f"{SETTINGS}/{name}.json", json.dumps(wanted, indent=2) + "\n")
    yield Task(
        name=f"certificates of {unit}",
        check=f"{PROGRAM} state {name}",
        script=f"{PROGRAM} make {name}",
        triggers=(f"restart:{unit}",),
        python=True,
    )
