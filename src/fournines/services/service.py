"""What a service is: its HA pattern, what it wants on a host, how it is told to be well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar, Literal

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services.resource import Resource


class HaPattern(Enum):
    ACTIVE_ACTIVE = "active/active"
    ACTIVE_PASSIVE = "active/passive"
    QUORUM = "quorum"
    PER_HOST = "per host"


#: first-alone: the first host makes what the others need (tables), then all of them at once. joining: hosts become
#: members of a group that runs, one after another.
Rolling = Literal["together", "first-alone", "by-zone", "one-by-one", "joining"]


@dataclass(frozen=True, slots=True)
class Check:
    """Holds when `script` (POSIX sh, as root, on `host`) exits 0 within `within` seconds, retried until then.

    `unit` names the unit whose last log lines explain a failure. `alone`: the same of this host by itself, whatever
    number of members there is; "" where `script` asks for no other member. It tells an unhealthy host from one that
    only misses another.
    """

    name: str
    host: str
    script: str
    within: float
    unit: str = ""
    alone: str = ""

    @property
    def by_itself(self) -> Check:
        return replace(self, script=self.alone) if self.alone else self


class Service(ABC):
    """One module in `services/`, found by name. Subclasses are stateless; everything comes from the cloud."""

    name: ClassVar[str]
    pattern: ClassVar[HaPattern]
    #: Roles that carry it (`cloud.roles.SHIPPED`, or EVERY_HOST). What is stood in for by controllers does not say so.
    roles: ClassVar[tuple[str, ...]] = ()
    #: Services beside which it is on a host too, in regions where `reader` is or `scrapers` are: exporters.
    beside: ClassVar[tuple[str, ...]] = ()
    reader: ClassVar[str] = ""
    #: The smallest of `components:` that has it.
    component: ClassVar[Component] = "full"
    #: Services without which it is nothing: healthy before this one starts, and part of every cloud that has it.
    needs: ClassVar[tuple[str, ...]] = ()
    #: Services that are healthy before this one starts, in clouds that have them.
    after: ClassVar[tuple[str, ...]] = ()
    #: Tier of `pattern:` -> its value in the clouds that have this service; {}: it depends on none.
    mechanism: ClassVar[Mapping[str, str]] = {}
    #: How a *change* to hosts that already run it is rolled; a first start follows `first_start`.
    rolling: ClassVar[Rolling] = "by-zone"
    first_start: ClassVar[Rolling] = "together"
    #: Routes clients to the services that need it: where it already runs, it is changed after those behind it.
    fronts: ClassVar[bool] = False
    #: Networks, beyond management and public, on which its hosts reach one another, or the world, where a region has
    #: such: all of them are on it, or none is.
    networks: ClassVar[tuple[str, ...]] = ()
    #: Units on a host, main one first: what a fault acts on, what `status` watches.
    units: ClassVar[tuple[str, ...]] = ()

    def units_in(self, cloud: Cloud) -> tuple[str, ...]:
        """`units`, of a service that has others too where a cloud asks for them."""
        return self.units

    def pattern_in(self, cloud: Cloud) -> HaPattern:
        """`pattern`, of a service of which the cloud file wants another one."""
        return HaPattern.ACTIVE_PASSIVE if self.name in cloud.passive else self.pattern

    def chosen(self, cloud: Cloud) -> bool:
        """Whether the cloud's pattern is one that this service belongs to."""
        return all(getattr(cloud.pattern, tier) == value for tier, value in self.mechanism.items())

    @property
    def follows(self) -> tuple[str, ...]:
        return self.needs + self.after

    @abstractmethod
    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        """Resources of this service on `host`, in the order in which they must be made."""

    @abstractmethod
    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        """What must hold on `host` before the next stage begins."""
