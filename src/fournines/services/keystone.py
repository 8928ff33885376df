"""Keystone under uWSGI on every controller, all of them serving behind HAProxy.

Stateless: what the nodes must share is the database (through the internal VIP), the fernet and credential keys (the
same files everywhere, from the cloud's secrets) and a cache that may vanish. A node is drained before it stops: its
`/healthcheck` turns 404, which tells HAProxy to send it nothing new, and only then does uWSGI finish what it has.

Healthy means that a password buys a token: keystone answers 200 on /healthcheck and /v3 with no tables at all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import fernet, memcached
from fournines.services.capabilities import Frontend, Function
from fournines.services.mariadb import database_url
from fournines.services.render import ini, template
from fournines.services.resource import Directory, File, Package, Resource, Task, Unit
from fournines.services.service import Check, HaPattern, Service
from fournines.timing import timers

UNIT = "keystone.service"
PORT = 5000
KEYS = "/etc/keystone/fernet-keys"
CREDENTIAL_KEYS = "/etc/keystone/credential-keys"
STATE_SCRIPT = "/usr/lib/fournines/keystone-state"
AUTH_REQUEST = "/etc/fournines/keystone-auth.json"
TOKEN_LIFETIME = 3600  # seconds; keystone's default, stated because the rotation of keys depends on it
EXPIRED_WINDOW = 172800  # seconds that a service may still use a token it got before it expired; keystone's default
DRAIN_FILE = "/run/keystone/drain"


class Keystone(Service):
    name: ClassVar[str] = "keystone"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("mariadb", "memcached", "haproxy", "keepalived")
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    databases: ClassVar[tuple[str, ...]] = ("keystone",)
    functions: ClassVar[tuple[Function, ...]] = (
        Function("authenticate", "gets a token"),
        Function("list_projects", "lists projects"),
    )

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        restart = (f"restart:{UNIT}",)
        for package in ("keystone", "python3-memcache", "uwsgi-plugin-python3"):
            yield Package(package)
        yield File(
            "/etc/keystone/keystone.conf",
            _config(cloud, host),
            mode=0o640,
            group="keystone",
            secret=True,
            triggers=restart,
        )
        yield from key_files(cloud, KEYS, fernet.keys(cloud).files)
        yield from key_files(cloud, CREDENTIAL_KEYS, fernet.credential_keys(cloud))
        yield File("/etc/keystone/fournines-uwsgi.ini", _uwsgi(cloud, host), triggers=restart)
        # A whole unit, not a drop-in: the packaged one wants a database and a bus on this very host.
        yield File(
            f"/etc/systemd/system/{UNIT}",
            template("keystone/unit.service.j2", drain_file=DRAIN_FILE, drain_seconds=_drain_seconds(cloud)),
            triggers=restart,
        )
        yield File(AUTH_REQUEST, _auth_request(cloud), mode=0o600, secret=True)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from _state(cloud, cloud.region_of(host))
        yield Unit(UNIT)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        vips = cloud.region_of(host).vips
        issue = (
            "[ \"$(curl -s -m 20 -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json'"
            f" -d @{AUTH_REQUEST} "
        )
        through = {"itself": f"http://{host.address}:{PORT}"}
        if host == cloud.hosts_of(self.name, host.region)[0]:  # a password costs 0.3 s of CPU: once is enough
            through["the internal VIP"] = f"http://{vips.internal}:{PORT}"
            through["the public VIP"] = f"https://{vips.public}:{PORT}"
        for name, url in through.items():
            yield Check(
                f"a password buys a token through {name}",
                host.name,
                f'{issue} --cacert /etc/fournines/ca.crt {url}/v3/auth/tokens)" = 201 ]',
                within=120,
                unit=UNIT,
            )

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        return (
            Frontend(
                self.name,
                PORT,
                "http",
                check="/healthcheck",
                public=True,
                # A fernet token is stored nowhere: issuing one twice leaves nothing behind.
                repeatable="{ method POST } { path /v3/auth/tokens }",
                settings={"http-check disable-on-404": True},
            ),
        )


def key_files(cloud: Cloud, directory: str, keys: dict[int, str]) -> Iterable[Resource]:
    """A key repository. Highest index first: while a host changes over, the key that others already issue with (their
    new primary, its old staged one) is there under one name or the other at every moment."""
    yield Directory(directory, mode=0o750, owner="root", group="keystone")
    for index in sorted(keys, reverse=True):
        yield File(f"{directory}/{index}", keys[index], mode=0o640, group="keystone", secret=True)


def internal_url(region: Region) -> str:
    return f"http://{region.vips.internal}:{PORT}/v3"


def public_url(region: Region) -> str:
    return f"https://{region.vips.public}:{PORT}/v3"


def token_usable(cloud: Cloud) -> float:
    """Seconds for which a token that was just issued may still have to be decrypted."""
    token = cloud.options("keystone", "keystone.conf").get("token", {})
    lifetime = float(token.get("expiration", TOKEN_LIFETIME))
    return lifetime + float(token.get("allow_expired_window", EXPIRED_WINDOW))


def max_active_keys(cloud: Cloud) -> int:
    fernet_tokens = cloud.options("keystone", "keystone.conf").get("fernet_tokens", {})
    return int(fernet_tokens.get("max_active_keys", fernet.MAX_ACTIVE_KEYS))


def _drain_seconds(cloud: Cloud) -> int:
    t = timers(cloud)
    return math.ceil(t.check_inter + t.check_timeout)


def _config(cloud: Cloud, host: Host) -> str:
    region, t = cloud.region_of(host), timers(cloud)
    sections: dict[str, dict[str, Any]] = {
        "DEFAULT": {"use_stderr": True},
        "cache": {
            "enabled": True,
            "backend": "oslo_cache.memcache_pool",
            "memcache_servers": memcached.servers(cloud, region.name),
            "memcache_socket_timeout": t.memcache_socket_timeout,
            "memcache_dead_retry": math.ceil(t.memcache_dead_retry),
            "memcache_pool_connection_get_timeout": 2,
            # A server that was away must not answer with what it knew before, a revoked token for instance.
            "memcache_pool_flush_on_reconnect": True,
        },
        "credential": {"key_repository": CREDENTIAL_KEYS},
        "database": {
            "connection": database_url(cloud, region, "keystone"),
            "connection_recycle_time": t.db_pool_recycle,
            "max_pool_size": 5,
            "max_overflow": 20,
            "max_retries": t.db_max_retries,
            "retry_interval": math.ceil(t.db_retry_interval),
        },
        "fernet_tokens": {"key_repository": KEYS, "max_active_keys": fernet.MAX_ACTIVE_KEYS},
        # bcrypt hashes no more than 72 bytes; the default of 4096 only makes every login log that it was cut.
        "identity": {"max_password_length": 72},
        "oslo_middleware": {"enable_proxy_headers_parsing": True},
        "token": {"provider": "fernet", "expiration": TOKEN_LIFETIME, "allow_expired_window": EXPIRED_WINDOW},
    }
    return ini(sections, cloud.options("keystone", "keystone.conf"))


def _uwsgi(cloud: Cloud, host: Host) -> str:
    settings: dict[str, Any] = {
        "http-socket": f"{host.address}:{PORT}",
        "plugin": "python3",
        "wsgi-file": "/usr/bin/keystone-wsgi-public",
        "need-app": True,
        "master": True,
        "lazy-apps": True,
        "enable-threads": True,
        "thunder-lock": True,
        "processes": 2,
        "threads": 4,
        "listen": 1024,
        "buffer-size": 65535,
        "no-orphans": True,
        "disable-logging": True,
        "log-5xx": True,
        # SIGTERM lets every worker finish what it has, for so many seconds.
        "hook-master-start": "unix_signal:15 gracefully_kill_them_all",
        "worker-reload-mercy": 20,
        "route-if-not": "equal:${PATH_INFO};/healthcheck goto:serve",
        "route-if": f"exists:{DRAIN_FILE} break:404 Not Found",
        "route-label": "serve",
    }
    return ini({"uwsgi": settings}, cloud.options("keystone", "uwsgi.ini"))


def _auth_request(cloud: Cloud) -> str:
    user = {"name": "admin", "domain": {"id": "default"}, "password": cloud.secrets.get("keystone.admin")}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    request = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    return json.dumps(request) + "\n"


def _state(cloud: Cloud, region: Region) -> Iterable[Resource]:
    """Tables, and the first region, endpoints and administrator: once, from one host, before any API answers."""
    yield File(STATE_SCRIPT, template("keystone/state.py.j2"), mode=0o755)
    yield Task(
        name="keystone schema",
        check=f"{STATE_SCRIPT} schema",
        script="runuser -u keystone -- keystone-manage db_sync",
        timeout=300,
    )
    yield Task(
        name="keystone bootstrap",
        check=f"{STATE_SCRIPT} bootstrap {region.name} {internal_url(region)} {public_url(region)}",
        script=(
            "read -r OS_BOOTSTRAP_PASSWORD\nexport OS_BOOTSTRAP_PASSWORD\n"
            "runuser -u keystone -- keystone-manage bootstrap --bootstrap-username admin"
            f" --bootstrap-project-name admin --bootstrap-role-name admin --bootstrap-service-name keystone"
            f" --bootstrap-region-id {region.name} --bootstrap-internal-url {internal_url(region)}"
            f" --bootstrap-public-url {public_url(region)} --bootstrap-admin-url {internal_url(region)}"
        ),
        stdin=cloud.secrets.get("keystone.admin") + "\n",
        timeout=300,
    )


def clouds_yaml(cloud: Cloud, ca_path: str) -> str:
    """`clouds.yaml`: `CLOUD` (of several regions: `CLOUD-REGION`) through the public VIP, and `…-internal` through the
    internal one. Holds the administrator's password."""
    clouds: dict[str, Any] = {}
    for region in cloud.regions.values():
        name = cloud.name if len(cloud.regions) == 1 else f"{cloud.name}-{region.name}"
        auth = {
            "username": "admin",
            "password": cloud.secrets.get("keystone.admin"),
            "project_name": "admin",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        for suffix, url, extra in (
            ("", public_url(region), {"interface": "public", "cacert": ca_path}),
            ("-internal", internal_url(region), {"interface": "internal"}),
        ):
            clouds[name + suffix] = {
                "auth": {"auth_url": url, **auth},
                "region_name": region.name,
                "identity_api_version": 3,
                **extra,
            }
    # JSON is YAML; every reader of clouds.yaml takes it, and it needs no emitter.
    return json.dumps({"clouds": clouds}, indent=2) + "\n"
