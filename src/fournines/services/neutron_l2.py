"""Open vSwitch and its agent on every host that carries servers or routers.

The agent only programs the switch: while it is away or restarts, what was programmed goes on (`drop_flows_on_start` is
off). The switch uses the kernel's datapath where the host's kernel has one, else its own in userspace: the host itself
decides, when it boots. Userspace tunnels leave through a bridge that has their address, so there the interface of
network `tenant` becomes a port of `br-tenant`, and its address moves along.

With distributed routers every such host also routes: it runs an L3 and a metadata agent of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar

from fournines.cloud.model import EXTERNAL, Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import neutron, neutron_agents, openstack, sandbox, units
from fournines.services.capabilities import Port
from fournines.services.render import Sections, template
from fournines.services.resource import Directory, File, Package, Resource, Unit
from fournines.services.safeguard import Safeguard, is_set, when, without
from fournines.services.sandbox import Sandbox
from fournines.services.service import Check, HaPattern, Service
from fournines.services.timed import Timed

CONFIG = "/etc/neutron/plugins/ml2/openvswitch_agent.ini"
SWITCH = "openvswitch-switch.service"
BRIDGES = "fournines-ovs.service"
SCRIPT = "/usr/lib/fournines/ovs-bridges"
DATAPATH = "/run/fournines/ovs-datapath"
VSWITCHD = "/etc/systemd/system/ovs-vswitchd.service.d"
AGENT = units.Daemon(
    unit="neutron-openvswitch-agent.service",
    service="neutron_l2",
    description="OpenStack Neutron Open vSwitch agent",
    user="neutron",
    command=f"/usr/bin/neutron-openvswitch-agent --config-file {CONFIG}",
    config="openvswitch_agent.ini",
    decided=(("ovs", "datapath_type", f"cat {DATAPATH}"),),
    after=(BRIDGES,),
    sandbox=sandbox.by_sudo("programs Open vSwitch, and the kernel's tables of connections, as root"),
    # Every two seconds, whether or not there was anything to do.
    quiet=(
        "Agent rpc_loop - iteration:[0-9]+ started",
        "Agent rpc_loop .* completed.*'added': 0, 'updated': 0, 'removed': 0",
    ),
)


_BRIDGES = Sandbox(
    writes=("/run",), capabilities=("CAP_NET_ADMIN", "CAP_DAC_OVERRIDE"), families=sandbox.PYTHON_FAMILIES
).lines


class NeutronL2(Service):
    name: ClassVar[str] = "neutron_l2"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("network", "compute")
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("neutron",)
    networks: ClassVar[tuple[str, ...]] = (neutron.TUNNELS,)
    units: ClassVar[tuple[str, ...]] = (AGENT.unit, SWITCH, BRIDGES)
    lasting: ClassVar[tuple[str, ...]] = (SWITCH, BRIDGES)
    ports: ClassVar[tuple[Port, ...]] = (
        # Of the kernel's own: no process listens, and in userspace Open vSwitch takes the packets before the kernel.
        Port(4789, "udp", "its network", "tunnels of projects' networks (VXLAN)", network="tenant", always=False),
    )
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "openvswitch_agent.ini": ("neutron", "neutron.agent", "neutron.ml2.ovs.agent"),
        **neutron_agents.NAMESPACES,
    }
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        **neutron_agents.NeutronAgents.timed,
        "openvswitch_agent.ini": neutron.TIMED,
    }

    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("openvswitch_agent.ini"),
        *openstack.each_host("openvswitch_agent.ini", "DEFAULT", "host"),
        *openstack.each_host("openvswitch_agent.ini", "ovs", "local_ip"),
        Safeguard(
            "openvswitch_agent.ini",
            "agent",
            "drop_flows_on_start",
            when("true"),
            "an agent that restarts cuts all traffic of its host",
            "remove it",
        ),
        Safeguard(
            "openvswitch_agent.ini",
            "agent",
            "tunnel_types",
            without("vxlan"),
            "projects' networks are VXLAN",
            "vxlan among them",
            fatal=True,
        ),
        Safeguard(
            "openvswitch_agent.ini",
            "securitygroup",
            "firewall_driver",
            when("noop"),
            "security groups have no effect",
            "remove it",
        ),
        Safeguard(
            "openvswitch_agent.ini",
            "securitygroup",
            "enable_security_group",
            when("false"),
            "security groups have no effect",
            "remove it",
        ),
        Safeguard(
            "openvswitch_agent.ini",
            "agent",
            "enable_distributed_routing",
            is_set,
            "agents' modes follow the pattern",
            "pattern.network",
            fatal=True,
        ),
    )

    def sections(self, cloud: Cloud, file: str) -> Collection[str] | None:
        """Hosts route by themselves only where routers are distributed."""
        return () if file in neutron_agents.NAMESPACES and not neutron.distributed(cloud) else None

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package("openvswitch-switch")
        yield Package("neutron-openvswitch-agent")
        yield Directory(VSWITCHD)
        # No trigger: a switch that restarts drops packets.
        yield File(f"{VSWITCHD}/fournines.conf", template("neutron_l2/vswitchd.conf.j2"))
        yield Unit(SWITCH)
        yield from _bridges(cloud, host)
        sections = openstack.merged(neutron.agent(cloud, host), _own(cloud, host))
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="neutron", units=(AGENT.unit,))
        yield from units.daemon(cloud, AGENT)
        if routes(cloud, host):
            yield from neutron_agents.l3(cloud, host, self.name, "dvr")
            yield from neutron_agents.metadata(cloud, host, self.name)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check(
            "Open vSwitch answers", host.name, "ovs-vsctl --timeout=5 br-exists br-int", within=120, unit=AGENT.unit
        )
        yield units.runs(cloud, host, AGENT.unit)


def routes(cloud: Cloud, host: Host) -> bool:
    """Whether the host routes the traffic of its own servers. Network hosts do so by `neutron_agents`."""
    return neutron.distributed(cloud) and "neutron_agents" not in host.services


def _bridges(cloud: Cloud, host: Host) -> Iterable[Resource]:
    region = cloud.region_of(host)
    restart = (f"restart:{BRIDGES}",)
    tunnels = region.networks[neutron.TUNNELS] if neutron.TUNNELS in host.addresses else None
    address = f"{host.addresses[tunnels.name]}/{tunnels.cidr.prefixlen}" if tunnels else ""
    script = template(
        "neutron_l2/ovs-bridges.sh.j2",
        datapath=DATAPATH,
        tunnels=host.devices[tunnels.name] if tunnels else "",
        address=address,
        external=host.devices.get(EXTERNAL, ""),
    )
    yield File(SCRIPT, script, mode=0o755, triggers=restart)
    yield File(
        f"/etc/systemd/system/{BRIDGES}",
        template("neutron_l2/ovs-bridges.service.j2", script=SCRIPT, switch=SWITCH, agent=AGENT.unit, sandbox=_BRIDGES),
        triggers=restart,
    )
    yield Unit(BRIDGES)


def _own(cloud: Cloud, host: Host) -> Sections:
    dvr = neutron.distributed(cloud)
    mapped = EXTERNAL in host.devices
    ovs: dict[str, Any] = {
        "local_ip": host.addresses.get(neutron.TUNNELS, host.address),
        "bridge_mappings": f"{EXTERNAL}:br-ex" if mapped else None,
    }
    return {
        "ovs": ovs,
        "agent": {
            "tunnel_types": "vxlan",
            "drop_flows_on_start": False,
            "l2_population": dvr,
            "enable_distributed_routing": dvr,
        },
        "securitygroup": {"firewall_driver": "openvswitch"},
    }
