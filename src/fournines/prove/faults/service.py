"""Faults of one service's processes. They are found by the unit's cgroup, never by name."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from fournines.prove.faults.powers import Process
from fournines.prove.faults.strike import PerHost, Strike, not_seen, until

#: Services that `--faults each` strikes, where the cloud has them.
CORE = ("keystone", "haproxy", "mariadb", "rabbitmq", "memcached", "keepalived", "corosync", "pacemaker")
#: The widest single event that must lose nothing: every database node killed within one second.
WIDEST = "mariadb+all"
#: A unit's own stop may drain its connections first. Seconds.
STOP_S = 150.0


class UnitFault(PerHost):
    """Of one unit: that of the fault's service, or of the service whose hosts it strikes."""

    outside = False

    #: Seconds until the unit's processes have ended; None: as soon as any strike is seen.
    gone_within: ClassVar[float | None] = None

    @property
    def unit(self) -> str:
        return self.by.units[self.fault.service or self.carrier]

    async def look(self) -> None:
        found = await asyncio.gather(*(self.by.processes.of_unit(host, self.unit) for host in self.hosts))
        self.before: dict[str, tuple[Process, ...]] = dict(zip(self.hosts, found, strict=True))
        for host, processes in self.before.items():
            if not processes:
                raise not_seen("there is nothing to strike", host, f"{self.unit} has no process")

    async def signal(self, host: str, signal: str) -> None:
        await self.run(
            host,
            f"systemctl kill --kill-whom=all -s {signal} {self.unit}",
            doing=f"cannot send SIG{signal} to {self.unit}",
        )

    async def processes(self, host: str) -> tuple[Process, ...]:
        return await self.by.processes.of_unit(host, self.unit)

    async def gone(self, host: str) -> str:
        """Evidence that all processes from before are gone."""
        old = {p.identity for p in self.before[host]}
        alive: set[tuple[int, int]] = set()

        async def none_left() -> bool:
            alive.clear()
            alive.update(old & {p.identity for p in await self.processes(host)})
            return not alive

        if not await until(none_left, self.gone_within):
            raise not_seen("processes of the unit survive", host, f"{self.unit}: {sorted(pid for pid, _ in alive)}")
        return f"{host}: {len(old)} processes of {self.unit} gone"

    @property
    def started(self) -> str:
        """Shell: begins its start. What a cluster runs it starts, perhaps elsewhere: two copies must not work."""
        if self.unit in self.by.clustered:
            return ":"
        return f"systemctl reset-failed {self.unit} 2>/dev/null; systemctl start --no-block {self.unit}"

    async def start(self, host: str) -> None:
        if self.unit in self.by.clustered:
            return
        await self.run(
            host,
            self.started,
            timeout=30.0,
            doing=f"cannot start {self.unit}",
        )


class ServiceFault(UnitFault):
    subject = "service"
    costs = "freeze"


class Kill(ServiceFault):
    name = "service.kill"
    what = "SIGKILL to every process of the service's unit"
    until = "systemd restarts it"
    seen = "none of the unit's processes from before is left in its cgroup"
    duration = 0.0
    costs = "kill"
    each = (*CORE, "guard", "observer", WIDEST)

    async def strike_host(self, host: str) -> None:
        await self.signal(host, "KILL")

    async def verify_host(self, host: str) -> str:
        return await self.gone(host)


class Freeze(ServiceFault):
    name = "service.freeze"
    what = "SIGSTOP to every process of the service's unit"
    until = "SIGCONT after 20 s"
    seen = "every process in the unit's cgroup is in state T"
    each = (*CORE, "guard", "observer")

    async def strike_host(self, host: str) -> None:
        await self.signal(host, "STOP")

    async def verify_host(self, host: str) -> str:
        running: list[int] = []

        async def all_stopped() -> bool:
            found = await self.processes(host)
            running[:] = [p.pid for p in found if p.state != "T"]
            return bool(found) and not running

        if not await until(all_stopped):
            why = f"{self.unit}: {running or 'no process at all'}"
            raise not_seen("processes of the unit still run", host, why)
        return f"{host}: all processes of {self.unit} stopped"

    async def heal_host(self, host: str) -> None:
        await self.signal(host, "CONT")


class Stop(ServiceFault):
    name = "service.stop"
    what = "the unit is stopped, as an operator would (`systemctl stop`)"
    until = "it is started after 20 s"
    seen = "no process is left in the unit's cgroup"
    costs = "kill"
    each = ("keystone", "haproxy")

    async def strike_host(self, host: str) -> None:
        await self.run(host, f"systemctl stop {self.unit}", timeout=STOP_S, doing=f"cannot stop {self.unit}")

    async def verify_host(self, host: str) -> str:
        async def empty() -> bool:
            return not await self.processes(host)

        if not await until(empty):
            raise not_seen("the unit still has processes", host, self.unit)
        return f"{host}: {self.unit} has no process"

    async def heal_host(self, host: str) -> None:
        await self.start(host)


class CrashLoop(ServiceFault):
    """The drop-in is below /run: a host that loses power meanwhile comes back without it."""

    name = "service.crash_loop"
    what = "the unit's program is replaced by one that fails at once, then it is killed: as after a bad update"
    until = "it is as it was, and started, after 20 s"
    seen = "no process from before is left, and none that systemd started since lives on"
    costs = "kill"
    each = ("keystone", "guard", "observer")
    #: A process that lives so long has not crashed. Seconds.
    LIVES_S: ClassVar[float] = 1.0

    @property
    def drop_in(self) -> str:
        return f"/run/systemd/system/{self.unit}.d/99-fournines-crash-loop.conf"

    async def prepare(self) -> None:
        await self.everywhere(self._replace)

    async def _replace(self, host: str) -> None:
        await self.run(
            host,
            f"mkdir -p {self.drop_in.rpartition('/')[0]} && "
            f"printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > {self.drop_in} && systemctl daemon-reload",
            timeout=30.0,
            doing=f"cannot make {self.unit} crash",
        )

    async def strike_host(self, host: str) -> None:
        await self.signal(host, "KILL")

    async def verify_host(self, host: str) -> str:
        evidence = await self.gone(host)
        first = {p.identity for p in await self.processes(host)}
        await asyncio.sleep(self.LIVES_S)
        lasting = first & {p.identity for p in await self.processes(host)}
        if lasting:
            raise not_seen("the unit runs again", host, f"{self.unit}: {sorted(pid for pid, _ in lasting)}")
        return f"{evidence}, none that lives on since"

    async def heal_host(self, host: str) -> None:
        await self.run(
            host,
            f"[ ! -e {self.drop_in} ] || {{ rm {self.drop_in} && systemctl daemon-reload; }}; {self.started}",
            timeout=30.0,
            doing=f"cannot start {self.unit}",
        )


class Limit(ServiceFault):
    """A resource limit of each process, lowered to what it uses. What it was is kept in a file on the host, so that any
    process can put it back; a process that is started meanwhile has the unit's own limits."""

    #: prlimit's option; the row of /proc/PID/limits; and what prints how much of it process $pid uses.
    option: ClassVar[str]
    row: ClassVar[str]
    used: ClassVar[str]
    until = "the limits are as they were after 20 s"
    seen = "the limit that the kernel shows for every process of the unit is what it used"
    each = ("keystone", "haproxy")

    async def strike_host(self, host: str) -> None:
        await self._script(host, _LOWER, f"cannot lower the limits of {self.unit}")

    async def verify_host(self, host: str) -> str:
        said = await self._script(host, _SHOW, f"cannot see the limits of {self.unit}")
        pairs = [line.split() for line in said.splitlines()]
        above = [limit for limit, used in pairs if not limit.isdigit() or int(limit) > int(used)]
        if not pairs or above:
            raise not_seen("processes of the unit may have more", host, f"{self.unit}: {above or 'no process'}")
        return f"{host}: {len(pairs)} processes of {self.unit} at their limit"

    async def heal_host(self, host: str) -> None:
        await self._script(host, _RESTORE, f"cannot put the limits of {self.unit} back")

    async def _script(self, host: str, body: str, doing: str) -> str:
        kept = f"/run/fournines-{self.option}-{self.unit}"
        script = f"unit={self.unit} kept={kept} option={self.option} row='{self.row}'\n{_FUNCTIONS}"
        return await self.run(host, f"{script}used() {{ {self.used}; }}\n{body}", doing=doing)


class Files(Limit):
    name = "service.files"
    what = "each process of the unit may open no file or connection beyond those that it has (RLIMIT_NOFILE)"
    option = "nofile"
    row = "Max open files"
    used = "ls /proc/$pid/fd | wc -l"


class Memory(Limit):
    name = "service.memory"
    what = "each process of the unit gets no memory beyond what it has mapped (RLIMIT_AS)"
    option = "as"
    row = "Max address space"
    used = "awk '/^VmSize:/ {print $2 * 1024}' /proc/$pid/status"


#: prlimit runs as the user of process $pid: to change another user's takes CAP_SYS_RESOURCE. Only the soft limit is
#: changed: the hard one could not be raised again.
_FUNCTIONS = """
now() { awk -v row="$row" 'index($0, row) == 1 {sub(row, ""); print $1}' /proc/$pid/limits; }
started() { awk '{print $22}' /proc/$pid/stat 2>/dev/null; }
limit() {
    ids=$(awk '/^Uid:/ {u = $2} /^Gid:/ {g = $2} END {print "--reuid=" u, "--regid=" g}' /proc/$pid/status)
    setpriv $ids --clear-groups prlimit --pid "$pid" "--$option=$1:"
}
"""
_LOWER = """
group=$(systemctl show -p ControlGroup --value "$unit")
[ -n "$group" ] || exit 1
for pid in $(cat "/sys/fs/cgroup$group/cgroup.procs"); do
    was=$(now) && has=$(used) && [ -n "$has" ] || continue
    grep -q "^$pid $(started) " "$kept" 2>/dev/null || echo "$pid $(started) $was $has" >> "$kept"
    limit "$has" || exit 1
done
"""
_SHOW = """
while read -r pid start was has; do
    [ "$(started)" != "$start" ] || echo "$(now) $has"
done < "$kept"
"""
_RESTORE = """
[ -e "$kept" ] || exit 0
while read -r pid start was has; do
    [ "$(started)" != "$start" ] || limit "$was" || exit 1
done < "$kept"
rm -f "$kept"
"""

FAMILY: tuple[type[Strike], ...] = (Kill, Freeze, Stop, CrashLoop, Files, Memory)
