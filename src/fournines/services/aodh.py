"""Aodh: alarms on Gnocchi's metrics and on events; API, evaluators, listeners and notifiers on every controller.

Evaluators share the alarms among themselves through Valkey, so that each is looked at by one of them: one that dies is
missed after `service_down`, and the others take its share. Events and what is to be told wait in queues.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import broker, openstack, units, valkey
from fournines.services.capabilities import UWSGI, Account, CatalogueEntry, Frontend, Function, Movable, Registration
from fournines.services.render import Sections
from fournines.services.resource import Package, Resource
from fournines.services.safeguard import Safeguard
from fournines.services.schema import schema
from fournines.services.service import Check, HaPattern, Rolling, Service

CONFIG = "/etc/aodh/aodh.conf"
API = units.Wsgi(
    unit="aodh-api.service",
    service="aodh",
    description="OpenStack Aodh API",
    user="aodh",
    port=8042,
    application={"wsgi-file": "/usr/share/aodh-common/app.wsgi"},
    config=CONFIG,
    asked="/v2/alarms?limit=1",
)
DAEMONS = tuple(
    units.Daemon(
        unit=f"aodh-{name}.service",
        service="aodh",
        description=f"OpenStack Aodh {name}",
        user="aodh",
        nice=10,
        command=f"/usr/bin/aodh-{name} --config-file {CONFIG}",
        config="aodh.conf",
        workers=((name, "workers"),),
    )
    for name in ("evaluator", "listener", "notifier")
)


class Aodh(Service):
    name: ClassVar[str] = "aodh"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "full"
    needs: ClassVar[tuple[str, ...]] = ("gnocchi", *broker.SERVICES, "valkey")
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (API.unit, *(daemon.unit for daemon in DAEMONS))
    databases: ClassVar[tuple[str, ...]] = ("aodh",)
    vhosts: ClassVar[tuple[str, ...]] = ("aodh",)
    coordination: ClassVar[tuple[str, ...]] = ("aodh",)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {"aodh.conf": ("aodh", "aodh-auth"), "uwsgi.ini": UWSGI}
    guarded: ClassVar[tuple[Safeguard, ...]] = (*openstack.guards("aodh.conf"),)
    functions: ClassVar[tuple[Function, ...]] = (Function("list_alarms", "lists alarms"),)

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(API, *DAEMONS)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region = cloud.region_of(host)
        for package in ("aodh-api", "aodh-evaluator", "aodh-listener", "aodh-notifier", "python3-redis"):
            yield Package(package)
        sections = openstack.merged(
            openstack.common(),
            openstack.database(cloud, region, "aodh"),
            openstack.messaging(cloud, region, "aodh"),
            openstack.authtoken(cloud, host, "aodh"),
            _own(cloud, region),
        )
        yield from valkey.client(cloud, host, "aodh", self.units)
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="aodh", units=self.units)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from schema(
                "aodh",
                config=CONFIG,
                versions="aodh/storage/sqlalchemy/alembic/versions",
                user="aodh",
                sync="aodh-dbsync",
            )
        yield from units.wsgi(cloud, host, API)
        for daemon in DAEMONS:
            yield from units.daemon(cloud, daemon)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield from units.answers(cloud, host, API)
        for daemon in DAEMONS:
            yield units.runs(cloud, host, daemon.unit)

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        return (units.frontend(cloud, API),)

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        return Registration((CatalogueEntry("alarming", "aodh", API.port),), (Account("aodh", trustee=True),))


def _own(cloud: Cloud, region: Region) -> Sections:
    return {
        "coordination": {"backend_url": valkey.coordination(cloud, region, "aodh")},
        "service_credentials": {
            **openstack.credentials(cloud, region, "aodh"),
            "region_name": region.name,
            "interface": "internal",
        },
    }
