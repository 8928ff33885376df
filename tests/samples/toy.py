"""A small cloud and services to plan for: what the real ones do, without their weight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud, Host, Network, Pattern, Region, Ssh, TimingSpec, Tls, Vips, Zone
from fournines.cloud.secrets import Secrets
from fournines.engine import apply, hold, survey
from fournines.engine.connect import Connected
from fournines.engine.fake import FakeHost
from fournines.plan.model import Plan
from fournines.services.resource import Directory, File, Resource, Unit
from fournines.services.service import Check, HaPattern, Rolling, Service


@dataclass
class Toy(Service):
    """Files that restart or reload its unit, and the unit. `content` None: only the unit."""

    name: str  # type: ignore[misc]
    content: str | None = "one"
    needs: tuple[str, ...] = ()  # type: ignore[misc]
    pattern: HaPattern = HaPattern.ACTIVE_ACTIVE  # type: ignore[misc]
    rolling: Rolling = "by-zone"  # type: ignore[misc]
    first_start: Rolling = "together"  # type: ignore[misc]
    fronts: bool = False  # type: ignore[misc]
    verb: str = "restart"
    restarts: str = ""  # another service's unit that this one's file restarts as well
    extra: bool = False
    secret: bool = False

    @property
    def units(self) -> tuple[str, ...]:  # type: ignore[override]
        return (f"{self.name}.service",)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Directory(f"/etc/{self.name}")
        unit = f"{self.name}.service"
        triggers = (f"{self.verb}:{unit}", *([f"restart:{self.restarts}.service"] if self.restarts else []))
        if self.content is not None:
            yield File(f"/etc/{self.name}/main", f"{self.content} {host.name}\n", triggers=triggers, secret=self.secret)
        yield Unit(unit)
        if self.extra:
            yield File(f"/etc/{self.name}/late", f"late {self.content}\n", triggers=(f"restart:{unit}",))

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check("up", host.name, f"systemctl is-active {self.name}.service", within=0.0, unit=self.units[0])


def registry(*services: Service) -> dict[str, Service]:
    return {service.name: service for service in services}


def cloud(
    placement: Mapping[str, Sequence[str]],
    zones: Mapping[str, str] | None = None,
    source: Path = Path("toy.yaml"),
    **ssh: Any,
) -> Cloud:
    """`placement`: host -> services. `zones`: host -> zone; every host has its own unless it is named here."""
    found = {name: Zone((zones or {}).get(name, f"zone-{name}")) for name in placement}
    hosts = tuple(
        Host(
            name=name,
            region="r1",
            zone=found[name],
            address=IPv4Address("127.0.0.1"),
            addresses={},
            roles=(),
            services=frozenset(services),
            ssh=Ssh(**ssh),
        )
        for name, services in placement.items()
    )
    network = {"management": Network("management", IPv4Network("127.0.0.0/8"), "lo")}
    vips = Vips(IPv4Address("127.0.0.100"), IPv4Address("127.0.0.101"), 7)
    region = Region("r1", vips, network, {z.name: z for z in found.values()}, hosts)
    return Cloud(
        name="toy",
        release="2025.1",
        pattern=Pattern(),
        timing=TimingSpec(),
        regions={"r1": region},
        roles={},
        services={},
        tls=Tls(),
        source=source,
        secrets=Secrets(),
    )


def world(made: Cloud) -> Connected:
    """Every host of the cloud, with nothing on it."""
    connected = Connected()
    connected.update({host.name: FakeHost(host.name) for host in made.hosts})
    return connected


async def bring_up(made: Cloud, services: Mapping[str, Service], hosts: Connected) -> Plan:
    """Plan and apply; returns the plan that was carried out."""
    async with hold(hosts):
        found = await survey(made, services, hosts)
        await apply(found.plan, hosts)
    return found.plan
