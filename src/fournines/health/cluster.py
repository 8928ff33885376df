"""The whole cloud at one moment: every host's own word, and what follows from all of them together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from fournines.cloud.maintenance import Entries, newest
from fournines.cloud.model import Cloud, Region
from fournines.health.pacemaker import PacemakerState
from fournines.health.snapshot import Galera, HostState, Openstack, Queue, Rabbitmq, Replica
from fournines.services import passive

#: The LUNs of a database and of a broker that move between hosts.
DATABASE, MESSAGING = "database", "messaging"


@dataclass(frozen=True)
class Unknown:
    """A host that could not be asked, or whose agent has written nothing."""

    host: str
    what: str
    why: str
    next: str


@dataclass(frozen=True)
class Problem:
    """where: the hosts that say it, separated by commas, "" for the region as a whole. next: what to type or to
    change. hosts: those that are not well by it; not who says of another that it is gone."""

    what: str
    where: str
    next: str
    region: str
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RegionState:
    """One region. Hosts in file order. passive: units that run on one host at a time because the file says so; an API's
    proxy has the same name (`services.passive.names`)."""

    region: Region
    states: Mapping[str, HostState]
    unknown: tuple[Unknown, ...]
    passive: frozenset[str] = frozenset()

    @cached_property
    def vip_holders(self) -> tuple[str, ...]:
        return tuple(name for name, s in self.states.items() if s.vip and s.vip.held)

    @cached_property
    def maintenance(self) -> Entries:
        """What operators have asked of hosts, as the hosts that answer have it."""
        return newest(state.maintenance for state in self.states.values())

    @cached_property
    def drained(self) -> frozenset[str]:
        return frozenset(name for name, entry in self.maintenance.items() if entry.drained)

    @cached_property
    def galera(self) -> Mapping[str, Galera]:
        return {name: s.galera for name, s in self.states.items() if s.galera}

    @cached_property
    def writers(self) -> tuple[str, ...]:
        """Hosts that take writes; one, in health. Of a database that moves: those that have its disk."""
        acting = (name for name, g in self.galera.items() if g.acting)
        primaries = (name for name, r in self.replicas.items() if r.ok and r.state == "primary")
        return (*acting, *primaries) or self.luns.get(DATABASE, ())

    @cached_property
    def replicas(self) -> Mapping[str, Replica]:
        """Copies of a database that the cluster promotes."""
        return {name: s.replica for name, s in self.states.items() if s.replica}

    @cached_property
    def rabbitmq(self) -> Mapping[str, Rabbitmq]:
        return {name: s.rabbitmq for name, s in self.states.items() if s.rabbitmq}

    @cached_property
    def pacemaker(self) -> Mapping[str, PacemakerState]:
        return {name: s.pacemaker for name, s in self.states.items() if s.pacemaker}

    @cached_property
    def luns(self) -> Mapping[str, tuple[str, ...]]:
        """Disk that several hosts see -> the hosts that have it mounted; one, in health."""
        names = dict.fromkeys(name for s in self.states.values() for name in s.luns)
        return {
            name: tuple(h for h, s in self.states.items() if name in s.luns and s.luns[name].mounted) for name in names
        }

    @cached_property
    def queues(self) -> tuple[Queue, ...]:
        """As the first node that answers sees them."""
        return next((r.queues for r in self.rabbitmq.values() if r.ok), ())

    @cached_property
    def openstack(self) -> Openstack | None:
        """What the writer's host has read; None while there is none."""
        return next((s.openstack for name, s in self.states.items() if name in self.writers and s.openstack), None)

    def balancers(self) -> Mapping[tuple[str, str], Mapping[str, str]]:
        """(proxy, server) -> load balancer's host -> that server's status there."""
        seen: dict[tuple[str, str], dict[str, str]] = {}
        for name, state in self.states.items():
            for backend in state.backends:
                seen.setdefault((backend.proxy, backend.server), {})[name] = backend.status
        return seen

    def backends_up(self, proxy: str) -> tuple[str, ...]:
        """Hosts that some load balancer has up for `proxy`."""
        return tuple(
            server
            for (name, server), seen in self.balancers().items()
            if name == proxy and any(status.startswith("UP") for status in seen.values())
        )

    def served(self) -> tuple[str, ...]:
        """What of the control plane clients cannot use now; () when all of it."""
        gone: list[str] = []
        holder = self.states.get(self.vip_holders[0]) if self.vip_holders else None
        if holder is None or holder.vip is None or not holder.vip.balancer:
            gone.append("the VIP")
        if (self.galera or self.replicas or DATABASE in self.luns) and not self.writers:
            gone.append("the database")
        if (self.rabbitmq or MESSAGING in self.luns) and not any(r.ok for r in self.rabbitmq.values()):
            gone.append("the message bus")
        if holder is not None:
            proxies: dict[str, bool] = {}
            for backend in holder.backends:
                proxies[backend.proxy] = proxies.get(backend.proxy, False) or backend.up
            gone += [name for name, up in proxies.items() if not up and name != "mariadb"]
        return tuple(gone)


@dataclass(frozen=True, eq=False)
class Cluster:
    cloud: Cloud
    regions: tuple[RegionState, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def healthy(self) -> bool:
        return not self.problems

    def sentence(self) -> str:
        """The one that `status` begins with."""
        gone = [f"{what}{self._of(region)}" for region in self.regions for what in region.served()]
        count = f"{len(self.problems)} problem{'s' * (len(self.problems) != 1)}"
        if gone:
            return f"{self.cloud.name} does not serve {_listed(gone)}: {count}."
        if self.problems:
            return f"{self.cloud.name} serves, and is not healthy: {count}."
        return f"{self.cloud.name} is healthy: {'; '.join(self._well(region) for region in self.regions)}."

    def _of(self, region: RegionState) -> str:
        return f" of {region.region.name}" if len(self.regions) > 1 else ""

    def _well(self, region: RegionState) -> str:
        holder, writer = _listed(region.vip_holders), _listed(region.writers)
        said = [f"{len(region.states)} hosts{self._of(region)}"]
        if holder:
            said.append(f"{holder} holds the VIPs")
        if writer:
            said.append(f"{writer} takes the writes")
        return ", ".join(said)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last


def regions(cloud: Cloud, states: Mapping[str, HostState | Unknown]) -> Iterator[RegionState]:
    for region in cloud.regions.values():
        said = [states[h.name] for h in region.hosts if h.name in states]
        yield RegionState(
            region,
            {s.host: s for s in said if isinstance(s, HostState)},
            tuple(s for s in said if isinstance(s, Unknown)),
            passive.names(cloud),
        )
