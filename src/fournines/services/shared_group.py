"""One server on a disk that several hosts see, on one of them at a time: which one, Pacemaker decides.

A LUN that is read anew, its mount, an address and the server are one group, started in this order on one host and
stopped in the opposite one. Before it starts anywhere else, the host that had it is known to be off (fencing) or has
stopped it: two that mount one file system destroy it. The server is a systemd unit that nobody but the cluster starts,
by an OCF agent of ours whose monitor is a write that the server acknowledges: what it answers from memory says nothing
of its disk.

A service module declares a `SharedGroup`; what is the same for all of them is here and in
`scripts/clustered_on_disk.sh`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Address

from fournines.cloud.model import Cloud, Host, Lun, Region
from fournines.services import cluster_address, corosync, luns, where_it_runs
from fournines.services.capabilities import Single
from fournines.services.cib import Group, Location, Managed, Operation, Primitive
from fournines.services.resource import Directory, File, Resource, Task, Unit
from fournines.services.service import Check
from fournines.timing import timers
from fournines.timing.timers import Timers

AGENTS = "/usr/lib/ocf/resource.d/fournines"
#: What the agents of units have in common, and those of units on a disk; each sources one of them.
COMMON, ON_DISK = (f"/usr/lib/fournines/clustered-{name}.sh" for name in ("unit", "on-disk"))
#: Failures on one host after which the group goes to another, and seconds after which the cluster forgets them.
FAILURES, FORGETS = 2, 600


@dataclass(frozen=True)
class Spans:
    """Seconds: between two monitors of the server, and what starting and stopping anything of the group may take."""

    monitor: float
    start: float
    stop: float


@dataclass(frozen=True)
class SharedGroup:
    """name: of the group, its LUN, its address in `vips` and its tier of `pattern:`. service: whose hosts may run it.
    does: completes "the …", for people. data: where the LUN is mounted. agent: `ocf:fournines:AGENT`, which is
    `scripts/AGENT.sh`. priority: what its host weighs when two would fence each other. starts: seconds, measured, from
    the fence to the first answer."""

    name: str
    service: str
    does: str
    data: str
    unit: str
    agent: str
    priority: int
    starts: float

    @property
    def here(self) -> str:
        """Shell: whether it runs on this host. The mount is where the group is."""
        return f"mountpoint -q {self.data}"

    def spans(self, t: Timers) -> Spans:
        return {
            "database": Spans(t.database_monitor, t.database_start, t.database_stop),
            "messaging": Spans(t.messaging_monitor, t.messaging_start, t.messaging_stop),
        }[self.name]

    def lun(self, region: Region) -> Lun | None:
        return region.luns.get(self.name)

    def address(self, region: Region) -> IPv4Address:
        """Where clients find it. Before `check` has refused a cloud without one: the internal VIP."""
        return region.vips.moving.get(self.name, region.vips.internal)

    def failover(self, cloud: Cloud) -> float:
        """Seconds until the others know that its host is gone and that it is off, and it has started on another one."""
        return corosync.noticed(cloud) + corosync.FENCED + self.starts

    def singles(self, region: Region) -> tuple[Single, ...]:
        lun = self.lun(region)
        if lun is None:
            return ()
        what = f"the {self.does} is on one LUN, {lun.device}"
        loss = f"whatever needs the {self.does} stops with it"
        return (Single(what, loss, "a disk array that is redundant itself", lun.entry),)

    def resources(self, cloud: Cloud, host: Host, fill: tuple[str, ...]) -> Iterable[Resource]:
        """The unit, the agent and the disk. fill: as of `luns.resources`."""
        yield Unit(self.unit, state="clustered")
        yield from _agent(self.agent)
        if (lun := self.lun(cloud.region_of(host))) is not None:
            yield from luns.resources(cloud, host, lun, fill)

    def managed(self, cloud: Cloud, region: Region) -> Iterable[Managed]:
        lun, hosts = self.lun(region), cloud.hosts_of(self.service, region.name)
        if lun is None:
            return
        t, management = timers(cloud), region.networks["management"]
        spans = self.spans(t)
        steps = (
            Operation("start", 0, spans.start),
            Operation("stop", 0, spans.stop),
            Operation("monitor", spans.monitor, t.cluster_timeout),
        )
        failing = {"migration-threshold": str(FAILURES), "failure-timeout": f"{FORGETS}s"}
        of_unit = {"unit": self.unit, "datadir": self.data}
        members = (
            luns.read_anew(cloud, lun, f"{self.name}-lun"),
            luns.mounted(cloud, lun, f"{self.name}-disk", self.data, start=spans.start, stop=spans.stop),
            cluster_address.address(cloud, f"{self.name}-address", self.address(region), management, hosts),
            Primitive(f"{self.name}-server", f"ocf:fournines:{self.agent}", of_unit, steps, failing),
        )
        # It does not go back to where it was.
        yield Group(self.name, members, {"resource-stickiness": "100", "priority": str(self.priority)})
        for other in cloud.hosts_of("pacemaker", region.name):
            if other not in hosts:
                yield Location(self.name, other.name, "-INFINITY")

    def task(self, name: str, check: str, script: str, wanted: str, *, stdin: str = "", timeout: float = 120.0) -> Task:
        """As `where_it_runs.task`."""
        return where_it_runs.task(
            self.name, self.here, name, check=check, script=script, wanted=wanted, stdin=stdin, timeout=timeout
        )

    def checks(self, cloud: Cloud, host: Host, what: str, well: str) -> Iterable[Check]:
        """`well`: shell that succeeds where the server takes a write. Before there is a cluster it runs nowhere."""
        if (lun := self.lun(cloud.region_of(host))) is not None:
            yield luns.seen(host, lun)
        yield Check(what, host.name, f"{self.here} || exit 0\n{well}", within=60, unit=self.unit)


@cache
def _agent(name: str) -> tuple[Resource, ...]:
    scripts = files("fournines.services.scripts")
    return (
        File(COMMON, scripts.joinpath("clustered_unit.sh").read_text(encoding="utf-8")),
        File(ON_DISK, scripts.joinpath("clustered_on_disk.sh").read_text(encoding="utf-8")),
        Directory(AGENTS),
        *(
            File(f"{AGENTS}/{agent}", scripts.joinpath(f"{agent}.sh").read_text(encoding="utf-8"), mode=0o755)
            for agent in ("lun", name)
        ),
    )
