"""Cinder's API and scheduler on every controller, all of them at work.

Stateless but for the database. Locks on volumes are Valkey's: the API does not even load while none of its members
answers, so those come first. What carries the volumes out is `cinder_volume`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import broker, endpoints, openstack, tls, units, valkey
from fournines.services.capabilities import (
    UWSGI,
    Account,
    CatalogueEntry,
    Frontend,
    Function,
    Movable,
    Registration,
    present,
)
from fournines.services.render import Sections
from fournines.services.resource import Package, Resource, Task
from fournines.services.safeguard import Safeguard, is_set
from fournines.services.schema import schema
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed
from fournines.timing import timers

CONFIG = "/etc/cinder/cinder.conf"
GLANCE_PORT = 9292
VOLUME_UNIT = "cinder-volume.service"
API = units.Wsgi(
    unit="cinder-api.service",
    service="cinder",
    description="OpenStack Cinder API",
    user="cinder",
    port=8776,
    application="cinder_application.py",
    config=CONFIG,
    asked="/v3/volumes?limit=1",
)
SCHEDULER = units.Daemon(
    unit="cinder-scheduler.service",
    service="cinder",
    description="OpenStack Cinder scheduler",
    user="cinder",
    command=f"/usr/bin/cinder-scheduler --config-file {CONFIG}",
)
#: The timers in its file, beside those of every service's.
TIMED = (
    Timed("DEFAULT", "glance_request_timeout", "api_timeout"),
    Timed("DEFAULT", "report_interval", "report_interval"),
    Timed("DEFAULT", "service_down_time", "service_down"),
    Timed("nova", "timeout", "api_timeout"),
)


class Cinder(Service):
    name: ClassVar[str] = "cinder"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("keystone", *broker.SERVICES, "valkey")
    after: ClassVar[tuple[str, ...]] = ("glance",)
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (API.unit, SCHEDULER.unit)
    databases: ClassVar[tuple[str, ...]] = ("cinder",)
    vhosts: ClassVar[tuple[str, ...]] = ("cinder",)
    coordination: ClassVar[tuple[str, ...]] = ("cinder",)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "cinder.conf": ("cinder", "oslo.reports", "oslo.versionedobjects"),
        "uwsgi.ini": UWSGI,
    }
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {"cinder.conf": TIMED}
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("cinder.conf"),
        *openstack.each_host("cinder.conf", "DEFAULT", "host", "my_ip"),
        *(
            Safeguard(
                "cinder.conf",
                "DEFAULT",
                option,
                is_set,
                "cinder-volume reads it in its own file",
                'services.cinder_volume.options."cinder-volume.conf"',
                fatal=True,
            )
            for option in ("enabled_backends", "cluster")
        ),
    )
    functions: ClassVar[tuple[Function, ...]] = (
        Function("list_volumes", "lists volumes"),
        Function("create_volume", "creates a volume", needs=("cinder_volume",)),
    )

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(API, SCHEDULER)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package("cinder-api")
        yield Package("cinder-scheduler")
        yield from config(cloud, host)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from schema(
                "cinder",
                config=CONFIG,
                versions="cinder/db/migrations/versions",
                user="cinder",
                sync="cinder-manage db sync",
            )
        yield from units.wsgi(cloud, host, API)
        yield from units.daemon(cloud, SCHEDULER)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield from units.answers(cloud, host, API)
        yield units.runs(cloud, host, SCHEDULER.unit)

    def forgets(self, cloud: Cloud, host: Host, name: str) -> Iterable[Resource]:
        # Volumes of a lease's back end are another host's by then; those of its own, `HOST@BACKEND`, it had to keep.
        listed = f"cinder-manage service list 2>/dev/null | awk -v h={name} '$2 == h || index($2, h \"@\") == 1'"
        yield Task(
            name=f"Cinder has no services on {name}",
            check=f'said=$({listed} | wc -l) && [ $said = 0 ] && echo ok || echo "$said services"',
            script=f"{listed} | while read -r binary where _; do cinder-manage service remove $binary $where; done",
            timeout=300,
        )

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        return (units.frontend(cloud, API),)

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        # Nova and Heat look for the older of the names by which the same API goes.
        names = (("block-storage", "cinder"), ("volumev3", "cinderv3"))
        return Registration(
            tuple(CatalogueEntry(type, name, API.port, "/v3") for type, name in names), (Account("cinder"),)
        )


def config(cloud: Cloud, host: Host) -> Iterable[Resource]:
    """The file that all of Cinder's daemons on `host` read, and what they show to Valkey."""
    region = cloud.region_of(host)
    sections = openstack.merged(
        openstack.common(),
        openstack.database(cloud, region, "cinder"),
        openstack.messaging(cloud, region, "cinder"),
        openstack.notifications(cloud, region, "cinder"),
        openstack.authtoken(cloud, host, "cinder"),
        openstack.service_user(cloud, region, "cinder"),
        _own(cloud, host),
    )
    readers = (
        s for s in present(cloud, region.name) if s.name in ("cinder", "cinder_volume") and s.name in host.services
    )
    read_by = [unit for service in readers for unit in service.units_in(cloud)]
    yield from valkey.client(cloud, host, "cinder", read_by)
    yield openstack.config_file(cloud, "cinder", CONFIG, sections, group="cinder", units=read_by)


def _own(cloud: Cloud, host: Host) -> Sections:
    region, t = cloud.region_of(host), timers(cloud)
    nova = openstack.client(cloud, region, "cinder")
    known = (
        "auth_type",
        "auth_url",
        "username",
        "password",
        "user_domain_name",
        "project_name",
        "project_domain_name",
        "region_name",
        "timeout",
        "cafile",
    )
    timeout = math.ceil(t.api_timeout)
    return {
        "DEFAULT": {
            "host": host.name,
            "my_ip": host.address,
            "state_path": "/var/lib/cinder",
            "glance_api_servers": endpoints.internal(cloud, region, GLANCE_PORT),
            "glance_ca_certificates_file": tls.CA if tls.apis(cloud) else None,
            "glance_num_retries": 0,
            "glance_request_timeout": timeout or None,
            "report_interval": math.ceil(t.report_interval),
            "service_down_time": math.ceil(t.service_down),
            # A volume of a backend that all zones reach is no zone's.
            "allow_availability_zone_fallback": True,
        },
        "coordination": {"backend_url": valkey.coordination(cloud, region, "cinder")},
        "nova": {**{name: nova[name] for name in known if name in nova}, "interface": "internal"},
    }
