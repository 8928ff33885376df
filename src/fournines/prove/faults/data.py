"""Faults of what services keep on disk: state that is gone, that they may not read, that they cannot understand."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from fournines.prove.faults.service import UnitFault
from fournines.prove.faults.strike import Scripted, Strike, not_seen, until

#: Service -> where its data is.
DIRECTORIES = {"mariadb": "/var/lib/mysql", "rabbitmq": "/var/lib/rabbitmq"}
#: Service -> the file that it does not start without understanding.
FILES = {
    "keystone": "/etc/keystone/keystone.conf",
    "haproxy": "/etc/haproxy/haproxy.cfg",
    "mariadb": "/etc/mysql/mariadb.conf.d/99-fournines.cnf",
    "rabbitmq": "/etc/rabbitmq/rabbitmq.conf",
}


class NoGrastate(Scripted, UnitFault):
    name = "data.no_grastate"
    what = "Galera's own record (grastate.dat) is removed, and SIGKILL ends the database"
    until = "systemd restarts it"
    seen = "none of the unit's processes from before is left in its cgroup, and the file is another one or none"
    duration = 0.0
    carrier = "mariadb"
    costs = "kill"
    each = ("one", "all")
    PATH: ClassVar[str] = f"{DIRECTORIES['mariadb']}/grastate.dat"

    async def look(self) -> None:
        await UnitFault.look(self)
        self.was = {host: await self._file(host) for host in self.hosts}

    async def _file(self, host: str) -> str:
        return (await self.script(host, "look", f"stat -c '%i %W' {self.PATH} 2>/dev/null || true")).strip()

    async def strike_host(self, host: str) -> None:
        await self.script(host, "strike", f"rm -f {self.PATH} && systemctl kill --kill-whom=all -s KILL {self.unit}")

    async def verify_host(self, host: str) -> str:
        evidence = await self.gone(host)
        if (now := await self._file(host)) and now == self.was[host]:
            raise not_seen("the file is still there", host, self.PATH)
        return f"{evidence}, grastate.dat with them"


class Unstartable(Scripted, UnitFault):
    """What is put back lies below `$kept`, also after the host lost power."""

    subject = "service"
    costs = "kill"
    gone_within = 60.0
    #: A unit that is active after so long runs. Seconds.
    RUNS_S: ClassVar[float] = 1.0

    async def verify_host(self, host: str) -> str:
        evidence = await self.gone(host)
        await asyncio.sleep(self.RUNS_S)

        async def down() -> bool:
            said = await self.script(host, "look", f"systemctl show -p ActiveState --value {self.unit}")
            return said.strip() not in ("", "active", "reloading")

        if not await until(down):
            raise not_seen("the unit runs again", host, self.unit)
        return f"{evidence}, and it does not start"


class Permissions(Unstartable):
    name = "data.permissions"
    what = "the service's data belongs to root, whom alone it lets in, and SIGKILL ends the service"
    until = "owner and mode are as they were, and it is started, after 20 s"
    seen = "none of the unit's processes from before is left, and the unit is not active"
    services = tuple(DIRECTORIES)
    each = ("mariadb+one", "rabbitmq+one")

    async def strike_host(self, host: str) -> None:
        place = DIRECTORIES[self.fault.service]
        body = (
            f'[ -e "$kept" ] || stat -c "%U:%G %a" {place} > "$kept"\n'
            f"chown root:root {place} && chmod 700 {place} && systemctl kill --kill-whom=all -s KILL {self.unit}"
        )
        await self.script(host, "strike", body)

    async def heal_host(self, host: str) -> None:
        place = DIRECTORIES[self.fault.service]
        body = (
            '[ -e "$kept" ] || exit 0\nread -r owner mode < "$kept"\n'
            f'chown "$owner" {place} && chmod "$mode" {place} && rm "$kept" || exit 1\n' + self.started
        )
        await self.script(host, "heal", body)


class BrokenConfig(Unstartable):
    name = "data.broken_config"
    what = "a line that nobody understands is added to the service's configuration by hand, and it is restarted"
    until = "the file is as it was, and the service is started, after 20 s"
    seen = "none of the unit's processes from before is left, and the file is not what it was"
    services = tuple(FILES)
    each = ("mariadb+one", "keystone", "haproxy", "rabbitmq")

    async def strike_host(self, host: str) -> None:
        path = FILES[self.fault.service]
        body = (
            f'[ -e "$kept" ] || cp -a {path} "$kept" || exit 1\n'
            f"printf '\\nthis line, was added by (hand\\n' >> {path} && systemctl restart --no-block {self.unit}"
        )
        await self.script(host, "strike", body)

    async def verify_host(self, host: str) -> str:
        """uWSGI tells systemd that it runs before it has loaded what it serves: the unit's state says nothing."""
        evidence = await self.gone(host)
        body = f'cmp -s {FILES[self.fault.service]} "$kept" && echo same || {{ [ -e "$kept" ] && echo other; }}'
        if (await self.script(host, "look", body)).strip() != "other":
            raise not_seen("the file is what it was", host, FILES[self.fault.service])
        return f"{evidence}, and {FILES[self.fault.service]} is broken"

    async def heal_host(self, host: str) -> None:
        body = (
            f'[ -e "$kept" ] || exit 0\ncp -a "$kept" {FILES[self.fault.service]} && rm "$kept" || exit 1\n'
            f"systemctl reset-failed {self.unit} 2>/dev/null; systemctl restart --no-block {self.unit}"
        )
        await self.script(host, "heal", body)


FAMILY: tuple[type[Strike], ...] = (NoGrastate, Permissions, BrokenConfig)
