"""Gnocchi: the metrics that Ceilometer and users send, on every controller; API and metricd all at work.

What comes in waits in Valkey until a metricd has counted it; series are in Swift, what they are of in the database. The
metricds share the work among themselves through Valkey: one that dies is missed after `service_down`, and the others
take its share. What was sent in the last second before all of Valkey lost power is lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import endpoints, openstack, tls, units, valkey
from fournines.services.capabilities import UWSGI, Account, CatalogueEntry, Frontend, Function, Movable, Registration
from fournines.services.database_access import database_url
from fournines.services.render import Sections
from fournines.services.resource import Package, Resource
from fournines.services.safeguard import Safeguard, both, is_set, several, when
from fournines.services.schema import schema
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed
from fournines.timing import timers

CONFIG = "/etc/gnocchi/gnocchi.conf"
#: Shares of work: some for each process of each host. The package's default of 32768 is for hundreds of them.
SACKS = 128
API = units.Wsgi(
    unit="gnocchi-api.service",
    service="gnocchi",
    description="Gnocchi API",
    user="gnocchi",
    port=8041,
    application={"wsgi-file": "/usr/bin/gnocchi-api"},
    config=CONFIG,
    asked="/v1/archive_policy",
)
METRICD = units.Daemon(
    unit="gnocchi-metricd.service",
    service="gnocchi",
    description="Gnocchi metricd",
    user="gnocchi",
    nice=10,
    command=f"/usr/bin/gnocchi-metricd --config-file {CONFIG}",
    config="gnocchi.conf",
    workers=(("metricd", "workers"),),
)


class Gnocchi(Service):
    name: ClassVar[str] = "gnocchi"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "full"
    needs: ClassVar[tuple[str, ...]] = ("keystone", "swift", "valkey")
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (API.unit, METRICD.unit)
    databases: ClassVar[tuple[str, ...]] = ("gnocchi",)
    coordination: ClassVar[tuple[str, ...]] = ("gnocchi",)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {"gnocchi.conf": ("gnocchi",), "uwsgi.ini": UWSGI}
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "gnocchi.conf": (Timed("storage", "swift_timeout", "api_timeout"),)
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("gnocchi.conf"),
        Safeguard(
            "gnocchi.conf",
            "storage",
            "driver",
            both(several, when("file")),
            "each host keeps series of its own",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "gnocchi.conf",
            "incoming",
            "driver",
            both(several, when("file")),
            "measures wait on the host that took them",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "gnocchi.conf",
            "indexer",
            "url",
            is_set,
            "all services reach the database through the internal VIP",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "gnocchi.conf",
            "DEFAULT",
            "coordination_url",
            is_set,
            "the metricds share their work through this cloud's Valkey",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "gnocchi.conf",
            "incoming",
            "redis_url",
            is_set,
            "the measures wait in this cloud's Valkey",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "gnocchi.conf", "metricd", "greedy", when("true"), "a frozen Valkey freezes every metricd", "remove it"
        ),
    )
    functions: ClassVar[tuple[Function, ...]] = (
        Function("list_metrics", "lists metrics"),
        Function("create_metric", "creates a metric and has its measures counted", writes=("swift_storage",)),
    )

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(API, METRICD)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        for package in ("gnocchi-api", "gnocchi-metricd", "python3-redis", "python3-swiftclient"):
            yield Package(package)
        region = cloud.region_of(host)
        sections = openstack.merged(openstack.authtoken(cloud, host, "gnocchi"), _own(cloud, region))
        yield from valkey.client(cloud, host, "gnocchi", self.units)
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="gnocchi", units=self.units)
        environment = _trust(cloud)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            trust = "".join(f"{name}={value} " for name, value in environment.items())
            upgrade = f"{trust}gnocchi-upgrade --sacks-number {SACKS}"
            yield from schema(
                "gnocchi",
                config=CONFIG,
                section="indexer",
                option="url",
                versions="gnocchi/indexer/alembic/versions",
                user="gnocchi",
                # The tables last: they are what says that all of it is done.
                sync=f"sh -c '{upgrade} --skip-index --skip-archive-policies-creation && {upgrade}'",
            )
        yield from units.wsgi(cloud, host, replace(API, environment=environment))
        yield from units.daemon(cloud, replace(METRICD, environment=environment))

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        # Counts what waits in Valkey, and who works on it.
        yield from units.answers(cloud, host, API)
        yield units.runs(cloud, host, METRICD.unit)

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        # Batches of measures may be large.
        return (replace(units.frontend(cloud, API), body=64 * 1024 * 1024),)

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        account = Account("gnocchi", roles=("service", "swiftoperator"))
        return Registration((CatalogueEntry("metric", "gnocchi", API.port),), (account,))


def _trust(cloud: Cloud) -> dict[str, str]:
    """Gnocchi 4.6 hands the Sentinels' client its own certificate, but not the authority to check theirs against: that
    falls back to what OpenSSL trusts. Its other clients are told of theirs by name."""
    return {"SSL_CERT_FILE": valkey.AUTHORITY} if tls.required(cloud) else {}


def _own(cloud: Cloud, region: Region) -> Sections:
    t = timers(cloud)
    pool = openstack.database(cloud, region, "gnocchi")["database"]
    login = openstack.keystone_login(cloud, "gnocchi")
    return {
        "DEFAULT": {"coordination_url": valkey.coordination(cloud, region, "gnocchi")},
        "api": {"auth_mode": "keystone", "enable_proxy_headers_parsing": True},
        "database": {name: value for name, value in pool.items() if name != "connection"},
        "indexer": {"url": database_url(cloud, region, "gnocchi")},
        "incoming": {"driver": "redis", "redis_url": valkey.url(cloud, region, "gnocchi")},
        "metricd": {
            # Greedy ones wait for Valkey's word without a timeout: a frozen master would freeze them.
            "greedy": False,
            "metric_processing_delay": 15,
        },
        "storage": {
            "driver": "swift",
            "swift_auth_version": 3,
            "swift_authurl": endpoints.keystone_internal(cloud, region),
            "swift_user": login.name,
            "swift_key": login.password,
            "swift_user_domain_name": "Default",
            "swift_project_name": "service",
            "swift_project_domain_name": "Default",
            "swift_region": region.name,
            "swift_cacert": tls.CA if tls.apis(cloud) else None,
            "swift_endpoint_type": "internalURL",
            "swift_timeout": math.ceil(t.api_timeout) or None,
        },
    }
