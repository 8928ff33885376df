"""Neutron's server on every controller: the API under uWSGI, its RPC workers and its periodic workers, all active.

ML2 with Open vSwitch. A project's networks are VXLAN between the hosts' addresses on the region's network `tenant`, on
`management` where there is none; the region's network `external`, where there is one, is what routers lead out to, and
servers may be attached to (physical network `external`, flat or VLAN).

Tunnels learn addresses from traffic, not from the server (no `l2population`): a router that moves to another host takes
its traffic along while the control plane is down. Distributed routers need it, and pay with that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from fournines.cloud.model import EXTERNAL, Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import broker, endpoints, openstack, units
from fournines.services.capabilities import UWSGI, Account, CatalogueEntry, Frontend, Function, Movable, Registration
from fournines.services.render import Sections
from fournines.services.resource import Directory, Package, Resource
from fournines.services.safeguard import Safeguard, Setting, below, both, is_set, spread, unless, when, without
from fournines.services.schema import schema
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed
from fournines.timing import timers

CONFIG = "/etc/neutron/neutron.conf"
ML2 = "/etc/neutron/plugins/ml2/ml2_conf.ini"
FILES = f"--config-file {CONFIG} --config-file {ML2}"
TUNNELS = "tenant"
#: Rows of a table that every start compares; the limit of Neutron's own examples is 1000 networks.
VNIS = "1:4096"
#: A router's namespace, its keepalived and the watcher of its state cost 120 MB a host.
ROUTER_COPIES = 3
API = units.Wsgi(
    unit="neutron-api.service",
    service="neutron",
    description="OpenStack Neutron API",
    user="neutron",
    port=9696,
    application={
        "wsgi-file": "/usr/bin/neutron-api",
        "pyargv": FILES,
        # Python would wait for Neutron's own threads, which never end: 39 s until systemd kills it, now 1 s.
        "skip-atexit-teardown": "true",
    },
    workers=2,
    threads=1,
    config=CONFIG,
    asked="/v2.0/networks?limit=1",
)


def _daemon(name: str, what: str, workers: tuple[tuple[str, str], ...] = ()) -> units.Daemon:
    return units.Daemon(
        unit=f"neutron-{name}.service",
        service="neutron",
        description=f"OpenStack Neutron {what}",
        user="neutron",
        command=f"/usr/bin/neutron-{name} {FILES}",
        config="neutron.conf",
        workers=workers,
    )


RPC = _daemon("rpc-server", "RPC server", (("DEFAULT", "rpc_workers"),))
PERIODIC = _daemon("periodic-workers", "periodic workers")


def _several_routers(setting: Setting) -> bool:
    return spread(setting.cloud, "neutron_agents")


class Neutron(Service):
    name: ClassVar[str] = "neutron"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("keystone", *broker.SERVICES)
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (API.unit, RPC.unit, PERIODIC.unit)
    databases: ClassVar[tuple[str, ...]] = ("neutron",)
    vhosts: ClassVar[tuple[str, ...]] = ("neutron",)
    topics: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "neutron": ("q-plugin", "q-l3-plugin", "q-reports-plugin", "q-server-resource-versions")
    }
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "neutron.conf": ("neutron", "neutron.db", "neutron.extensions", "neutron.agent", "nova.auth", "placement.auth"),
        "ml2_conf.ini": ("neutron.ml2",),
        "uwsgi.ini": UWSGI,
    }
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "neutron.conf": (Timed("DEFAULT", "agent_down_time", "agent_down"), Timed("nova", "timeout", "api_timeout"))
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("neutron.conf"),
        *openstack.each_host("neutron.conf", "DEFAULT", "host", "bind_host"),
        Safeguard(
            "neutron.conf",
            "DEFAULT",
            "service_plugins",
            without("router"),
            "there are no routers, and those that there are can no longer be changed",
            "router among them",
            fatal=True,
        ),
        Safeguard(
            "neutron.conf", "DEFAULT", "core_plugin", unless("ml2"), "the agents are ML2's", "remove it", fatal=True
        ),
        Safeguard(
            "neutron.conf",
            "DEFAULT",
            "router_distributed",
            is_set,
            "the agents' modes follow the pattern",
            "pattern.network",
            fatal=True,
        ),
        Safeguard(
            "neutron.conf",
            "DEFAULT",
            "l3_ha",
            both(when("false"), _several_routers),
            "a router is on one host, and gone while that is down",
            "remove it",
        ),
        Safeguard(
            "neutron.conf",
            "DEFAULT",
            "max_l3_agents_per_router",
            both(when("1"), _several_routers),
            "a router is on one host, and gone while that is down",
            "at least 2",
        ),
        Safeguard(
            "neutron.conf",
            "DEFAULT",
            "dhcp_agents_per_network",
            below(2),
            "a network's addresses are given out by one host: none while that is down",
            "at least 2",
        ),
        Safeguard(
            "ml2_conf.ini",
            "ml2",
            "mechanism_drivers",
            without("openvswitch"),
            "the hosts' agents are Open vSwitch's",
            "openvswitch among them",
            fatal=True,
        ),
        Safeguard(
            "ml2_conf.ini",
            "ml2",
            "type_drivers",
            without("vxlan"),
            "projects' networks are VXLAN",
            "vxlan among them",
            fatal=True,
        ),
    )
    functions: ClassVar[tuple[Function, ...]] = (Function("create_network", "creates a network"),)

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(API, RPC, PERIODIC)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region = cloud.region_of(host)
        for package in ("neutron-api", "neutron-rpc-server", "neutron-periodic-workers"):
            yield Package(package)
        sections = openstack.merged(
            openstack.common(),
            openstack.messaging(cloud, region, "neutron"),
            openstack.notifications(cloud, region, "neutron"),
            openstack.database(cloud, region, "neutron"),
            openstack.authtoken(cloud, host, "neutron"),
            _own(cloud, host),
        )
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="neutron", units=self.units)
        yield Directory("/etc/neutron/plugins/ml2")
        yield openstack.config_file(cloud, self.name, ML2, _ml2(cloud, region), group="neutron", units=self.units)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from schema(
                "neutron",
                config=CONFIG,
                versions="neutron/db/migration/alembic_migrations/versions",
                user="neutron",
                sync=f"neutron-db-manage {FILES} upgrade heads",
            )
        yield from units.wsgi(cloud, host, API)
        for daemon in (RPC, PERIODIC):
            yield from units.daemon(cloud, daemon)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield from units.answers(cloud, host, API)
        for daemon in (RPC, PERIODIC):
            yield units.runs(cloud, host, daemon.unit)

    def forgets(self, cloud: Cloud, host: Host, name: str) -> Iterable[Resource]:
        url = endpoints.internal(cloud, cloud.region_of(host), API.port, f"/v2.0/agents?host={name}")
        yield units.none_listed(f"Neutron has no agents on {name}", CONFIG, url, "agents")

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        return (units.frontend(cloud, API),)

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        return Registration((CatalogueEntry("network", "neutron", API.port),), (Account("neutron"),))


def distributed(cloud: Cloud) -> bool:
    return cloud.pattern.network == "ovs-dvr"


#: The timers in the file of every agent.
TIMED = (Timed("agent", "report_interval", "report_interval"),)


def agent(cloud: Cloud, host: Host) -> Sections:
    """What every agent's file has: agents know the bus and their host, and nothing of the database."""
    sections: dict[str, dict[str, Any]] = {
        "DEFAULT": {"host": host.name},
        "agent": {
            "report_interval": math.ceil(timers(cloud).report_interval),
            "root_helper": "sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf",
            "root_helper_daemon": "sudo /usr/bin/neutron-rootwrap-daemon /etc/neutron/rootwrap.conf",
        },
    }
    return openstack.merged(
        {"DEFAULT": {"use_stderr": True}}, openstack.messaging(cloud, cloud.region_of(host), "neutron", host), sections
    )


def _own(cloud: Cloud, host: Host) -> Sections:
    region, t = cloud.region_of(host), timers(cloud)
    hosts = len(cloud.hosts_of("neutron_agents", region.name))
    return {
        "DEFAULT": {
            "host": host.name,
            "core_plugin": "ml2",
            "service_plugins": "router",
            "agent_down_time": math.ceil(t.agent_down),
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
            # Copies of a network's DHCP, and of a router, are spread over zones; hints choose among these.
            "network_scheduler_driver": "neutron.scheduler.dhcp_agent_scheduler.AZAwareWeightScheduler",
            "router_scheduler_driver": "neutron.scheduler.l3_agent_scheduler.AZLeastRoutersScheduler",
            "dhcp_load_type": "networks",
            "dhcp_agents_per_network": 2,
            "l3_ha": hosts > 1,
            "max_l3_agents_per_router": max(min(ROUTER_COPIES, hosts), 1),
            "router_distributed": distributed(cloud),
        },
        "agent": {"root_helper": "sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf"},
        "nova": {
            **openstack.credentials(cloud, region, "neutron"),
            "region_name": region.name,
            "endpoint_type": "internal",
            "timeout": math.ceil(t.api_timeout) or None,
        },
    }


def _ml2(cloud: Cloud, region: Region) -> Sections:
    mechanisms = ("openvswitch", "l2population") if distributed(cloud) else ("openvswitch",)
    external = EXTERNAL if EXTERNAL in region.networks else None
    return {
        "ml2": {
            "type_drivers": "flat,vlan,vxlan",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": ",".join(mechanisms),
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": external or ""},
        "ml2_type_vlan": {"network_vlan_ranges": external},
        "ml2_type_vxlan": {"vni_ranges": VNIS},
        "securitygroup": {"firewall_driver": "openvswitch"},
    }
