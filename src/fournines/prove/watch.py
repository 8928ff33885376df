"""What runs beside the load during a fault: who holds the VIPs, how idle the machine is, and, if asked for, burners."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

from fournines.errors import FourninesError
from fournines.prove import machine, vips
from fournines.prove.faults.powers import Disks
from fournines.prove.history import Event, Log
from fournines.prove.site import Site
from fournines.services import keystone
from fournines.services.capabilities import OnLun, present

#: VIP -> the network that it is on, and a port on which its holder serves.
VIPS = {"internal": ("management", keystone.PORT), "public": ("public", keystone.PORT)}
#: Between two looks at disks that several hosts see.
DISKS_S = 0.2
#: Ends with the process that started it, however that ends.
_BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(1000000))\n"


class Holders:
    """VIP -> its holders as ARP last answered, and why a VIP is not watched."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[str, ...]] = {}
        self.unwatched: dict[str, str] = {}


@asynccontextmanager
async def watching(site: Site, log: Log) -> AsyncGenerator[Holders, None]:
    """Writes `machine`, `sighting`, `mounted` and `unwatched` events until it is left."""
    holders = Holders()
    async with AsyncExitStack() as stack:
        for name in VIPS:
            hosts = await _hosts_by_mac(site, name)
            await stack.enter_async_context(_running(_watch_vip(site, log, name, hosts, holders)))
        if site.powers.disks:
            await stack.enter_async_context(_running(_watch_disks(site, site.powers.disks, log)))
        await stack.enter_async_context(_running(_sample(site, log)))
        if site.busy:
            await stack.enter_async_context(_burning())
        yield holders


@asynccontextmanager
async def _running(work: Coroutine[object, object, None]) -> AsyncGenerator[None, None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _hosts_by_mac(site: Site, name: str) -> dict[str, str]:
    """MAC -> host on the network of VIP `name`; empty where ARP cannot be used."""
    network, _ = VIPS[name]
    addresses = {h.name: h.addresses[network] for h in site.region.hosts if network in h.addresses}
    link = await vips.link_to(getattr(site.region.vips, name))
    with contextlib.suppress(OSError):
        return await vips.macs_of(addresses, link) if link else {}
    return {}


async def _watch_vip(site: Site, log: Log, name: str, hosts: dict[str, str], holders: Holders) -> None:
    """Until it is cancelled. An `unwatched` event where ARP cannot be used, or no longer."""
    _, port = VIPS[name]
    vip = getattr(site.region.vips, name)
    why = "it is not on a network of this machine"
    try:
        link = await vips.link_to(vip)
        if link:
            await vips.VipWatch(name, vip, port, link, _Sightings(site, log, hosts, holders).seen).run()
    except PermissionError:
        why = "to ask by ARP needs root"
    except OSError as error:
        why = f"the network of this machine to it: {error.strerror}"
    holders.unwatched[name] = why
    log.event(Event("unwatched", site.now(), {"vip": name, "why": why}))


class _Sightings:
    """Writes an event whenever the answer is another one than before. `hosts`: MAC -> name."""

    def __init__(self, site: Site, log: Log, hosts: dict[str, str], holders: Holders) -> None:
        self._site = site
        self._log = log
        self._hosts = hosts
        self._holders = holders
        self._last: tuple[list[str], list[str]] | None = None

    def seen(self, vip: str, holders: frozenset[str], serving: frozenset[str]) -> None:
        answer = self._names(holders), self._names(serving)
        self._holders.seen[vip] = tuple(answer[0])
        if answer != self._last:
            self._last = answer
            data = {"vip": vip, "holders": answer[0], "serving": answer[1]}
            self._log.event(Event("sighting", self._site.now(), data))

    def _names(self, macs: frozenset[str]) -> list[str]:
        return sorted(self._hosts.get(mac, mac) for mac in macs)


async def _watch_disks(site: Site, disks: Disks, log: Log) -> None:
    """Writes a `mounted` event whenever other hosts than before have a disk that several see."""
    services = [s for s in present(site.cloud, site.region.name) if isinstance(s, OnLun)]
    places = {lun: at for s in services for lun, at in s.luns.items() if lun in site.region.luns}
    last: dict[str, tuple[str, ...]] = {}
    while True:
        for lun, at in places.items():
            hosts = site.region.luns[lun].hosts
            found = await asyncio.gather(*(_has(disks, host, at) for host in hosts))
            holders = tuple(host for host, has in zip(hosts, found, strict=True) if has)
            if holders != last.get(lun):
                last[lun] = holders
                log.event(Event("mounted", site.now(), {"lun": lun, "holders": list(holders)}))
        await asyncio.sleep(DISKS_S)


async def _has(disks: Disks, host: str, at: str) -> bool:
    with contextlib.suppress(FourninesError):
        return at in await disks.mounted(host)
    return False


async def _sample(site: Site, log: Log) -> None:
    before = machine.read(site.now())
    while True:
        await asyncio.sleep(machine.SAMPLE_S)
        now = machine.read(site.now())
        log.event(machine.sample(before, now))
        before = now


@asynccontextmanager
async def _burning() -> AsyncGenerator[None, None]:
    """Every core kept busy by a process of ordinary priority."""
    burners = [await asyncio.create_subprocess_exec(sys.executable, "-c", _BURN) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            with contextlib.suppress(ProcessLookupError):
                burner.kill()
            await burner.wait()
