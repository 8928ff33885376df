"""Hosts as a fault meets them: three, whose units, power and ports are values that strikes change and `verify` reads.

The Transport understands what the faults send and no more: an unknown script is an error, so that a fault whose command
changes has to say so here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fournines.engine.transport import Completed
from fournines.errors import HostError
from fournines.prove.faults.powers import Drop, Powers, Process
from fournines.prove.reach import Reach

HOSTS = ("a", "b", "c")
UNITS = {
    "keystone": "keystone.service",
    "mariadb": "mariadb.service",
    "rabbitmq": "rabbitmq-server.service",
    "haproxy": "haproxy.service",
    "guard": "fournines-guard.service",
    "observer": "fournines-observer.service",
}


@dataclass
class Unit:
    """`pids` of its processes, all in `state`. `lasting`: whether what systemd starts stays alive."""

    pids: list[int]
    state: str = "S"
    lasting: bool = True
    environment: dict[str, str] = field(default_factory=dict[str, str])
    limited: bool = False

    def picture(self) -> tuple[object, ...]:
        return self.state, self.lasting, bool(self.pids), dict(self.environment), self.limited


@dataclass
class Machine:
    units: dict[str, Unit]
    boot: int = 1
    on: bool = True
    frozen: bool = False
    cut: bool = False
    drops: tuple[Drop, ...] = ()
    delay: float = 0.0
    spare: int | None = None
    run_full: bool = False
    #: Names of scripted faults that are struck; how often one struck.
    scripted: set[str] = field(default_factory=set[str])
    name: str = ""
    changed: int = 0
    packages: int = 1
    pending: bool = True
    disk: int = 1


class Struck:
    """`inert`: hosts that take every strike and do not change. `unreachable`: hosts whose transport fails."""

    def __init__(self, *, inert: Sequence[str] = (), unreachable: Sequence[str] = ()) -> None:
        self._pid = 100
        self.inert = set(inert)
        self.unreachable = set(unreachable)
        self.scripts: list[tuple[str, str]] = []
        self.order: list[str] = []
        self.servers = 0
        self.machines = {
            h: Machine({u: Unit([self._next(), self._next()]) for u in UNITS.values()}, name=h) for h in HOSTS
        }

    def _next(self) -> int:
        self._pid += 1
        return self._pid

    def powers(self) -> Powers:
        async def connect(host: str) -> Shell:
            return Shell(host, self)

        ports = {"mariadb": (4567, 4568), "keystone": ()}
        return Powers(
            Reach(connect),
            UNITS,
            ports,
            HOSTS,
            self,
            self,
            self,
            addresses={host: f"192.0.2.{n}" for n, host in enumerate(HOSTS, 1)},
            carriers=dict.fromkeys(("mariadb", "rabbitmq", "keystone", "haproxy"), HOSTS),
            account=("probe", "secret", "/etc/fournines/tls/ca.crt"),
            expired=lambda service, host: (f"/etc/{service}.pem", "expired"),
            operations=self,
            servers=self,
        )

    def picture(self) -> dict[str, object]:
        """All that a heal must put back; process ids, boots, what was counted are not among it."""
        return {
            host: (
                m.on,
                m.frozen,
                m.cut,
                m.drops,
                m.delay,
                m.spare,
                self.servers,
                m.run_full,
                set(m.scripted),
                {name: u.picture() for name, u in m.units.items()},
            )
            for host, m in self.machines.items()
        }

    def _change(self, host: str, what: str, change: Callable[[Machine], None]) -> None:
        self.order.append(f"{what} {host}")
        if host not in self.inert:
            change(self.machines[host])

    # Operations

    async def drain(self, host: str) -> None:
        self._change(host, "drain", lambda m: m.scripted.add("drained"))

    async def undrain(self, host: str) -> None:
        self._change(host, "undrain", lambda m: m.scripted.discard("drained"))

    async def is_drained(self, host: str) -> bool:
        return "drained" in self.machines[host].scripted

    async def upgrade(self) -> None:
        for host in HOSTS:
            self._change(host, "upgrade", lambda m: setattr(m, "packages", m.packages + 1))

    async def upgrade_release(self) -> None:
        await self.upgrade()

    async def packages(self, host: str) -> str:
        return str(self.machines[host].packages)

    async def apply(self) -> None:
        for host in HOSTS:
            self._change(host, "apply", lambda m: setattr(m, "pending", False))

    async def pending(self, host: str) -> bool:
        return self.machines[host].pending

    async def take_out(self, host: str) -> None:
        self._change(host, "leave", lambda m: m.scripted.add("left"))

    async def bring_in(self, host: str) -> None:
        self._change(host, "join", lambda m: m.scripted.discard("left"))

    async def replace(self, host: str) -> None:
        self._change(host, "replace", lambda m: m.scripted.discard("empty"))

    async def carries(self, host: str) -> bool:
        return "empty" not in self.machines[host].scripted

    async def machine(self, host: str) -> str:
        return str(self.machines[host].disk) if self.machines[host].on else ""

    async def empty(self, host: str) -> None:
        def another(m: Machine) -> None:
            m.on = False
            m.disk += 1
            m.scripted.add("empty")

        self._change(host, "empty", another)

    async def is_member(self, host: str) -> bool:
        return "left" not in self.machines[host].scripted

    async def reboot(self, hosts: Sequence[str]) -> None:
        for host in hosts:
            await self.drain(host)
            await self.reset(host)
            await self.undrain(host)

    # Processes

    async def of_unit(self, host: str, unit: str) -> tuple[Process, ...]:
        found = self.machines[host].units.get(unit)
        if found is None or not self.machines[host].on:
            return ()
        if not found.lasting and found.pids:
            found.pids = [self._next()]
        return tuple(Process(pid, pid * 10, found.state) for pid in found.pids)

    async def environment(self, host: str, unit: str, name: str) -> tuple[str, ...]:
        found = self.machines[host].units[unit].environment
        return (found[name],) if name in found else ()

    async def boot(self, host: str) -> str:
        return str(self.machines[host].boot) if self.machines[host].on else ""

    # Power

    async def off(self, host: str) -> None:
        self._change(host, "off", lambda m: setattr(m, "on", False))

    async def on(self, host: str) -> None:
        def boots(m: Machine) -> None:
            m.boot += not m.on
            m.on = True

        self._change(host, "on", boots)

    async def reset(self, host: str) -> None:
        self._change(host, "reset", lambda m: setattr(m, "boot", m.boot + 1))

    async def is_on(self, host: str) -> bool:
        return self.machines[host].on

    async def freeze(self, host: str) -> None:
        self._change(host, "freeze", lambda m: setattr(m, "frozen", True))

    async def thaw(self, host: str) -> None:
        self._change(host, "thaw", lambda m: setattr(m, "frozen", False))

    async def is_frozen(self, host: str) -> bool:
        return self.machines[host].frozen

    async def limit_memory(self, host: str, spare: int | None) -> None:
        self._change(host, "memory", lambda m: setattr(m, "spare", spare))

    async def ended_for_memory(self, host: str) -> int:
        machine = self.machines[host]
        return 1 + (machine.spare is not None and "fournines-hog.service" in machine.units)

    # Servers

    async def request(self, count: int) -> None:
        self.servers = 0 if self.inert else count

    async def states(self) -> Counter[str]:
        return Counter({"BUILD": self.servers})

    async def remove(self) -> None:
        self.servers = 0

    # Network

    async def isolate(self, host: str, network: str, seconds: float) -> bool:
        self._change(host, "isolate", lambda m: setattr(m, "cut", True))
        return self.machines[host].cut

    async def join(self, host: str, network: str) -> float | None:
        was = self.machines[host].cut
        self._change(host, "join", lambda m: setattr(m, "cut", False))
        return 0.5 if was else None

    async def is_cut(self, host: str, network: str) -> bool:
        return self.machines[host].cut

    async def drop(self, host: str, network: str, drops: Sequence[Drop]) -> None:
        self._change(host, "drop", lambda m: setattr(m, "drops", tuple(drops)))

    async def pass_all(self, host: str, network: str) -> None:
        def passes(m: Machine) -> None:
            m.drops, m.delay = (), 0.0

        self._change(host, "pass", passes)

    async def delay(self, host: str, network: str, seconds: float) -> None:
        self._change(host, "delay", lambda m: setattr(m, "delay", seconds))

    async def late(self, host: str, network: str) -> int:
        return 7 if self.machines[host].delay else 0

    async def dropped(self, host: str, network: str) -> int:
        return 7 if self.machines[host].drops else 0

    # The host's shell

    def run(self, host: str, script: str) -> Completed:
        if host in self.unreachable or not self.machines[host].on or self.machines[host].cut:
            raise HostError("does not answer", where=host)
        self.scripts.append((host, script))
        machine = self.machines[host]
        if begun := re.match(r": (\S+) (\S+)\n", script):
            return self._scripted(host, machine, begun[1], begun[2], script)
        if "fournines-full" in script:
            return Completed(0, "No space left on device" if machine.run_full else "64k copied", "")
        if 'echo "$(now) $has"' in script:
            unit = machine.units[_group(r"unit=(\S+)", script)]
            return Completed(0, "12 12\n" if unit.limited else "1024 12\n", "")
        self._change(host, "shell", lambda m: self._act(m, script))
        return Completed(0, "", "")

    def _scripted(self, host: str, machine: Machine, name: str, act: str, script: str) -> Completed:
        if act == "look":
            return Completed(0, looks(name, script, machine, struck=name in machine.scripted), "")

        def change(m: Machine) -> None:
            m.changed += 1
            if act == "heal":
                m.scripted.discard(name)
            elif act == "strike" and name not in LASTS_NOT:
                m.scripted.add(name)
            for unit in m.units if act in ("strike", "heal") else ():
                if re.search(rf"systemctl (kill|stop|restart|start)\b[^\n;]*{re.escape(unit)}", script):
                    known = m.units[unit]
                    known.pids = [self._next()] if act == "heal" or name not in LEAVES_DOWN else []

        self._change(host, act, change)
        return Completed(0, "", "")

    def _act(self, machine: Machine, script: str) -> None:
        if "remount,size" in script:
            machine.run_full = True
        elif 'remount,"$(cat' in script:
            machine.run_full = False
        elif "systemd-run" in script:
            machine.units[_group(r"--unit=(\S+)", script)] = Unit([self._next(), self._next()], state="R")
        elif stopped := re.match(r"systemctl stop (fournines-(?:burn|hog)\.service)", script):
            machine.units.pop(stopped[1], None)
        elif "reboot" in script:
            machine.on = False
        elif "prlimit" in script:
            machine.units[_group(r"unit=(\S+)", script)].limited = 'limit "$has"' in script
        else:
            self._unit(machine.units, script)

    def _unit(self, units: dict[str, Unit], script: str) -> None:
        """Drop-ins, then what systemctl is told."""
        known = next(name for name in sorted(units, key=len, reverse=True) if name in script)
        unit = units[known]
        if "ExecStart=/bin/false" in script:
            unit.lasting = False
        elif "crash-loop" in script and "rm " in script:
            unit.lasting = True
        if "FOURNINES_GUARD_PROTOCOL" in script:
            unit.environment["FOURNINES_GUARD_PROTOCOL"] = _group(r"PROTOCOL=(\d+)", script)
        elif "[ ! -e" in script:
            if not unit.environment:
                return
            unit.environment.clear()
        verbs = re.findall(r"systemctl (kill --kill-whom=all -s \w+|stop|start|restart|daemon-reload)", script)
        match verbs[-1].split()[-1]:
            case "daemon-reload":
                pass
            case "KILL" | "restart":
                unit.pids, unit.state = [self._next()], "S"
            case "STOP":
                unit.state = "T"
            case "CONT":
                unit.state = "S"
            case "stop":
                unit.pids = []
            case "start":
                unit.pids = unit.pids or [self._next()]
            case other:
                raise AssertionError(other)


#: Scripted faults after which there is nothing to put back, and those that leave the unit without a process.
LASTS_NOT = {"data.no_grastate", "balancer.reconnect", "bus.leaders", "database.donor_lost"}
LEAVES_DOWN = {"data.permissions", "data.broken_config"}


def looks(name: str, script: str, machine: Machine, *, struck: bool) -> str:
    """What the host says of a scripted fault, as its own programs do."""
    if name == "database.writer_killed_in_transaction":
        return ("5000" if struck else "NULL") if "innodb_trx" in script else "0"
    if name == "bus.leader_after_leader":
        return '{<<"probe">>,rabbit@b},{<<"other">>,rabbit@b},{<<"third">>,rabbit@a}'
    if "du -s" in script:
        return "1048576"
    if name in ("bus.leaders", "balancer.reconnect", "data.no_grastate"):
        return f"{machine.changed}"
    if "wsrep_local_state_comment" in script:
        return "wsrep_local_state_comment\tDonor/Desynced"
    said = {
        "database.connections": ("ERROR 1040: Too many connections", "ERROR 1045: Access denied"),
        "database.flow_control": ("wsrep_flow_control_sent\t3", "wsrep_flow_control_sent\t2"),
        "database.conflicts": ("wsrep_local_cert_failures\t9\nwsrep_local_bf_aborts\t1", "wsrep_local_bf_aborts\t0"),
        "data.permissions": ("activating", "active"),
        "data.broken_config": ("other", "same"),
        "disk.full": ("No space left on device", "131072 bytes copied"),
        "disk.full_log": ("No space left on device", "131072 bytes copied"),
        "disk.full_root": ("No space left on device", "131072 bytes copied"),
        "disk.freeze": ("waits", ""),
        "disk.power_loss": ("flushed", "flushed unflushed"),
        "bus.memory_alarm": (f"[{{{{resource_limit,memory,rabbit@{machine.name}}},[]}}]", "[]"),
        "bus.disk_alarm": (f"[{{{{resource_limit,disk,rabbit@{machine.name}}},[]}}]", "[]"),
        "certificate.expired": ("expired at 192.0.2.1:3306", ""),
        "fernet.mismatch": ("other\nother", "same\nsame"),
        "database.password": ("other", "same"),
        "clock.step": ("300", "0"),
        "dns.gone": ("124", "2"),
        "conntrack.full": ("262144 262144", "20 262144"),
    }
    return said[name][0 if struck else 1]


def _group(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, text
    return found[1]


class Shell:
    """A transport to one of the hosts."""

    def __init__(self, host: str, hosts: Struck) -> None:
        self.host = host
        self._hosts = hosts

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        return self._hosts.run(self.host, script)

    async def put(self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        pass
