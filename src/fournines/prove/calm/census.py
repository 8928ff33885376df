"""What the daemons of a host say of themselves, in one round trip: units, Galera, and the journal since the last look.

Nothing here asks the agents. The journal is read from where the last look ended, so that a rotation costs nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fournines.cloud.model import Cloud, Host
from fournines.errors import FourninesError
from fournines.prove.reach import Reach
from fournines.services.capabilities import present
from fournines.services.resource import Resource, Unit
from fournines.services.service import Service

#: Whose journals tell of VRRP and of the lease: keepalived's own words; and the agents', beside them.
JOURNALS = ("keepalived", "fournines-guard", "fournines-fallback")
TIMEOUT_S = 20.0
_CURSOR = "-- cursor: "
_SQL = (
    "SELECT variable_name, variable_value FROM information_schema.global_status WHERE variable_name IN "
    "('wsrep_cluster_conf_id', 'wsrep_cluster_size', 'wsrep_local_state_comment', 'wsrep_evs_evict_list');"
    "SELECT 'epoch', epoch FROM fournines.writer WHERE id = 1"
)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A unit as systemd has it. `pid` 0: it has no main process."""

    pid: int
    restarts: int
    state: str


@dataclass(frozen=True, slots=True)
class Census:
    """`galera`: status variables by name, and `epoch`, the number of writer elections so far; empty where the host has
    no database, or it does not answer. `journal`: lines since the last look."""

    units: Mapping[str, Daemon]
    galera: Mapping[str, str]
    journal: tuple[str, ...] = ()
    cursor: str = ""
    why: str = ""  # the host could not be asked


@dataclass
class Counter:
    """Looks at one host again and again, and knows where its journal was left."""

    reach: Reach
    host: Host
    cloud: Cloud
    cursor: str = ""
    units: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        wanted = [r for s in present(self.cloud, self.host.region) for r in _desired(s, self.cloud, self.host)]
        self.units = tuple(r.name for r in wanted if isinstance(r, Unit) and r.name.endswith(".service"))

    async def look(self) -> Census:
        try:
            done = await self.reach.run(self.host.name, self._script(), timeout=TIMEOUT_S)
        except FourninesError as error:
            return Census({}, {}, why=": ".join(filter(None, (error.what, error.why))))
        census = parse(done.stdout)
        self.cursor = census.cursor or self.cursor
        return census

    def _script(self) -> str:
        since = f"--after-cursor={shlex.quote(self.cursor)}" if self.cursor else "-n 1"
        journals = " ".join(f"-u {name}" for name in JOURNALS)
        parts = [f"systemctl show -p Id -p MainPID -p NRestarts -p ActiveState {' '.join(self.units)}"]
        if "mariadb" in self.host.services:
            parts += ["echo; echo ==galera", f"timeout 5 mariadb -NB -e {shlex.quote(_SQL)}"]
        # The first look wants a place to begin at, which any entry is; the later ones only what these units said.
        parts += [
            "echo; echo ==journal",
            f"journalctl -q -o cat --show-cursor {since} {journals if self.cursor else ''}",
        ]
        return "\n".join(parts)


def _desired(service: Service, cloud: Cloud, host: Host) -> Iterable[Resource]:
    return service.desired(cloud, host) if service.name in host.services else ()


def parse(text: str) -> Census:
    units, _, rest = text.partition("==galera\n") if "==galera\n" in text else text.partition("==journal\n")
    galera, _, journal = rest.partition("==journal\n") if "==galera\n" in text else ("", "", rest)
    lines = journal.splitlines()
    cursor = next((line.removeprefix(_CURSOR) for line in reversed(lines) if line.startswith(_CURSOR)), "")
    return Census(
        units=dict(_units(units)),
        galera=dict(_pairs(galera)),
        journal=tuple(line for line in lines if line and not line.startswith(_CURSOR)),
        cursor=cursor,
    )


def _units(text: str) -> Iterable[tuple[str, Daemon]]:
    for block in text.split("\n\n"):
        said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in said:
            yield said["Id"], Daemon(int(said.get("MainPID", 0)), int(said.get("NRestarts", 0)), said["ActiveState"])


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        name, tab, value = line.partition("\t")
        if tab:
            yield name.lower(), value
