"""How a fault is brought about and healed: three small protocols, each with one that cannot.

Services are struck over the host's own transport, by cgroup. Power and network are struck from outside the host, by
whatever has that power over it: the lab, or nothing. Every heal may be called at any time, and twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fournines.errors import HostError, ProveError
from fournines.prove.faults import KINDS
from fournines.prove.model import Fault
from fournines.prove.reach import Reach

#: The network that `network.isolate` cuts.
NETWORK = "management"


class ServiceInjector(Protocol):
    async def signal(self, host: str, unit: str, signal: str) -> None:
        """KILL, STOP or CONT to every process of `unit`'s cgroup. Raises HostError."""
        ...


class PowerInjector(Protocol):
    async def off(self, host: str) -> None: ...
    async def on(self, host: str) -> None: ...
    async def reset(self, host: str) -> None: ...


class NetworkInjector(Protocol):
    async def isolate(self, host: str, network: str) -> None: ...
    async def heal(self, host: str, network: str) -> None: ...


class NoPower:
    """Of hosts whose power nobody here can switch."""

    async def off(self, host: str) -> None:
        raise ProveError("nothing here can switch a host's power", where=host)

    async def on(self, host: str) -> None:
        raise ProveError("nothing here can switch a host's power", where=host)

    async def reset(self, host: str) -> None:
        raise ProveError("nothing here can switch a host's power", where=host)


class NoNetwork:
    """Of hosts whose network ports nobody here can cut."""

    async def isolate(self, host: str, network: str) -> None:
        raise ProveError("nothing here can cut a host's network", where=f"{host}, {network}")

    async def heal(self, host: str, network: str) -> None:
        raise ProveError("nothing here can cut a host's network", where=f"{host}, {network}")


class UnitSignals:
    """`systemctl kill` on the host. `--kill-whom=all` reaches the unit's whole cgroup, never a name."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def signal(self, host: str, unit: str, signal: str) -> None:
        done = await self._reach.run(host, f"systemctl kill --kill-whom=all -s {signal} {unit}", timeout=10.0)
        if done.status:
            raise HostError(f"cannot send SIG{signal} to {unit}", where=host, why=done.stderr.strip())


@dataclass(frozen=True)
class Injectors:
    """`units`: service -> the unit that a fault of it strikes."""

    services: ServiceInjector
    units: Mapping[str, str]
    power: PowerInjector
    network: NetworkInjector


Strike = Callable[[Injectors, Fault, str], Awaitable[None]]


def _signal(name: str) -> Strike:
    return lambda by, fault, host: by.services.signal(host, by.units[fault.service], name)


async def _nothing(_by: Injectors, _fault: Fault, _host: str) -> None:
    """Of faults that heal by themselves."""


#: Fault's name -> (how a host is struck, how it is healed).
STRIKES: dict[str, tuple[Strike, Strike]] = {
    "service.kill": (_signal("KILL"), _nothing),
    "service.freeze": (_signal("STOP"), _signal("CONT")),
    "host.power_off": (lambda by, _f, host: by.power.off(host), lambda by, _f, host: by.power.on(host)),
    "host.reset": (lambda by, _f, host: by.power.reset(host), _nothing),
    "network.isolate": (
        lambda by, _f, host: by.network.isolate(host, NETWORK),
        lambda by, _f, host: by.network.heal(host, NETWORK),
    ),
}


def lacking(by: Injectors, fault: Fault) -> str:
    """Why `fault` cannot be injected here, "" if it can."""
    on = KINDS[fault.name].on
    if on == "power" and isinstance(by.power, NoPower):
        return "nothing here can switch a host's power"
    if on == "network" and isinstance(by.network, NoNetwork):
        return "nothing here can cut a host's network"
    return ""


async def inject(by: Injectors, fault: Fault, hosts: tuple[str, ...]) -> None:
    """Strikes all `hosts` at once. Raises the first FourninesError; what was struck is for `heal`."""
    strike, _ = STRIKES[fault.name]
    ended = await asyncio.gather(*(strike(by, fault, host) for host in hosts), return_exceptions=True)
    for end in ended:
        if end is not None:
            raise end


async def heal(by: Injectors, fault: Fault, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Heals each of `hosts`, whatever becomes of the others. What could not be healed, one line each."""
    _, mend = STRIKES[fault.name]
    ended = await asyncio.gather(*(mend(by, fault, host) for host in hosts), return_exceptions=True)
    return tuple(f"{host}: {end}" for host, end in zip(hosts, ended, strict=True) if isinstance(end, BaseException))
