"""Horizon under uWSGI on every controller, all of them serving behind HAProxy, with TLS at the public VIP's port 443.

Sessions are rows in the database: each node knows every session, and a controller that goes away logs nobody out.
Horizon keeps objects in them, so they are pickled; Django signs each row and unpickles none whose signature is wrong,
which it would not do of a memcached's. The nodes share the key that signs. The health check asks the application
without rendering a page: a login page, asked for four times a second by three load balancers, is a core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import database_access, endpoints, passive, sandbox, tls, units
from fournines.services.capabilities import Frontend, Function, Movable
from fournines.services.render import HEADER, module, program, template
from fournines.services.resource import File, Package, Resource, Task
from fournines.services.safeguard import Safeguard, having, is_set, unless, when
from fournines.services.service import Check, HaPattern, Service
from fournines.timing import timers

SETTINGS = "/etc/openstack-dashboard/local_settings.py"
OURS = "/etc/openstack-dashboard/local_settings.d/_99_fournines.py"
APPLICATION = "/usr/lib/fournines/horizon.py"
TABLES = "/usr/lib/fournines/horizon-tables"
STATIC = "/var/lib/openstack-dashboard/static"
PORT = 8880
PUBLIC_PORT = 443
API = units.Wsgi(
    unit="horizon.service",
    service="horizon",
    description="OpenStack Dashboard (Horizon)",
    user="horizon",
    port=PORT,
    application={"wsgi-file": APPLICATION, "static-map": f"/static={STATIC}"},
    threads=8,  # each page waits for several APIs
    sandbox=sandbox.service("horizon", "/var/lib/openstack-dashboard"),
)
CLEAR = units.Round(
    name="horizon-sessions",
    description="Removes sessions of Horizon that have expired",
    user="horizon",
    command="/usr/share/openstack-dashboard/manage.py clearsessions",
    every="1d",
)


class Horizon(Service):
    name: ClassVar[str] = "horizon"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "full"
    needs: ClassVar[tuple[str, ...]] = ("keystone",)
    after: ClassVar[tuple[str, ...]] = ("cinder", "glance", "heat", "neutron", "nova", "swift")
    units: ClassVar[tuple[str, ...]] = (API.unit, CLEAR.timer)
    databases: ClassVar[tuple[str, ...]] = ("horizon",)
    guarded: ClassVar[tuple[Safeguard, ...]] = tuple(
        Safeguard("local_settings.py", "", *rest[:-1], fatal=rest[-1])
        for rest in (
            ("SECRET_KEY", is_set, "it is a secret: who has it signs any session", "remove it", True),
            ("DEBUG", when("true"), "errors show settings and sessions to whoever causes them", "remove it", False),
            (
                "SESSION_ENGINE",
                unless("django.contrib.sessions.backends.cached_db"),
                "a memcached that goes away logs users out",
                "remove it",
                False,
            ),
            ("DATABASES", is_set, "sessions are in the database, through the internal VIP", "remove it", True),
            ("SESSION_COOKIE_SECURE", when("false"), "sessions go over the network in the clear", "remove it", False),
            ("CSRF_COOKIE_SECURE", when("false"), "it goes over the network in the clear", "remove it", False),
            (
                "SECURE_PROXY_SSL_HEADER",
                is_set,
                "links lead to http://, which the public VIP does not answer",
                "remove it",
                False,
            ),
            (
                "ALLOWED_HOSTS",
                having("*"),
                "any name that a client claims is believed, and stands in links",
                "the names",
                False,
            ),
        )
    )
    functions: ClassVar[tuple[Function, ...]] = (Function("dashboard", "opens the dashboard and signs in"),)

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(API)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        restart = (f"restart:{API.unit}",)
        for package in ("openstack-dashboard", "python3-pymysql"):
            yield Package(package)
        if "heat" in cloud.components:
            yield Package("python3-heat-dashboard")
        yield File(SETTINGS, template("horizon/local_settings.py.j2"), triggers=restart)
        yield File(OURS, _settings(cloud, host), mode=0o640, group="horizon", secret=True, triggers=restart)
        yield File(APPLICATION, module("horizon_application.py"), triggers=restart)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield File(TABLES, program("horizon_tables.py"), mode=0o755)
            yield Task(
                name="horizon tables",
                check=TABLES,
                python=True,
                script="runuser -u horizon -- /usr/share/openstack-dashboard/manage.py migrate --noinput",
                timeout=300,
            )
        yield from units.wsgi(cloud, host, API)
        yield from units.rounds(CLEAR)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        region = cloud.region_of(host)
        urls = [] if passive.moves(cloud, API.unit) else [endpoints.backend(cloud, host, PORT)]
        if host == cloud.hosts_of(self.name, host.region)[0]:
            urls.append(endpoints.public(region, PUBLIC_PORT))
        for url in urls:
            yield Check(
                f"{url.partition(':')[0]}: the login page is served",
                host.name,
                f"curl -fsS -m 20 --cacert /etc/fournines/ca.crt {url}/auth/login/ | grep -q csrfmiddlewaretoken",
                within=120,
                unit=API.unit,
            )

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        # An image may be uploaded through it.
        return (replace(units.frontend(cloud, API, public_port=PUBLIC_PORT), body=0),)


def _settings(cloud: Cloud, host: Host) -> str:
    """Python: Horizon's settings have no other form."""
    region = cloud.region_of(host)
    settings: dict[str, Any] = {
        "ALLOWED_HOSTS": [
            *region.public_hosts,
            *(str(a) for a in (region.vips.public, region.vips.internal, host.address)),
        ],
        "SECRET_KEY": cloud.secrets.get("horizon.secret_key"),
        "OPENSTACK_KEYSTONE_URL": endpoints.keystone_internal(cloud, region),
        "OPENSTACK_ENDPOINT_TYPE": "internalURL",
        "OPENSTACK_SSL_CACERT": tls.CA if tls.apis(cloud) else None,
        "OPENSTACK_KEYSTONE_DEFAULT_ROLE": "member",
        # TLS ends at the load balancer, which says so, and takes the header from nobody else.
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",
        "DATABASES": {"default": _database(cloud, region)},
        # A process's own: Django unpickles what it finds in a memcached.
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    }
    theirs = cloud.options("horizon", "local_settings.py").get("", {})
    lines = (f"{name} = {value!r}\n" for name, value in (settings | dict(theirs)).items())
    return HEADER + "".join(lines)


def _database(cloud: Cloud, region: Region) -> dict[str, Any]:
    t = timers(cloud)
    limits = {"connect_timeout": t.db_connect_timeout, "read_timeout": t.db_read_timeout}
    options: dict[str, Any] = {
        "charset": "utf8mb4",
        **{name: round(seconds) for name, seconds in limits.items() if seconds},
    }
    if trust := database_access.trust(cloud):
        options["ssl"] = trust
    return {
        "ENGINE": "django.db.backends.mysql",  # on PyMySQL: see local_settings.py
        "HOST": str(database_access.address(cloud, region)),
        "PORT": database_access.PORT,
        "NAME": "horizon",
        "USER": "horizon",
        "PASSWORD": cloud.secrets.get("horizon.database"),
        "CONN_MAX_AGE": 0,  # a connection that outlives its request may be one through a dead load balancer
        "OPTIONS": options,
    }
