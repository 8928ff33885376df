"""Placement under uWSGI on every controller, all of them serving behind HAProxy.

Stateless: everything is in its database. Nova asks it before every boot and each compute reports to it once a minute;
a node that goes away costs a retry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import openstack, units
from fournines.services.capabilities import UWSGI, Account, CatalogueEntry, Frontend, Movable, Registration
from fournines.services.resource import Package, Resource
from fournines.services.safeguard import Safeguard
from fournines.services.schema import schema
from fournines.services.service import Check, HaPattern, Rolling, Service

CONFIG = "/etc/placement/placement.conf"
API = units.Wsgi(
    unit="placement-api.service",
    service="placement",
    description="OpenStack Placement API",
    user="placement",
    port=8778,
    application={"wsgi-file": "/usr/bin/placement-api"},
    check="/",  # the versions: the API has no health check of its own, and needs no token for them
    config=CONFIG,
    asked="/resource_providers",
)


class Placement(Service):
    name: ClassVar[str] = "placement"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("keystone",)
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (API.unit,)
    databases: ClassVar[tuple[str, ...]] = ("placement",)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {"placement.conf": ("placement.conf",), "uwsgi.ini": UWSGI}

    guarded: ClassVar[tuple[Safeguard, ...]] = (*openstack.guards("placement.conf"),)

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(API)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region = cloud.region_of(host)
        yield Package("placement-api")
        sections = openstack.merged(
            openstack.common(),
            openstack.authtoken(cloud, host, "placement"),
            openstack.database(cloud, region, "placement", section="placement_database"),
        )
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="placement", units=self.units)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from schema(
                "placement",
                config=CONFIG,
                section="placement_database",
                versions="placement/db/sqlalchemy/alembic/versions",
                user="placement",
                sync="placement-manage db sync",
            )
        yield from units.wsgi(cloud, host, API)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        return units.answers(cloud, host, API)

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        return (units.frontend(cloud, API),)

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        entry = CatalogueEntry("placement", "placement", API.port)
        return Registration((entry,), (Account("placement", roles=("service",)),))
