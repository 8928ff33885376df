"""What a fault is brought about with, and what it is seen by: protocols, which the lab implements and tests fake.

Services are struck over the host's own transport, by the unit's cgroup. Power and network are struck from outside the
host, by whatever has that power over it: the lab, or nothing. That a strike took effect is seen from outside as well,
where something stands outside; never through the agents, which are under test themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fournines.prove.reach import Reach

#: The network that network faults act on.
NETWORK = "management"


@dataclass(frozen=True, slots=True)
class Process:
    """`started` in clock ticks since the machine booted: with `pid`, an identity that no later process has. `state`:
    the letter of proc(5), `T` stopped, `Z` zombie."""

    pid: int
    started: int
    state: str

    @property
    def identity(self) -> tuple[int, int]:
        return self.pid, self.started


@dataclass(frozen=True, slots=True)
class Drop:
    """Packets that are lost at a host's port. `direction`: as the host sees it, `in` what it would receive.

    `peers`: only what these hosts sent; () from anybody. `match`: only what this nftables expression matches. `percent`
    of them.
    """

    direction: Literal["in", "out"]
    peers: tuple[str, ...] = ()
    match: str = ""
    percent: int = 100


class Processes(Protocol):
    async def of_unit(self, host: str, unit: str) -> tuple[Process, ...]:
        """Those of the unit's cgroup, zombies left out; () when there is none. Raises FourninesError."""
        ...

    async def environment(self, host: str, unit: str, name: str) -> tuple[str, ...]:
        """The values that the environments of the unit's processes have for `name`. Raises FourninesError."""
        ...

    async def boot(self, host: str) -> str:
        """Tells this boot of the host from any other; "" while it is off. Raises FourninesError."""
        ...


class Disks(Protocol):
    async def mounted(self, host: str) -> frozenset[str]:
        """Where `host` has something mounted of the disks that others see as well. Empty of one that is off. Raises
        FourninesError: it cannot be told."""
        ...


class Power(Protocol):
    """Every call may be repeated. Raises FourninesError."""

    async def off(self, host: str) -> None: ...
    async def on(self, host: str) -> None: ...
    async def reset(self, host: str) -> None: ...
    async def is_on(self, host: str) -> bool: ...
    async def empty(self, host: str) -> None:
        """Off, and another machine in its place: nothing is on its disk."""
        ...

    async def freeze(self, host: str) -> None: ...
    async def thaw(self, host: str) -> None: ...
    async def is_frozen(self, host: str) -> bool: ...

    async def limit_memory(self, host: str, spare: int | None) -> None:
        """From now on it gets so many bytes beyond what it holds; None: as much as before. None is of no effect on a
        host that is off."""
        ...

    async def ended_for_memory(self, host: str) -> int:
        """Processes that its kernel has ended since it was switched on, for want of memory."""
        ...


class Network(Protocol):
    """Every call may be repeated. Raises FourninesError, also for a host whose port is not there."""

    async def isolate(self, host: str, network: str, seconds: float) -> bool:
        """Cuts the host's port both ways. It is joined `seconds` later, to the millisecond, whatever the caller does
        meanwhile, unless `join` is called before. Whether the switch was seen to have cut it."""
        ...

    async def join(self, host: str, network: str) -> float | None:
        """Ends `isolate`. How long the port was cut, in seconds; None when it was not cut by this object."""
        ...

    async def is_cut(self, host: str, network: str) -> bool: ...

    async def drop(self, host: str, network: str, drops: Sequence[Drop]) -> None:
        """From now on loses these packets, and no others that an earlier call named."""
        ...

    async def delay(self, host: str, network: str, seconds: float) -> None:
        """From now on what the host receives is so much later. Only where netem is not among what is refused."""
        ...

    async def late(self, host: str, network: str) -> int:
        """Packets that `delay` made late so far."""
        ...

    async def pass_all(self, host: str, network: str) -> None:
        """Ends `drop` and `delay`; of no effect on a host that is off."""
        ...

    async def dropped(self, host: str, network: str) -> int:
        """Packets lost by `drop` so far."""
        ...


class Operations(Protocol):
    """What operators do with hosts. Each may be repeated, and continues what was cut off. Raises FourninesError."""

    async def drain(self, host: str) -> None: ...
    async def undrain(self, host: str) -> None: ...
    async def reboot(self, hosts: Sequence[str]) -> None: ...

    async def upgrade(self) -> None:
        """All hosts, to what their package sources have."""
        ...

    async def upgrade_release(self) -> None:
        """All hosts, to the release that the cloud file names."""
        ...

    async def packages(self, host: str) -> str:
        """Another text whenever another version of a package is installed."""
        ...

    async def apply(self) -> None: ...

    async def pending(self, host: str) -> bool:
        """Whether `apply` would change it."""
        ...

    async def take_out(self, host: str) -> None:
        """Out of the cloud, but not of its file."""
        ...

    async def bring_in(self, host: str) -> None: ...

    async def replace(self, host: str) -> None:
        """What it was is taken out, and the empty machine in its place joins."""
        ...

    async def carries(self, host: str) -> bool:
        """Whether fournines has ever put anything on its disk."""
        ...

    async def machine(self, host: str) -> str:
        """Tells this machine from any other in its place; "" while it does not answer."""
        ...

    async def is_member(self, host: str) -> bool:
        """By the others' word."""
        ...

    async def is_drained(self, host: str) -> bool:
        """By its own word, and without a VIP."""
        ...


class Servers(Protocol):
    """Raises FourninesError."""

    async def request(self, count: int) -> None:
        """With one request."""
        ...

    async def states(self) -> Counter[str]:
        """Of those that `request` asked for: `ACTIVE`, `BUILD`, `ERROR`, … -> how many."""
        ...

    async def remove(self) -> None:
        """All of them; until none is left."""
        ...


@dataclass(frozen=True)
class Powers:
    """`units`: a service fault's subject -> the unit that it strikes. `ports`: service -> what it listens on. `hosts`:
    all of the region; `addresses`: theirs. `carriers`: service -> the hosts that carry it. `power`, `network`: None
    where nothing here has that power over the hosts. `refused`: what no fault may take, or the kernel cannot do -> why.

    `account`: name and password of the campaign's own database account, with its CA's path on the hosts, "" without
    TLS. `expired`: path and content (PEM) of a service's certificate on a host, as it is but that it has expired; None
    of a service without one. `disks`: None where no disk is seen by several hosts. `servers`: None where there is
    nothing to boot servers from. `clustered`: units that a cluster starts, and nobody else.
    """

    reach: Reach
    units: Mapping[str, str]
    ports: Mapping[str, tuple[int, ...]]
    hosts: tuple[str, ...]
    processes: Processes
    power: Power | None
    network: Network | None
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    carriers: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    account: tuple[str, str, str] = field(default=("", "", ""), repr=False)
    expired: Callable[[str, str], tuple[str, str] | None] = lambda service, host: None
    operations: Operations | None = None
    disks: Disks | None = None
    servers: Servers | None = None
    clustered: frozenset[str] = frozenset()

    @property
    def hand(self) -> Power:
        assert self.power is not None
        return self.power

    @property
    def wires(self) -> Network:
        assert self.network is not None
        return self.network
