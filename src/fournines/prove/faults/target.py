"""Which hosts a target means: `one` (neither VIP holder nor writer, where there is such a host), `vip`, `writer`,
`leader` (of the probe's queue), `router` (where most routers are active), `dc` (Pacemaker's designated controller),
`active` (where most of what Pacemaker runs once is; of a passive service the host that has it), `passive` (a member
where none of it is), `minority`, `half`, `majority`, `all`, or the name of a host or a zone. Of a passive service `one`
is `active`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fournines.cloud.model import Cloud, Host
from fournines.prove.faults.service import CORE
from fournines.prove.model import Fault
from fournines.services import passive, registry
from fournines.services.agent import FALLBACK, GUARD, Agent
from fournines.services.capabilities import guards

ROLES = ("vip", "writer", "leader", "router", "dc", "active")
TARGETS = ("one", *ROLES, "passive", "minority", "half", "majority", "all")
#: Of a Pacemaker cluster alone.
CLUSTER = ("dc", "active", "passive")
#: Carries the routers.
ROUTERS = "neutron_agents"
#: Makes a host a member of the cluster.
MEMBERS = "pacemaker"
#: Where a service fault hurts that names no target.
DEFAULT_TARGET = {
    "haproxy": "vip",
    "keepalived": "vip",
    "corosync": "vip",
    "pacemaker": "vip",
    "mariadb": "writer",
    "guard": "vip",
    "fallback": "vip",
    "observer": "vip",
}
#: Units that only some hosts with their service have -> those hosts.
SOME: Mapping[str, Callable[[Cloud, str], Sequence[Host]]] = {
    GUARD: guards,
    FALLBACK: lambda cloud, region: [h for h in guards(cloud, region) if "keepalived" in h.services],
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is what at this moment; empty where nobody is, or it cannot be told. runs: subjects of faults that a cluster
    runs on one host at a time -> that host."""

    vip: str = ""
    writer: str = ""
    leader: str = ""
    router: str = ""
    dc: str = ""
    active: str = ""
    runs: Mapping[str, str] = field(default_factory=dict[str, str])

    def roles(self, hosts: Iterable[str]) -> tuple[str, ...]:
        struck = set(hosts)
        return tuple(role for role in ROLES if getattr(self, role) in struck)


def subjects(cloud: Cloud) -> Mapping[str, tuple[str, str]]:
    """What a service fault may name -> (its service, the unit that is struck): services by name, their main unit; and
    each unit by its own name without suffix, our own also without `fournines-`."""
    carried = {name: s for name, s in registry().items() if any(name in h.services for h in cloud.hosts)}
    units = {name: [u for u in s.units if u.endswith(".service")] for name, s in carried.items()}
    found = {name: (name, own[0]) for name, own in units.items() if own}
    for name, own in units.items():
        for unit in own:
            found.setdefault(_short(unit), (name, unit))
    return found | ({_short(unit): (Agent.name, unit) for unit in SOME} if Agent.name in carried else {})


def moving_subjects(cloud: Cloud) -> Mapping[str, str]:
    """Those of `subjects` that are passive -> their resources in the cluster."""
    if not cloud.passive:
        return {}
    return {name: passive.resource(unit) for name, (_, unit) in subjects(cloud).items() if passive.moves(cloud, unit)}


def _short(unit: str) -> str:
    return unit.removesuffix(".service").removeprefix("fournines-")


def candidates(fault: Fault, cloud: Cloud, region: str, carrier: str = "") -> tuple[Host, ...]:
    """Hosts that the fault can strike: those with its service, or with `carrier`, or all that carry a part of the
    control plane. Of a router's target: those with Neutron's agents; of a cluster's, its members."""
    if fault.service:
        service, unit = subjects(cloud)[fault.service]
        return tuple(SOME[unit](cloud, region)) if unit in SOME else cloud.hosts_of(service, region)
    special = ROUTERS if fault.target == "router" else MEMBERS if fault.target in CLUSTER else ""
    if carrier or special:
        return cloud.hosts_of(carrier or special, region)
    return tuple(h for h in cloud.regions[region].hosts if h.services & set(CORE))


def aim(fault: Fault, hosts: Sequence[Host], standing: Standing, struck: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of the hosts that `fault.target` means among `hosts`, in their order; empty when there is none.

    `struck`: those that a fault before this one struck, and that only come back: `one` is another, where there is one.
    """
    names = [h.name for h in hosts]
    runs = standing.runs.get(fault.service, "")
    if runs and fault.target in ("one", "active", "passive"):
        # It has processes there alone.
        return tuple(n for n in names if (n == runs) != (fault.target == "passive"))[:1]
    if fault.target == "one":
        names = [n for n in names if n not in set(struck)] or names
    match fault.target:
        case "vip" | "writer" | "leader" | "router" | "dc" | "active":
            wanted = {str(getattr(standing, fault.target))}
        case "passive":
            idle = [n for n in names if standing.active and n != standing.active]
            wanted = set(([n for n in idle if n not in (standing.dc, standing.writer)] or idle)[:1])
        case "one":
            free = [n for n in names if n not in (standing.vip, standing.writer)]
            wanted = set((free or [n for n in names if n != standing.vip] or names)[:1])
        case "all":
            wanted = set(names)
        case "minority":
            wanted = set(names[: (len(names) - 1) // 2])
        case "half":
            wanted = set(names[: len(names) // 2])
        case "majority":
            wanted = set(names[: len(names) // 2 + 1])
        case place:
            wanted = {h.name for h in hosts if place in (h.name, h.zone.name)}
    return tuple(n for n in names if n in wanted)
