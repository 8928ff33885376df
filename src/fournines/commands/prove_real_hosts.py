"""Power and network of hosts that are no lab's: by their power controllers (Redfish), and by firewall rules on the host
itself, which a timer there ends whatever becomes of whoever asked for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from fournines.cloud.model import Cloud, Host, Region
from fournines.commands.power_controller import known, settings_of
from fournines.errors import HostError
from fournines.programs import source
from fournines.programs.recovery_fence import Controller
from fournines.prove.faults.powers import Drop
from fournines.prove.reach import Reach
from fournines.services.agent import HTTP_PORT

#: From the controller's word that it will until the power is so. Seconds.
POWER_S, POWER_EVERY_S = 60.0, 0.5
#: How long packets are lost at most where nobody ends it: longer than a fault lasts. Seconds.
DEAD_MAN_S = 600.0
#: A host that is not cut off answers within so long. Seconds.
ANSWERS_S = 0.5


def controlled(cloud: Cloud, region: Region) -> bool:
    """Whether every host of the region has a power controller whose password is known."""
    return all(known(cloud, host) for host in region.hosts)


class ControllerPower:
    """Redfish (DSP0266): ComputerSystem.Reset, and the power state that the controller reports."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def off(self, host: str) -> None:
        await self._reset(host, "ForceOff", on=False)

    async def on(self, host: str) -> None:
        await self._reset(host, "On", on=True)

    async def reset(self, host: str) -> None:
        await asyncio.to_thread(self._call, host, "ForceRestart")

    async def is_on(self, host: str) -> bool:
        return bool(await asyncio.to_thread(self._call, host) != "Off")

    async def empty(self, host: str) -> None:
        raise _refused(host, "an empty disk")

    async def freeze(self, host: str) -> None:
        raise _refused(host, "a freezer")

    async def thaw(self, host: str) -> None:
        """Nothing is ever frozen."""

    async def is_frozen(self, host: str) -> bool:
        return False

    async def limit_memory(self, host: str, spare: int | None) -> None:
        if spare is not None:
            raise _refused(host, "a limit of its memory")

    async def ended_for_memory(self, host: str) -> int:
        raise _refused(host, "a limit of its memory")

    async def _reset(self, host: str, how: str, *, on: bool) -> None:
        if await self.is_on(host) is on:
            return
        await asyncio.to_thread(self._call, host, how)
        deadline = asyncio.get_running_loop().time() + POWER_S
        while await self.is_on(host) is not on:
            if asyncio.get_running_loop().time() > deadline:
                raise HostError(
                    "the power controller has not done what it was told", where=host, why=f"{how}, {POWER_S:g} s ago"
                )
            await asyncio.sleep(POWER_EVERY_S)

    def _call(self, host: str, how: str = "") -> str:
        """The power state; after `how`, if it is given. Raises HostError."""
        settings = settings_of(self._cloud, self._cloud.host_by_name[host])
        controller = Controller(settings)
        try:
            path = settings["system"] or controller.system()
            if how:
                controller.call(f"{path}/Actions/ComputerSystem.Reset", {"ResetType": how})
                return ""
            return str(controller.call(path).get("PowerState"))
        except (OSError, ValueError, KeyError, SystemExit) as error:
            raise HostError("its power controller does not do it", where=host, why=str(error)) from None


def _refused(host: str, what: str) -> HostError:
    return HostError(f"a power controller has no power over {what}", where=host)


class FirewallNetwork:
    """A host is seen to be cut off by its observer's port, which answers nobody; over SSH the host still answers
    whoever struck it, and nobody else."""

    def __init__(self, hosts: Sequence[Host], reach: Reach) -> None:
        self._hosts: Mapping[str, Host] = {host.name: host for host in hosts}
        self._reach = reach

    async def isolate(self, host: str, network: str, seconds: float) -> bool:
        await self._apply(host, network, (Drop("in"), Drop("out")), seconds)
        return await self.is_cut(host, network)

    async def join(self, host: str, network: str) -> float | None:
        said = (await self._run(host, "remove", self._device(host, network))).strip()
        return float(said) if said else None

    async def is_cut(self, host: str, network: str) -> bool:
        try:
            async with asyncio.timeout(ANSWERS_S):
                _, writer = await asyncio.open_connection(str(self._hosts[host].address), HTTP_PORT)
        except TimeoutError:
            return True
        except OSError as error:  # an answer, unless the neighbour or the router does not have it any more
            return not isinstance(error, ConnectionError)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return False

    async def drop(self, host: str, network: str, drops: Sequence[Drop]) -> None:
        await self._apply(host, network, drops, DEAD_MAN_S)

    async def delay(self, host: str, network: str, seconds: float) -> None:
        raise HostError("nothing here makes a host's packets late", where=host)

    async def late(self, host: str, network: str) -> int:
        return 0

    async def pass_all(self, host: str, network: str) -> None:
        await self._run(host, "remove", self._device(host, network))

    async def dropped(self, host: str, network: str) -> int:
        return int(await self._run(host, "lost", self._device(host, network)))

    async def _apply(self, host: str, network: str, drops: Sequence[Drop], seconds: float) -> None:
        at = self._hosts[host]
        losses = [
            {
                "direction": d.direction,
                "peers": [str(self._hosts[peer].address) for peer in d.peers],
                "match": d.match,
                "percent": d.percent,
            }
            for d in drops
        ]
        settings: dict[str, Any] = {
            "device": self._device(host, network),
            "own": str(at.address),
            "operator": await asyncio.to_thread(_own_address, str(at.address)),
            "ssh": at.ssh.port,
            "seconds": seconds,
            "losses": losses,
        }
        await self._run(host, "apply", json.dumps(settings))

    def _device(self, host: str, network: str) -> str:
        return self._hosts[host].devices[network]

    async def _run(self, host: str, *words: str) -> str:
        script = f"python3 - {shlex.join(words)}"
        done = await self._reach.run(host, script, stdin=source("network_fault.py"), timeout=20.0)
        if done.status:
            raise HostError("the host's packets cannot be lost, or no longer lost", where=host, why=done.stderr.strip())
        return done.stdout


def _own_address(host: str) -> str:
    """With which this machine speaks to `host`. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        return str(probe.getsockname()[0])
