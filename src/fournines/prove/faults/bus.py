"""Faults of the message bus that no process's end brings about: alarms, and leaders that move."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from fournines.errors import ProveError
from fournines.prove.faults.network import Partition
from fournines.prove.faults.powers import Drop, Powers
from fournines.prove.faults.service import UnitFault
from fournines.prove.faults.strike import Scripted, Strike, not_seen, until
from fournines.prove.model import Fault

#: Between two moves of every queue's leader. Seconds.
MOVE_S = 4.0
#: The port over which brokers talk to one another.
DISTRIBUTION = 25672


class Alarm(Scripted):
    """RabbitMQ stops every publisher of the cluster while one of its nodes has an alarm."""

    carrier = "rabbitmq"
    costs = "freeze"
    each = ("one",)
    within: ClassVar[float] = 15.0
    #: Erlang that says what the limit is; what sets it so that the alarm goes off; what sets it to $was; its resource.
    limit: ClassVar[str]
    raise_: ClassVar[str]
    restore: ClassVar[str]
    resource: ClassVar[str]

    async def strike_host(self, host: str) -> None:
        body = (
            f'[ -s "$kept" ] || rabbitmqctl -q eval \'{self.limit}.\' > "$kept" || exit 1\nrabbitmqctl -q {self.raise_}'
        )
        await self.script(host, "strike", body, timeout=60)

    async def verify_host(self, host: str) -> str:
        async def alarmed() -> bool:
            said = await self.script(host, "look", "rabbitmqctl -q eval 'rabbit_alarm:get_alarms().'", timeout=60)
            return bool(re.search(rf"{{resource_limit,{self.resource},\S*@{host}\S*}}", said))

        if not await until(alarmed, self.within):
            raise not_seen("the broker has no alarm", host, self.resource)
        return f"{host}: alarm {self.resource}"

    async def heal_host(self, host: str) -> None:
        body = f'[ -s "$kept" ] || {{ rm -f "$kept"; exit 0; }}\nwas=$(cat "$kept")\n{self.restore} && rm "$kept"'
        await self.script(host, "heal", body, timeout=60)


class MemoryAlarm(Alarm):
    name = "bus.memory_alarm"
    what = "the broker has less memory than it uses (vm_memory_high_watermark): it stops all publishers"
    until = "the limit is what it was after 20 s"
    seen = "the broker says that it has an alarm of memory"
    limit = "vm_memory_monitor:get_vm_memory_high_watermark()"
    raise_ = "set_vm_memory_high_watermark 0.00001"
    restore = (
        "case $was in\n{absolute,*) was=${was#*,}\n"
        'rabbitmqctl -q set_vm_memory_high_watermark absolute "${was%\\}}" ;;\n'
        '*) rabbitmqctl -q set_vm_memory_high_watermark "$was" ;;\nesac'
    )
    resource = "memory"


class DiskAlarm(Alarm):
    name = "bus.disk_alarm"
    what = "the broker has less free disk than it must have (disk_free_limit): it stops all publishers"
    until = "the limit is what it was after 20 s"
    seen = "the broker says that it has an alarm of disk"
    limit = "rabbit_disk_monitor:get_disk_free_limit()"
    raise_ = "set_disk_free_limit 1000000000000000"
    restore = 'rabbitmqctl -q set_disk_free_limit "$was"'
    resource = "disk"


_QUEUES = (
    "[Q || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_quorum_queue, "
    "length(maps:get(nodes, amqqueue:get_type_state(Q), [])) > 1]"
)
_LEADER = "element(2, ra_leaderboard:lookup_leader(element(1, amqqueue:get_pid(Q))))"
#: The member after the leader, of a list that goes round.
_NEXT = "hd(tl(lists:dropwhile(fun(N) -> N =/= L end, Ns ++ Ns)))"
MOVE = (
    f"[begin Ns = maps:get(nodes, amqqueue:get_type_state(Q)), L = {_LEADER}, "
    f"rabbit_quorum_queue:transfer_leadership(Q, {_NEXT}) end || Q <- {_QUEUES}]."
)
LEADERS = f"[{{element(4, amqqueue:get_name(Q)), {_LEADER}}} || Q <- {_QUEUES}]."


class Leaders(Scripted):
    name = "bus.leaders"
    what = f"the leader of every quorum queue is moved to its next broker every {MOVE_S:g} s"
    until = "they stay where they are after 20 s"
    seen = "the brokers name other leaders than before; again after each move"
    carrier = "rabbitmq"
    costs = "kill"
    each = ("one",)

    async def look(self) -> None:
        self.leaders = await self._leaders()
        if not self.leaders:
            raise not_seen("there is nothing to strike", self.hosts[0], "no quorum queue has two members")

    async def _leaders(self) -> str:
        return (await self.script(self.hosts[0], "look", f"rabbitmqctl -q eval '{LEADERS}'", timeout=60)).strip(" []\n")

    async def strike(self) -> None:
        await self.strike_host(self.hosts[0])

    async def strike_host(self, host: str) -> None:
        await self.script(host, "strike", f"rabbitmqctl -q eval '{MOVE}'", timeout=60)

    async def verify(self) -> tuple[str, ...]:
        return (await self.verify_host(self.hosts[0]),)

    async def verify_host(self, host: str) -> str:
        before = self.leaders

        async def moved() -> bool:
            self.leaders = await self._leaders()
            return self.leaders not in ("", before)

        if not await until(moved):
            raise not_seen("no queue has another leader", host, before)
        return f"{host}: leaders were {_flat(before)}, are {_flat(self.leaders)}"

    async def hold(self) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.fault.duration
        seen: list[str] = []
        while loop.time() + MOVE_S < end:
            await asyncio.sleep(MOVE_S)
            await self.strike()
            seen += await self.verify()
        await asyncio.sleep(max(0.0, end - loop.time()))
        return tuple(seen)


def _flat(text: str) -> str:
    return " ".join(text.split())


class LeaderAfterLeader(Scripted, UnitFault):
    """One broker at a time is away: what ends the majority is `service.kill@rabbitmq+majority`."""

    name = "bus.leader_after_leader"
    what = (
        "SIGKILL to the target's broker; as soon as it runs again, to the one that leads most quorum queues by then; "
        "and so on"
    )
    until = "none is killed any more after 60 s; systemd restarts each"
    duration = 60.0
    seen = "none of the unit's processes from before is left in its cgroup, of each broker that is killed"
    carrier = "rabbitmq"
    costs = "kill"
    each = ("leader",)
    gone_within = 5.0
    #: Between two looks whether the broker runs again, and who leads. Seconds.
    LOOK_S: ClassVar[float] = 1.0

    async def strike_host(self, host: str) -> None:
        await self.signal(host, "KILL")

    async def verify_host(self, host: str) -> str:
        return await self.gone(host)

    async def hold(self) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.fault.duration
        seen: list[str] = []
        killed = self.hosts[0]
        while loop.time() < end:
            await asyncio.sleep(min(self.LOOK_S, max(0.0, end - loop.time())))
            leader = await self._leader(killed)
            if leader and loop.time() < end:
                self.before[leader] = await self.processes(leader)
                await self.signal(leader, "KILL")
                seen.append(await self.gone(leader))
                killed = leader
        return tuple(seen) or (f"{killed}: it did not run again in time, so that no other leader was killed",)

    async def _leader(self, killed: str) -> str:
        """The host that leads most queues, "" while the one that was killed last does not run again."""
        body = (
            "rabbitmqctl -q --timeout 10 await_startup > /dev/null 2>&1 && "
            f"rabbitmqctl -q --timeout 10 eval '{LEADERS}' 2>/dev/null || true"
        )
        said = await self.script(killed, "look", body, timeout=30)
        known = self.by.carriers.get(self.carrier, ())
        found = Counter(host for host in re.findall(r"@([A-Za-z0-9-]+)", said) if host in known)
        return max(found, key=lambda host: found[host], default="")


class BrokersParted(Partition):
    """Long and short: one that ends before the brokers give a member up, and one that ends after."""

    name = "bus.partition"
    what = "what brokers send one another (Erlang distribution) is lost between the target's hosts and the others"
    carrier = "rabbitmq"
    each = ("leader/10s", "leader/30s")

    def __init__(self, by: Powers, fault: Fault, hosts: tuple[str, ...]) -> None:
        super().__init__(by, fault, hosts)
        self.hosts = by.carriers.get(self.carrier, ())

    async def look(self) -> None:
        if not self.inside < set(self.hosts):
            raise ProveError("a partition needs a broker on each side", where=", ".join(sorted(self.inside)))

    def drops(self, host: str) -> Sequence[Drop]:
        (others,) = super().drops(host)
        return tuple(replace(others, match=f"tcp {side} {DISTRIBUTION}") for side in ("sport", "dport"))


FAMILY: tuple[type[Strike], ...] = (MemoryAlarm, DiskAlarm, Leaders, LeaderAfterLeader, BrokersParted)
