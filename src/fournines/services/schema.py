"""Tables of a service's database: made and migrated once, from one host, before any of its daemons start.

One script compares all of a host's databases with what their packages bring (alembic's heads), in one go: every schema
shares one fact, so that a probe reads them once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fournines.cloud.model import Cloud, Host, Region
from fournines.services.render import program
from fournines.services.resource import Directory, Fact, File, Resource, Run, Step

SCRIPT = "/usr/lib/fournines/schema-state"
DIRECTORY = "/etc/fournines/schema"


@dataclass(frozen=True, slots=True)
class Schema:
    """Brought up to date by `script`, which is idempotent. Reply of its fact: `NAME=ok NAME=no-tables …`."""

    name: str
    script: str
    timeout: float = 600.0
    triggers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"schema:{self.name}"

    @property
    def fact(self) -> Fact:
        return Fact("python", SCRIPT)

    def diff(self, observed: str) -> str | None:
        states = {name: state for name, _, state in (word.partition("=") for word in observed.split())}
        state = states.get(self.name, "absent")
        return None if state == "ok" else f"{state} → ok"

    @property
    def settled(self) -> str:
        return f"{self.name}=ok"

    def steps(self) -> Sequence[Step]:
        return [Run(self.script, timeout=self.timeout)]


def holder(cloud: Cloud, service: str, region: Region) -> Host | None:
    """Whose packages say which tables `service` has: its first host; in the middle of a change of release the first
    that has come there, and nobody else, for an older host takes newer tables for strange ones."""
    hosts = cloud.hosts_of(service, region.name)
    new = [host for host in hosts if cloud.versions.release_of(host.name) != cloud.versions.release]
    return new[0] if new and len(new) < len(hosts) else hosts[0] if hosts else None


def mixed(cloud: Cloud, service: str, region: Region) -> bool:
    """Hosts of two releases use the tables: what the older one needs has to stay."""
    return len({cloud.versions.release_of(host.name) for host in cloud.hosts_of(service, region.name)}) > 1


def schema(
    name: str,
    *,
    config: str,
    versions: str,
    user: str,
    sync: str,
    section: str = "database",
    option: str = "connection",
    branch: str = "",
) -> Iterable[Resource]:
    """For the `holder` of a service. The database's address is `option` of `[section]` in `config`; `versions` is
    the folder of alembic's migrations below Python's packages; `sync` is a command line, run as `user`, that brings
    the tables to the heads of `branch`, a folder's name; "": of all."""
    where = {"config": config, "section": section, "option": option, "versions": versions}
    if branch:
        where["branch"] = branch
    yield Directory(DIRECTORY)
    yield File(SCRIPT, program("schema_state.py"), mode=0o755)
    yield File(f"{DIRECTORY}/{name}.json", json.dumps(where, indent=2) + "\n")
    yield Schema(name, f"runuser -u {user} -- {sync}")
