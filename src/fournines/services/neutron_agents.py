"""Neutron's agents on network hosts: DHCP (two copies a network), L3 (routers that VRRP moves), metadata.

What they start, dnsmasq, keepalived and its watchers, goes on without them: stopping an agent stops nothing else, and a
router moves between hosts by its own VRRP, with nobody's help.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from fournines.cloud.model import EXTERNAL, Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import neutron, nova, openstack, sandbox, tls, units
from fournines.services.capabilities import Function
from fournines.services.render import Sections
from fournines.services.resource import Package, Resource
from fournines.services.safeguard import Safeguard, is_set, per_host, unless
from fournines.services.service import Check, HaPattern, Service
from fournines.services.timed import Timed
from fournines.timing import timers

Mode = Literal["legacy", "dvr_snat", "dvr"]
DHCP, L3, METADATA = (f"neutron-{name}-agent.service" for name in ("dhcp", "l3", "metadata"))
#: A mount namespace of its own would take the network namespaces, which are mounts, out of everybody's sight.
_WHY = "makes network namespaces, and starts what works in them, as root"
_ALL = ("neutron", "neutron.agent")
NAMESPACES: Mapping[str, tuple[str, ...]] = {
    "l3_agent.ini": (*_ALL, "neutron.base.agent", "neutron.l3.agent"),
    "metadata_agent.ini": (*_ALL, "neutron.metadata.agent"),
}


class NeutronAgents(Service):
    name: ClassVar[str] = "neutron_agents"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("network",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("neutron", "neutron_l2")
    networks: ClassVar[tuple[str, ...]] = (EXTERNAL,)
    units: ClassVar[tuple[str, ...]] = (L3, DHCP, METADATA)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "dhcp_agent.ini": (*_ALL, "neutron.base.agent", "neutron.dhcp.agent"),
        **NAMESPACES,
    }
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "dhcp_agent.ini": neutron.TIMED,
        "metadata_agent.ini": neutron.TIMED,
        "l3_agent.ini": (*neutron.TIMED, Timed("DEFAULT", "ha_vrrp_advert_int", "router_advert")),
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = tuple(
        guard
        for file in ("dhcp_agent.ini", "l3_agent.ini", "metadata_agent.ini")
        for guard in (
            *openstack.guards(file),
            *openstack.each_host(file, "DEFAULT", "host"),
            Safeguard(
                file, "DEFAULT", "agent_mode", is_set, "agents' modes follow the pattern", "pattern.network", fatal=True
            ),
            Safeguard(
                file,
                "DEFAULT",
                "interface_driver",
                unless("openvswitch"),
                "the switch is Open vSwitch",
                "remove it",
                fatal=True,
            ),
            Safeguard(
                file,
                "DEFAULT",
                "metadata_proxy_shared_secret",
                is_set,
                "it is a secret, and Nova has another one",
                "remove it",
                fatal=True,
            ),
            Safeguard(
                file,
                "agent",
                "availability_zone",
                per_host,
                "copies of a network's DHCP, and of a router, are spread over the zones of the file",
                "remove it",
            ),
        )
    )
    functions: ClassVar[tuple[Function, ...]] = (
        Function(
            "router_traffic", "reaches servers through a router", networks=("tenant", "external"), data_plane=True
        ),
        Function("dhcp", "gets addresses for servers", networks=("tenant",), data_plane=True),
    )

    def failover(self, cloud: Cloud) -> float:
        """A router's next host claims it after three adverts, and a skew that Neutron's priority of 50 makes 0.8 s."""
        return 3.0 * timers(cloud).router_advert + 0.8

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield from _dhcp(cloud, host)
        yield from l3(cloud, host, self.name, "dvr_snat" if neutron.distributed(cloud) else "legacy")
        yield from metadata(cloud, host, self.name)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        for unit in self.units:
            yield units.runs(cloud, host, unit)


def l3(cloud: Cloud, host: Host, service: str, mode: Mode) -> Iterable[Resource]:
    """The agent that makes routers. `service`: whose options it takes."""
    yield Package("neutron-l3-agent")
    own: dict[str, Any] = {
        "interface_driver": "openvswitch",
        "agent_mode": mode,
        "ha_vrrp_advert_int": timers(cloud).router_advert,
    }
    yield from _agent(cloud, host, service, "l3", own, kill_mode="process")


def metadata(cloud: Cloud, host: Host, service: str) -> Iterable[Resource]:
    """The agent that signs servers' questions for their metadata, and hands them to Nova."""
    yield Package("neutron-metadata-agent")
    own: dict[str, Any] = {
        "nova_metadata_host": cloud.region_of(host).vips.internal,
        "nova_metadata_port": nova.METADATA.port,
        **({"nova_metadata_protocol": "https", "auth_ca_cert": tls.CA} if tls.apis(cloud) else {}),
        "metadata_proxy_shared_secret": nova.metadata_secret(cloud),
    }
    yield from _agent(cloud, host, service, "metadata", own, workers=(("DEFAULT", "metadata_workers"),))


def _dhcp(cloud: Cloud, host: Host) -> Iterable[Resource]:
    yield Package("neutron-dhcp-agent")
    own: dict[str, Any] = {"interface_driver": "openvswitch", "enable_isolated_metadata": True}
    yield from _agent(cloud, host, "neutron_agents", "dhcp", own, kill_mode="process")


def _agent(
    cloud: Cloud,
    host: Host,
    service: str,
    name: str,
    own: dict[str, Any],
    *,
    kill_mode: str = "mixed",
    workers: tuple[tuple[str, str], ...] = (),
) -> Iterable[Resource]:
    path, unit = f"/etc/neutron/{name}_agent.ini", f"neutron-{name}-agent.service"
    placed: Sections = {"agent": {"availability_zone": host.zone.name}} if name != "metadata" else {}
    sections = openstack.merged(neutron.agent(cloud, host), {"DEFAULT": own}, placed)
    yield openstack.config_file(cloud, service, path, sections, group="neutron", units=(unit,))
    daemon = units.Daemon(
        unit=unit,
        service=service,
        description=f"OpenStack Neutron {name} agent",
        user="neutron",
        command=f"/usr/bin/neutron-{name}-agent --config-file {path}",
        config=path.rpartition("/")[2],
        workers=workers,
        kill_mode=kill_mode,
        sandbox=None if name == "metadata" else sandbox.by_sudo(_WHY),
        after=("neutron-openvswitch-agent.service",),
    )
    yield from units.daemon(cloud, daemon)
