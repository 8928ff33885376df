"""Faults of the database's load: clients that misbehave, a member that is slow, a transfer that breaks off."""

from __future__ import annotations

import asyncio
import json
from typing import ClassVar

from fournines.errors import FourninesError, ProveError
from fournines.programs import source
from fournines.prove.faults.data import DIRECTORIES
from fournines.prove.faults.powers import Powers
from fournines.prove.faults.service import UnitFault
from fournines.prove.faults.strike import Scripted, Strike, not_seen, until
from fournines.prove.model import Fault

SOCKET = "/run/mysqld/mysqld.sock"
SCHEMA = "probe"  # the campaign's own
DATADIR = DIRECTORIES["mariadb"]


def program(name: str) -> str:
    return source(f"{name}.py")


class Client(Scripted):
    """A client that misbehaves, in a unit of its own on the struck host: it ends with the unit, and the unit with its
    time."""

    carrier = "mariadb"
    costs = "freeze"
    within: ClassVar[float] = 15.0
    connections: ClassVar[int] = 1
    first: ClassVar[tuple[str, ...]] = ()
    again: ClassVar[tuple[str, ...]] = ()

    @property
    def unit_name(self) -> str:
        return f"fournines-{self.name.replace('.', '-').replace('_', '-')}.service"

    def connect(self, host: str) -> dict[str, object]:
        return {"unix_socket": SOCKET, "user": "root", "autocommit": True, "database": SCHEMA}

    async def start_client(self, host: str) -> None:
        settings = {
            "connect": self.connect(host),
            "connections": self.connections,
            "first": self.first,
            "again": self.again,
            "every": 0.01,
        }
        place = f"/run/fournines-{self.name}"
        body = (
            f"umask 077; IFS= read -r settings; printf '%s' \"$settings\" > {place}.json; cat > {place}.py\n"
            f"systemd-run --quiet --collect --unit={self.unit_name} -p LimitNOFILE=65536 "
            f"-p RuntimeMaxSec={self.fault.duration + 120:g} python3 {place}.py {place}.json"
        )
        await self.script(host, "strike", body, stdin=f"{json.dumps(settings)}\n{program('database_client')}")

    async def strike_host(self, host: str) -> None:
        await self.start_client(host)

    async def heal_host(self, host: str) -> None:
        body = f"systemctl stop {self.unit_name} 2>/dev/null || true\nrm -f /run/fournines-{self.name}.*"
        await self.script(host, "heal", body)

    async def sql(self, host: str, statement: str, act: str = "look") -> str:
        return (await self.script(host, act, f"mariadb -N -e {json.dumps(statement)} 2>&1")).strip()

    async def status(self, host: str, *names: str) -> int:
        """Sum of these counters."""
        listed = ", ".join(f"'{name}'" for name in names)
        said = await self.sql(host, f"SHOW GLOBAL STATUS WHERE variable_name IN ({listed})")
        return sum(int(float(line.split()[1])) for line in said.splitlines())


class Connections(Client):
    name = "database.connections"
    what = "one client takes every connection that the database gives (max_connections), and each that becomes free"
    until = "it ends after 20 s"
    seen = "the database refuses a connection as one too many"
    connections = 0
    within = 60.0  # hundreds of sessions with TLS, on a machine that may be busy
    each = ("writer",)

    def connect(self, host: str) -> dict[str, object]:
        user, password, ca = self.by.account
        trust = {"ssl": {"ca": ca}} if ca else {}
        return {"host": self.by.addresses[host], "user": user, "password": password, "connect_timeout": 5, **trust}

    async def verify_host(self, host: str) -> str:
        async def refused() -> bool:
            body = f"mariadb -h {self.by.addresses[host]} -u nobody --connect-timeout=2 -e 'SELECT 1' 2>&1 || true"
            return "Too many connections" in await self.script(host, "look", body)

        if not await until(refused, self.within):
            raise not_seen("the database still gives connections", host, f"after {self.within:g} s")
        return f"{host}: too many connections"


class FlowControl(Client):
    name = "database.flow_control"
    what = (
        "one member's appliers wait for a table that a session holds locked, as during a backup: Galera's flow control"
    )
    until = "the lock is gone after 20 s"
    seen = "the member has told the others to pause (wsrep_flow_control_sent)"
    first = (f"LOCK TABLES {SCHEMA}.probe READ",)
    each = ("one",)

    async def look(self) -> None:
        self.before = {host: await self.status(host, "wsrep_flow_control_sent") for host in self.hosts}

    async def verify_host(self, host: str) -> str:
        async def paused() -> bool:
            return await self.status(host, "wsrep_flow_control_sent") > self.before[host]

        if not await until(paused, self.within):
            raise not_seen("the member has not asked for a pause", host, f"after {self.within:g} s")
        return f"{host}: it has asked the others to pause"


class Conflicts(Client):
    """Struck with its partner: a conflict takes two members that write the same row at the same time."""

    name = "database.conflicts"
    what = "two members write the same row all the time, so that transactions fail certification"
    until = "both end after 20 s"
    seen = "the count of transactions that failed certification or were aborted grows"
    connections = 2
    again = ("UPDATE probe.conflict SET n = n + 1",)
    each = ("writer",)

    def __init__(self, by: Powers, fault: Fault, hosts: tuple[str, ...]) -> None:
        others = [h for h in by.carriers.get(self.carrier, ()) if h not in hosts]
        super().__init__(by, fault, (*hosts, *others[:1]))
        self.first_host = hosts[0]

    async def prepare(self) -> None:
        for statement in (
            "CREATE OR REPLACE TABLE probe.conflict (n BIGINT NOT NULL) ENGINE=InnoDB",
            "INSERT INTO probe.conflict VALUES (0)",
        ):
            await self.sql(self.first_host, statement, "prepare")

    async def look(self) -> None:
        self.before = await self._conflicts()

    async def _conflicts(self) -> int:
        names = ("wsrep_local_cert_failures", "wsrep_local_bf_aborts")
        return sum([await self.status(host, *names) for host in self.hosts])

    async def verify(self) -> tuple[str, ...]:
        async def grows() -> bool:
            return await self._conflicts() > self.before

        if not await until(grows, self.within):
            raise not_seen("no transaction conflicts", ", ".join(self.hosts), f"after {self.within:g} s")
        return (f"{self.first_host}: {await self._conflicts() - self.before} transactions conflicted so far",)

    async def verify_host(self, host: str) -> str:
        raise NotImplementedError

    async def hold(self) -> tuple[str, ...]:
        await asyncio.sleep(self.fault.duration)
        return (f"{self.first_host}: {await self._conflicts() - self.before} transactions conflicted",)

    async def heal(self) -> tuple[str, ...]:
        unhealed = await super().heal()
        try:
            await self.sql(self.first_host, "DROP TABLE IF EXISTS probe.conflict", "heal")
        except FourninesError as error:
            return (*unhealed, f"{self.first_host}: {error.what}: {error.why}")
        return unhealed


class KilledInTransaction(Client, UnitFault):
    name = "database.writer_killed_in_transaction"
    what = "SIGKILL to the database in the middle of a transaction that has written 5,000 rows and is not committed"
    until = "systemd restarts it"
    seen = "the transaction was open; none of the unit's processes from before is left in its cgroup"
    duration = 0.0
    costs = "kill"
    ROWS: ClassVar[int] = 5000
    first = ("BEGIN", "INSERT INTO probe.half SELECT seq FROM seq_1_to_5000")
    each = ("writer",)

    async def prepare(self) -> None:
        for host in self.hosts:
            await self.sql(host, "CREATE OR REPLACE TABLE probe.half (n INT PRIMARY KEY) ENGINE=InnoDB", "prepare")
            await self.start_client(host)

    async def look(self) -> None:
        await UnitFault.look(self)
        for host in self.hosts:

            async def is_open(host: str = host) -> bool:
                said = await self.sql(host, "SELECT MAX(trx_rows_modified) FROM information_schema.innodb_trx")
                return said.isdigit() and int(said) >= self.ROWS

            if not await until(is_open, self.within):
                raise not_seen("there is no open transaction", host, f"after {self.within:g} s")

    async def strike_host(self, host: str) -> None:
        await self.signal(host, "KILL")

    async def verify_host(self, host: str) -> str:
        return f"{await self.gone(host)}, a transaction of {self.ROWS} rows open"

    async def hold(self) -> tuple[str, ...]:
        """What was not committed is nowhere."""
        others = [h for h in self.by.carriers.get(self.carrier, ()) if h not in self.hosts]
        count = "SELECT COUNT(*) FROM probe.half"
        return tuple([f"{h}: {await self.sql(h, count)} rows of it" for h in others])

    async def heal_host(self, host: str) -> None:
        await super().heal_host(host)
        others = [h for h in self.by.carriers.get(self.carrier, ()) if h != host] or [host]
        await self.sql(others[0], "DROP TABLE IF EXISTS probe.half", "heal")


class DonorLost(Scripted, UnitFault):
    """The struck host loses its state, so that it asks for all of it; whoever gives it is killed."""

    name = "database.donor_lost"
    what = "a member without state asks for all of it (SST), and SIGKILL ends the member that gives it meanwhile"
    until = "systemd restarts the donor, and the member asks another one"
    seen = "a member was donor; none of its unit's processes from then is left in its cgroup"
    duration = 0.0
    carrier = "mariadb"
    costs = "kill"
    each = ("one",)
    gone_within = 5.0
    DONOR_WITHIN_S: ClassVar[float] = 60.0

    async def look(self) -> None:
        self.others = [h for h in self.by.carriers.get(self.carrier, ()) if h not in self.hosts]
        if len(self.hosts) != 1 or len(self.others) < 2:
            raise ProveError("a lost donor needs one member that joins and two others", where=", ".join(self.hosts))
        await UnitFault.look(self)

    async def strike_host(self, host: str) -> None:
        body = (
            f"systemctl stop {self.unit}\nrm -f {DATADIR}/grastate.dat {DATADIR}/gvwstate.dat\n"
            f"systemctl start --no-block {self.unit}"
        )
        await self.script(host, "strike", body, timeout=150.0)
        self.donor = ""

        async def gives() -> bool:
            for other in self.others:
                body = "mariadb -N -e \"SHOW STATUS LIKE 'wsrep_local_state_comment'\" 2>&1 || true"
                if "Donor" in await self.script(other, "look", body):
                    self.donor = other
            return bool(self.donor)

        if not await until(gives, self.DONOR_WITHIN_S):
            raise not_seen("no member became donor", host, f"within {self.DONOR_WITHIN_S:g} s")
        self.before = {self.donor: await self.processes(self.donor)}
        await self.signal(self.donor, "KILL")

    async def verify_host(self, host: str) -> str:
        return f"{host}: its donor {await self.gone(self.donor)}"

    async def heal_host(self, host: str) -> None:
        await self.start(host)


FAMILY: tuple[type[Strike], ...] = (Connections, FlowControl, Conflicts, KilledInTransaction, DonorLost)
