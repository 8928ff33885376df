"""Everybody comes back at once."""

from __future__ import annotations

from fournines.prove.faults.service import UnitFault
from fournines.prove.faults.strike import Scripted, Strike, not_seen


class Reconnect(Scripted, UnitFault):
    """By the kernel (SOCK_DESTROY): each side's socket is aborted, the daemon itself is untouched."""

    name = "balancer.reconnect"
    what = "every connection of the load balancer, to clients and to backends, is cut at one instant: all reconnect"
    until = "they have reconnected"
    seen = "no connection from before is left"
    duration = 0.0
    carrier = "haproxy"
    costs = "kill"
    each = ("vip",)

    @property
    def _pids(self) -> str:
        return (
            f"group=$(systemctl show -p ControlGroup --value {self.unit})\n"
            "pids=$(cat /sys/fs/cgroup$group/cgroup.procs | tr '\\n' '|')0\n"
        )

    @property
    def _ours(self) -> str:
        return 'ss -Htnpe state established | grep -E "pid=($pids),"'

    async def look(self) -> None:
        await UnitFault.look(self)
        self.sockets = {host: await self._sockets(host) for host in self.hosts}
        for host, found in self.sockets.items():
            if not found:
                raise not_seen("there is nothing to strike", host, f"{self.unit} has no connection")

    async def _sockets(self, host: str) -> set[str]:
        """Addresses of both ends with the socket's inode, which no later one of the same ends has."""
        body = f"{self._pids}{self._ours} | sed -E 's/^ *[0-9]+ +[0-9]+ +(\\S+) +(\\S+) .*ino:([0-9]+).*/\\1 \\2 \\3/'"
        return set((await self.script(host, "look", body + " || true")).splitlines())

    async def strike_host(self, host: str) -> None:
        each = 'printf "%s( src %s dst %s )", n++ ? " or " : "", $3, $4'
        body = (
            f"{self._pids}filter=$({self._ours} | awk '{{{each}}}')\n"
            'ss -K state established "$filter" > /dev/null 2>&1; true'
        )
        await self.script(host, "strike", body)

    async def verify_host(self, host: str) -> str:
        left = self.sockets[host] & await self._sockets(host)
        if left:
            raise not_seen("connections survive", host, f"{len(left)} of {len(self.sockets[host])}")
        return f"{host}: {len(self.sockets[host])} connections cut"


FAMILY: tuple[type[Strike], ...] = (Reconnect,)
