"""Services of which one host's copy works, where the cloud file says so (`services: {NAME: {ha: passive}}`): which one,
Pacemaker decides.

What a service has to be moved it declares itself (`capabilities.MayBePassive`): its units, and what an API is asked.
Each unit is a resource of its own, `fournines-UNIT`, by an OCF agent of ours over systemd: `systemd:UNIT` would be well
as long as the process lives. Nobody but the cluster starts such a unit; systemd restarts one that died, where it was.

The whole configuration is in the cluster before the services are on the hosts. A host that has a unit, with its
tables, keys and accounts made, says so by an attribute of its node, and the resource runs on such hosts alone.

A load balancer knows all hosts as ever: its checks find the one that answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files

from fournines.cloud.model import Cloud, Host, Region
from fournines.services import corosync, tls
from fournines.services.capabilities import Clustered, MayBePassive, Movable, present
from fournines.services.cib import PREFIX, Eligible, Location, Managed, Operation, Primitive
from fournines.services.resource import Directory, File, Resource, Task, Unit
from fournines.services.shared_group import AGENTS, COMMON, FAILURES, FORGETS
from fournines.timing import timers
from fournines.timing.fencing import KILLED_BEFORE

AGENT = "service"
#: Seconds, estimated, from the fence until an API answers through the VIP: it loads. Seen once, on a machine without
#: idle time: 41.
STARTS = 4.0
#: Of `cluster_timeout`, in which an API must have answered: what is left is for what the agent does besides.
PATIENCE = 0.5


@lru_cache(maxsize=8)
def movable(cloud: Cloud) -> Mapping[str, Movable]:
    """Unit -> what the cluster has to know of it; of all services that are passive."""
    from fournines.services import registry  # it imports the modules that import this one

    wanted = (s for name, s in registry().items() if name in cloud.passive)
    return {one.unit: one for s in wanted if isinstance(s, MayBePassive) for one in s.movable(cloud)}


def moves(cloud: Cloud, unit: str) -> bool:
    return unit in movable(cloud)


def clustered(cloud: Cloud, region: str) -> frozenset[str]:
    """Units that the cluster starts and stops, and nobody else."""
    always = {unit for s in present(cloud, region) if isinstance(s, Clustered) for unit in s.clustered}
    return frozenset(always | movable(cloud).keys())


def names(cloud: Cloud) -> frozenset[str]:
    """Of the units that move, without suffix: what an API's proxy is called, and what a daemon reports as."""
    return frozenset(one.name for one in movable(cloud).values())


def failover(cloud: Cloud) -> float:
    """Seconds until the others know that its host is gone and that it is off, and it has started on another one."""
    return corosync.noticed(cloud) + corosync.FENCED + STARTS


def stop_timeout(cloud: Cloud) -> float:
    """Seconds after which systemd kills what does not stop: before the cluster fences the host for it."""
    return timers(cloud).service_stop - KILLED_BEFORE


def unit(cloud: Cloud, name: str) -> Iterable[Resource]:
    """Last of what a service yields for one: its running, or that the cluster may run it on this host."""
    if not moves(cloud, name):
        yield Unit(name)
        return
    yield Unit(name, state="clustered")
    yield Task(
        name=f"the cluster may run {name} here",
        check=f"{_attribute(name)} --query --quiet 2> /dev/null",
        want="1",
        script=f"{_attribute(name)} --update 1",
    )


def withdrawn(name: str) -> str:
    """Shell: until `apply` the cluster may not run it on this host."""
    return f"{_attribute(name)} --delete"


def _attribute(name: str) -> str:
    return f'crm_attribute --node "$(uname -n)" --name {resource(name)}'


def here(cloud: Cloud, name: str, script: str) -> str:
    """`script` of a check, of a unit that may be on another host."""
    return f"systemctl -q is-active {name} || exit 0\n{script}" if moves(cloud, name) else script


def located(name: str) -> str:
    """Shell: whether the cluster runs the unit on some host."""
    return f"crm_resource --resource {resource(name)} --locate 2> /dev/null | grep -q 'is running on'"


def resources(cloud: Cloud, host: Host) -> Iterable[Resource]:
    """The agent, on every member before the cluster asks it anything."""
    if any(_hosts(cloud, host.region)):
        yield from _agent()


def managed(cloud: Cloud, region: Region) -> Iterator[Managed]:
    members = cloud.hosts_of("pacemaker", region.name)
    for one, hosts in _hosts(cloud, region.name):
        yield _primitive(cloud, one)
        yield Eligible(one.name, resource(one.unit))
        for other in members:
            if other not in hosts:
                yield Location(one.name, other.name, "-INFINITY")


def ids(cloud: Cloud, region: str) -> list[str]:
    """Of the resources: each begins to run once its service is on a host."""
    return [resource(one.unit) for one, _ in _hosts(cloud, region)]


def _hosts(cloud: Cloud, region: str) -> Iterator[tuple[Movable, tuple[Host, ...]]]:
    for service in present(cloud, region):
        if service.name in cloud.passive and isinstance(service, MayBePassive):
            for one in service.movable(cloud):
                yield one, cloud.hosts_of(service.name, region)


def resource(unit: str) -> str:
    """Its id in the cluster."""
    return PREFIX + unit.removesuffix(".service")


def _primitive(cloud: Cloud, one: Movable) -> Primitive:
    t = timers(cloud)
    steps = (
        Operation("start", 0, t.service_start),
        Operation("stop", 0, t.service_stop),
        # It waits for what systemd is starting again; what runs and does not answer is found after `patience`.
        Operation("monitor", t.service_monitor, t.service_start),
    )
    parameters = {"unit": one.unit}
    if one.check:
        parameters |= {"port": str(one.port), "check": one.check}
        parameters["patience"] = f"{PATIENCE * t.cluster_timeout:g}"
        if tls.apis(cloud):
            parameters["cafile"] = tls.CA
    # It does not go back to where it was.
    meta = {"resource-stickiness": "100", "migration-threshold": str(FAILURES), "failure-timeout": f"{FORGETS}s"}
    return Primitive(one.name, f"ocf:fournines:{AGENT}", parameters, steps, meta)


@cache
def _agent() -> tuple[Resource, ...]:
    scripts = files("fournines.services.scripts")
    return (
        File(COMMON, scripts.joinpath("clustered_unit.sh").read_text(encoding="utf-8")),
        Directory(AGENTS),
        File(f"{AGENTS}/{AGENT}", scripts.joinpath(f"{AGENT}.sh").read_text(encoding="utf-8"), mode=0o755),
    )
