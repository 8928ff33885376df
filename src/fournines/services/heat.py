"""Heat's APIs and engines on every controller, all of them at work.

Engines share a stack's resources among themselves (convergence): one that dies leaves work that the others take up with
the stack's next update, while what it had begun ends after its timeout. Users that stacks make are in a domain of
their own, `heat`, which only Heat administers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import broker, endpoints, openstack, tls, units
from fournines.services.capabilities import UWSGI, Account, CatalogueEntry, Frontend, Function, Movable, Registration
from fournines.services.render import Sections
from fournines.services.resource import Package, Resource
from fournines.services.safeguard import Safeguard, is_set, when
from fournines.services.schema import schema
from fournines.services.service import Check, HaPattern, Rolling, Service

CONFIG = "/etc/heat/heat.conf"
DOMAIN = "heat"
DOMAIN_ADMIN = "heat_domain_admin"
API = units.Wsgi(
    unit="heat-api.service",
    service="heat",
    description="OpenStack Heat API",
    user="heat",
    port=8004,
    application={"wsgi-file": "/usr/bin/heat-wsgi-api"},
    config=CONFIG,
    asked="/v1/PROJECT/stacks?limit=1",
)
CFN = units.Wsgi(
    unit="heat-api-cfn.service",
    service="heat",
    description="OpenStack Heat API for guests (CloudFormation)",
    user="heat",
    port=8000,
    application={"wsgi-file": "/usr/bin/heat-wsgi-api-cfn"},
    options="uwsgi-cfn.ini",
)
ENGINE = units.Daemon(
    unit="heat-engine.service",
    service="heat",
    description="OpenStack Heat engine",
    user="heat",
    command=f"/usr/bin/heat-engine --config-file {CONFIG}",
    config="heat.conf",
    workers=(("DEFAULT", "num_engine_workers"),),
)


class Heat(Service):
    name: ClassVar[str] = "heat"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "full"
    needs: ClassVar[tuple[str, ...]] = ("keystone", *broker.SERVICES)
    after: ClassVar[tuple[str, ...]] = ("cinder", "glance", "neutron", "nova")
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (API.unit, CFN.unit, ENGINE.unit)
    databases: ClassVar[tuple[str, ...]] = ("heat",)
    vhosts: ClassVar[tuple[str, ...]] = ("heat",)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "heat.conf": (
            "heat.api.aws.ec2token",
            *(f"heat.common.{part}" for part in ("cache", "config", "context", "crypt", "wsgi")),
            "heat.engine.clients",
            "heat.engine.clients.os.keystone.heat_keystoneclient",
            "heat.engine.hot.functions",
            "heat.engine.notification",
            "heat.engine.resources",
        ),
        "uwsgi.ini": UWSGI,
        "uwsgi-cfn.ini": UWSGI,
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("heat.conf"),
        *openstack.each_host("heat.conf", "DEFAULT", "host"),
        Safeguard(
            "heat.conf",
            "DEFAULT",
            "convergence_engine",
            when("false"),
            "a stack whose engine dies stays in progress",
            "remove it",
        ),
        Safeguard(
            "heat.conf",
            "DEFAULT",
            "auth_encryption_key",
            is_set,
            "it is a secret; what stacks hold encrypted by another one is lost",
            "remove it",
            fatal=True,
        ),
    )
    functions: ClassVar[tuple[Function, ...]] = (
        Function("list_stacks", "lists stacks"),
        Function("create_stack", "creates a stack"),
    )

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(API, CFN, ENGINE)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        for package in ("heat-api", "heat-api-cfn", "heat-engine"):
            yield Package(package)
        region = cloud.region_of(host)
        sections = openstack.merged(
            openstack.common(),
            openstack.database(cloud, region, "heat"),
            openstack.messaging(cloud, region, "heat"),
            openstack.notifications(cloud, region, "heat"),
            openstack.authtoken(cloud, host, "heat"),
            _own(cloud, region),
            {"DEFAULT": {"host": host.name}},
        )
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="heat", units=self.units)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from schema(
                "heat",
                config=CONFIG,
                versions="heat/db/migrations/versions",
                user="heat",
                sync="heat-manage db_sync",
            )
        yield from units.wsgi(cloud, host, API)
        yield from units.wsgi(cloud, host, CFN)
        yield from units.daemon(cloud, ENGINE)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        # Answered by an engine, over the bus.
        yield from units.answers(cloud, host, API)
        yield units.runs(cloud, host, CFN.unit)
        yield units.runs(cloud, host, ENGINE.unit)

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        return units.frontend(cloud, API), units.frontend(cloud, CFN)

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        return Registration(
            (
                CatalogueEntry("orchestration", "heat", API.port, "/v1/%(project_id)s"),
                CatalogueEntry("cloudformation", "heat-cfn", CFN.port, "/v1"),
            ),
            (Account("heat", trustee=True), Account(DOMAIN_ADMIN, roles=("admin",), domain=DOMAIN)),
            roles=("heat_stack_owner", "heat_stack_user"),
        )


def _own(cloud: Cloud, region: Region) -> Sections:
    # Guests reach the public VIP, and sign in by themselves: not as a member of a project.
    cfn = endpoints.public(region, CFN.port)
    trustee = {
        k: v
        for k, v in openstack.credentials(cloud, region, "heat").items()
        if not k.startswith("project_") and k != "cafile"
    }
    keystone = endpoints.keystone_internal(cloud, region)
    domain_admin = openstack.keystone_login(cloud, DOMAIN_ADMIN)
    return {
        "DEFAULT": {
            "heat_metadata_server_url": cfn,
            "heat_waitcondition_server_url": f"{cfn}/v1/waitcondition",
            "server_keystone_endpoint_type": "public",
            "region_name_for_services": region.name,
            # keystoneauth's connect_retries in all of its clients: a reset would repeat the POST that makes a server.
            "client_retry_limit": 0,
            "stack_user_domain_name": DOMAIN,
            "stack_domain_admin": domain_admin.name,
            "stack_domain_admin_password": domain_admin.password,
            # For what stacks keep encrypted in the database. It must have 32 characters, as our secrets have.
            "auth_encryption_key": cloud.secrets.get("heat.encryption"),
        },
        "trustee": trustee,
        "clients": {"endpoint_type": "internalURL", **_ca(cloud)},
        "clients_keystone": {"auth_uri": keystone, "endpoint_type": "internalURL", **_ca(cloud)},
        "ec2authtoken": {"auth_uri": keystone, **_ca(cloud)},
    }


def _ca(cloud: Cloud) -> dict[str, str]:
    return {"ca_file": tls.CA} if tls.apis(cloud) else {}
