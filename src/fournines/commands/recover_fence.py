"""Hosts that are said to be lost are switched off before anything goes on without them: what a person believes of them
may be wrong, and two that come back together may be a majority of what there was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fournines import lab
from fournines.cloud.model import Cloud, Host
from fournines.commands.power_controller import known, settings_of
from fournines.engine.transport import Transport
from fournines.errors import FourninesError, HostError, PlanError
from fournines.operate.recover.finding import program

#: Where the program lies while it runs: what it is told is secret, and takes standard input.
PROGRAM = "/run/fournines/recovery-fence.py"
PATIENCE = 120.0


@dataclass(frozen=True)
class Switch:
    """Who can switch a host off. person: nobody here, so it is the operator who says that it is."""

    host: str
    by: Literal["lab", "controller", "person"]

    def __str__(self) -> str:
        how = {
            "lab": "the lab switches it off",
            "controller": "its power controller switches it off",
            "person": "it has no power controller here: you have switched it off, or taken it away",
        }
        return f"{self.host}: {how[self.by]}"


def switches(cloud: Cloud, gone: Sequence[str]) -> tuple[Switch, ...]:
    in_lab = lab.exists(cloud.name)
    found: list[Switch] = []
    for name in gone:
        host = cloud.host_by_name[name]
        found.append(Switch(name, "lab" if in_lab else "controller" if known(cloud, host) else "person"))
    return tuple(found)


async def fence(cloud: Cloud, switch: Switch, hosts: Mapping[str, Transport]) -> None:
    """Returns when the host is seen to be off; of no effect for one that only a person can switch. Raises PlanError."""
    host = cloud.host_by_name[switch.host]
    if switch.by == "lab":
        await asyncio.to_thread(_lab, cloud.name, host.name)
    elif switch.by == "controller":
        await _controller(cloud, host, hosts)


def _lab(cloud: str, host: str) -> None:
    """A host whose directory was removed has no lock to take: it is off, and stays so."""
    if lab.is_on(cloud, host):
        lab.power(cloud, host, "off")
    if lab.is_on(cloud, host):
        raise PlanError(
            f"{host} of lab {cloud} is still on", where=host, next=f"fournines lab power {cloud}/{host} off"
        )


async def _controller(cloud: Cloud, host: Host, hosts: Mapping[str, Transport]) -> None:
    """By the first host that is left whose network reaches the controller."""
    told = settings_of(cloud, host)
    reasons: list[str] = []
    for name, other in hosts.items():
        try:
            await other.put(PROGRAM, program("recovery_fence").encode(), mode=0o700, owner="root", group="root")
            done = await other.run(
                f"python3 {PROGRAM}; e=$?; rm -f {PROGRAM}; exit $e", stdin=json.dumps(told), timeout=PATIENCE
            )
        except HostError as error:
            reasons.append(f"{name}: {error.what}")
            continue
        if done.status == 0:
            return
        reasons.append(f"{name}: {(done.stderr or done.stdout).strip()}")
    raise FourninesError(
        f"{host.name} could not be switched off",
        where=told["url"],
        why="\n        ".join(reasons),
        next="see why; or switch it off by hand and say so: --switched-off",
    )
