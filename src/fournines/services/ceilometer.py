"""Ceilometer: what happens in the cloud as samples in Gnocchi and events for alarms, on every controller.

The central agents ask the services; they share the questions among themselves through Valkey, so that each is asked by
one of them: one that dies is missed after `service_down`, and the others take its share. The notification agents take
what services tell from the bus, each message one of them. Nothing here is on the way of anything users do.

There is no storage of its own: Gnocchi took the place of MongoDB and of its API years ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import broker, openstack, tls, units, valkey
from fournines.services.capabilities import Account, Movable, Registration
from fournines.services.render import Sections, template
from fournines.services.resource import File, Package, Resource, Task
from fournines.services.safeguard import Safeguard
from fournines.services.service import Check, HaPattern, Service

CONFIG = "/etc/ceilometer/ceilometer.conf"
EVENTS = "/etc/ceilometer/event_pipeline.yaml"
#: Aodh's vhost: where events go that alarms wait for.
ALARMS = "aodh"
CENTRAL = units.Daemon(
    unit="ceilometer-agent-central.service",
    service="ceilometer",
    description="OpenStack Ceilometer central agent",
    user="ceilometer",
    nice=10,
    command=f"/usr/bin/ceilometer-polling --polling-namespaces central --config-file {CONFIG}",
    # Swift's client is called without any word of a CA.
    environment={"REQUESTS_CA_BUNDLE": tls.TRUSTED},
)
NOTIFICATION = units.Daemon(
    unit="ceilometer-agent-notification.service",
    service="ceilometer",
    description="OpenStack Ceilometer notification agent",
    user="ceilometer",
    nice=10,
    command=f"/usr/bin/ceilometer-agent-notification --config-file {CONFIG}",
    config="ceilometer.conf",
    workers=(("notification", "workers"),),
)
#: Gnocchi's types of resources. What it has cannot be looked up without a token, so the host remembers for which
#: release it has made them.
_MADE = "/var/lib/fournines/ceilometer-upgrade"
_RELEASE = "dpkg-query -W -f='${Version}' ceilometer-common"


class Ceilometer(Service):
    name: ClassVar[str] = "ceilometer"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "full"
    needs: ClassVar[tuple[str, ...]] = ("gnocchi", *broker.SERVICES, "valkey")
    units: ClassVar[tuple[str, ...]] = (CENTRAL.unit, NOTIFICATION.unit)
    topics: ClassVar[Mapping[str, tuple[str, ...]]] = {openstack.NOTIFICATIONS: ("notifications",)}
    vhosts: ClassVar[tuple[str, ...]] = (openstack.NOTIFICATIONS,)
    coordination: ClassVar[tuple[str, ...]] = ("ceilometer",)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {"ceilometer.conf": ("ceilometer", "ceilometer-auth")}

    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("ceilometer.conf"),
        *openstack.each_host("ceilometer.conf", "DEFAULT", "host"),
    )

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(CENTRAL)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region = cloud.region_of(host)
        for package in ("ceilometer-agent-central", "ceilometer-agent-notification", "python3-redis"):
            yield Package(package)
        sections = openstack.merged(_config(cloud, region), {"DEFAULT": {"host": host.name}})
        yield from valkey.client(cloud, host, "ceilometer", self.units)
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="ceilometer", units=self.units)
        yield File(
            EVENTS,
            template("ceilometer/event_pipeline.yaml.j2", publishers=_publishers(cloud, region)),
            mode=0o640,
            group="ceilometer",
            secret=True,
            triggers=(f"restart:{NOTIFICATION.unit}",),
        )
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield Task(
                name="Gnocchi's types of resources",
                check=f'[ "$(cat {_MADE})" = "$({_RELEASE})" ] && echo ok',
                script=f"runuser -u ceilometer -- ceilometer-upgrade --retry 10\n{_RELEASE} > {_MADE}",
                timeout=300,
            )
        yield from units.daemon(cloud, CENTRAL)
        yield from units.daemon(cloud, NOTIFICATION)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        return [units.runs(cloud, host, unit) for unit in self.units]

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        # Swift lets a reseller's administrator look at every account.
        return Registration(accounts=(Account("ceilometer", roles=("admin", "service", "ResellerAdmin")),))


def _config(cloud: Cloud, region: Region) -> Sections:
    messaging = openstack.messaging(cloud, region, openstack.NOTIFICATIONS)
    own: Sections = {
        "oslo_concurrency": {"lock_path": "/var/lib/ceilometer/lock"},
        "coordination": {"backend_url": valkey.coordination(cloud, region, "ceilometer")},
        "service_credentials": {
            **openstack.credentials(cloud, region, "ceilometer"),
            "region_name": region.name,
            "interface": "internal",
        },
        "publisher": {"telemetry_secret": cloud.secrets.get("ceilometer.signing")},
        # What the central agents have found reaches Gnocchi the way that notifications do.
        "oslo_messaging_notifications": {"driver": "messagingv2"},
    }
    return openstack.merged({"DEFAULT": {"use_stderr": True}}, messaging, own)


def _publishers(cloud: Cloud, region: Region) -> list[Any]:
    to = ["gnocchi://"]
    if cloud.hosts_of("aodh", region.name):
        alarms = openstack.transport_url(cloud, region, ALARMS).removeprefix("rabbit://")
        to.append(f"notifier://{alarms}?driver=rabbit&topic=alarm.all")
    return to
