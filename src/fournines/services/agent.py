"""The health agent: one daemon a host (`fournines.health.agent`), which knows what is true on it and tells.

It elects the database writer, heals a Galera majority that is not Primary, holds the VIP's lease. Per host: an agent
that dies is missed by its peers within `vip_lease`, and started again.

With it comes the order of a boot: the APIs and agents of OpenStack start once this host's MariaDB and RabbitMQ are up,
or have had 30 s. All at once, a hundred Python processes keep a database node from its group for two minutes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import EVERY_HOST, Component
from fournines.services import haproxy, keepalived, keystone, mariadb, memcached, rabbitmq
from fournines.services.capabilities import Port, present, quorum_group
from fournines.services.render import template
from fournines.services.resource import Directory, File, Package, Resource, Unit
from fournines.services.service import Check, HaPattern, Service
from fournines.services.units import QUORUM_FIRST
from fournines.timing import timers
from fournines.timing.timers import WRITER_PATIENCE

UNIT = "fournines-agent.service"
HTTP_PORT = 9200
HEARTBEAT_PORT = 9201
CODE = "/usr/lib/fournines/agent"


class Agent(Service):
    name: ClassVar[str] = "agent"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = (EVERY_HOST,)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("base",)
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(HTTP_PORT, "tcp", "the load balancers", "state, and the writer check of the load balancers"),
        Port(HEARTBEAT_PORT, "udp", "the voters", "heartbeats of those that vote"),
    )
    #: What `prove` writes to: apart from what the cloud itself needs.
    databases: ClassVar[tuple[str, ...]] = ("probe",)
    vhosts: ClassVar[tuple[str, ...]] = ("probe",)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield from _code()
        yield File(
            "/etc/fournines/agent.json",
            json.dumps(_config(cloud, host), indent=2) + "\n",
            mode=0o600,
            secret=True,
            triggers=(f"restart:{UNIT}",),
        )
        yield from _RUNNING

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check(
            "the agent answers",
            host.name,
            f"curl -fsS -m 2 -o /dev/null http://{host.address}:{HTTP_PORT}/state",
            within=30,
            unit=UNIT,
        )


_RUNNING = (Unit(UNIT), Unit(QUORUM_FIRST))


@cache
def _code() -> tuple[Resource, ...]:
    """The package as it is, and the command that MariaDB's unit starts. The same for every host of every cloud."""
    restart = (f"restart:{UNIT}",)
    package = files("fournines.health.agent")
    sources = sorted(f.name for f in package.iterdir() if f.name.endswith(".py"))
    return (
        Package("python3-pymysql"),
        Directory(CODE),
        *(File(f"{CODE}/{name}", package.joinpath(name).read_text(), triggers=restart) for name in sources),
        File(f"{CODE}/galera-start", template("agent/galera-start.j2"), mode=0o755),
        File(f"/etc/systemd/system/{UNIT}", template("agent/unit.service.j2"), triggers=restart),
        File(f"{CODE}/quorum-first", template("agent/quorum-first.j2"), mode=0o755),
        File(
            f"/etc/systemd/system/{QUORUM_FIRST}", template(f"agent/{QUORUM_FIRST}.j2", command=f"{CODE}/quorum-first")
        ),
    )


@lru_cache(maxsize=8)
def _peers(cloud: Cloud, region: str) -> list[dict[str, str]]:
    return [{"name": h.name, "address": str(h.address)} for h in quorum_group(cloud, region)]


def _config(cloud: Cloud, host: Host) -> dict[str, Any]:
    """The shape is described in `health.agent.config`."""
    t = timers(cloud)
    carried = [s for s in present(cloud, host.region) if s.name in host.services]
    vips = cloud.region_of(host).vips
    voter = host in quorum_group(cloud, host.region)
    has = {s.name for s in carried}
    return {
        "cloud": cloud.name,
        "region": host.region,
        "host": host.name,
        "address": str(host.address),
        "http_port": HTTP_PORT,
        "heartbeat_port": HEARTBEAT_PORT,
        "secret": cloud.secrets.get("agent.heartbeat"),
        "peers": _peers(cloud, host.region) if voter else [],
        "vips": [str(vips.internal), str(vips.public)],
        "heartbeat": t.agent_heartbeat,
        "vip_lease": t.vip_lease if t.vip_quorum else 0,
        "dead_host": t.dead_host,
        "writer_patience": WRITER_PATIENCE,
        "units": [unit for s in carried for unit in s.units],
        "certificates": [haproxy.CERTIFICATE] if "haproxy" in has else [],
        "fernet_keys": keystone.KEYS if "keystone" in has else "",
        **{name: section for name, section in _sections(cloud, host).items() if name in has},
    } | _vip(cloud, host)


def _sections(cloud: Cloud, host: Host) -> dict[str, dict[str, Any]]:
    return {
        "haproxy": {
            "monitor_port": haproxy.MONITOR_PORT,
            "socket": haproxy.SOCKET,
            "unit": haproxy.UNIT,
            "writer_proxy": mariadb.Mariadb.name,
        },
        "rabbitmq": {
            "port": rabbitmq.PORT,
            "management_port": rabbitmq.MANAGEMENT_PORT,
            "user": rabbitmq.ADMIN,
            "password": cloud.secrets.get("rabbitmq.admin"),
            "unit": rabbitmq.UNIT,
        },
        "memcached": {"port": memcached.PORT, "unit": memcached.UNIT},
        "keystone": {"port": keystone.PORT, "unit": keystone.UNIT},
    }


def _vip(cloud: Cloud, host: Host) -> dict[str, Any]:
    """The sections whose name in agent.json is that of what they do, not of the service."""
    sections: dict[str, Any] = {}
    if "keepalived" in host.services:
        sections["vip"] = {
            "addresses": [
                {"address": address, "prefix": prefix, "interface": interface}
                for address, prefix, interface in keepalived.vips(cloud, host)
            ],
            "unit": keepalived.UNIT,
            "track_file": keepalived.TRACK_FILE,
            "alive_file": keepalived.ALIVE_FILE,
        }
    if "mariadb" in host.services:
        members = [h.name for h in cloud.hosts_of("mariadb", host.region)]
        sections["galera"] = {"members": members, "unit": mariadb.UNIT}
        t = timers(cloud)
        down = {"nova": t.service_down, "cinder": t.service_down, "neutron": t.agent_down}
        if here := {name: seconds for name, seconds in down.items() if cloud.hosts_of(name, host.region)}:
            sections["openstack"] = here
    return sections
