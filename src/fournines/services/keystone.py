"""Keystone under uWSGI on every controller, all of them serving behind HAProxy.

Stateless: what the nodes must share is the database (through the internal VIP), the fernet and credential keys (the
same files everywhere, from the cloud's secrets) and a cache that may vanish. It also holds what the other services are
known by: their catalogue entries and accounts are made in its stage, before any of them starts.

Healthy means that a password buys a token: keystone answers 200 on /healthcheck and /v3 with no tables at all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.cloud.secrets import new_password
from fournines.services import endpoints, fernet, memcached, openstack, passive, quoting, tls, units
from fournines.services.capabilities import UWSGI, Frontend, Function, Movable
from fournines.services.registration import accounts, password_of, registration
from fournines.services.render import Sections, module, program
from fournines.services.resource import Directory, File, Package, Resource, Task
from fournines.services.rotation import AtOnce, Rotation, TwoValid
from fournines.services.safeguard import Safeguard, below, is_set, unless, when
from fournines.services.schema import holder, mixed, schema
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed
from fournines.services.tls import system_trusts
from fournines.timing import timers

#: Bytes; as oslo.middleware's sizelimit has it.
LARGEST_REQUEST = 114_688
UNIT = "keystone.service"
PORT = endpoints.KEYSTONE_PORT
CONFIG = "/etc/keystone/keystone.conf"
KEYS = "/etc/keystone/fernet-keys"
CREDENTIAL_KEYS = "/etc/keystone/credential-keys"
CACHE_KEY = "/etc/keystone/cache.key"
#: Where Keystone's API finds it, and `keystone-manage`, whatever the version of Python.
CACHE_PROXY = "/usr/lib/python3/dist-packages/fournines_cache.py"
STATE_SCRIPT = "/usr/lib/fournines/keystone-state"
AUTH_REQUEST = "/etc/fournines/keystone-auth.json"
#: What Keystone stores of a password takes 0.3 s to compare with, so the host remembers which one it has set.
ADMIN_MARK = "/var/lib/fournines/keystone-admin"
TOKEN_LIFETIME = 3600  # seconds; keystone's default, stated because the rotation of keys depends on it
EXPIRED_WINDOW = 172800  # seconds that a service may still use a token it got before it expired; keystone's default


class Keystone(Service):
    name: ClassVar[str] = "keystone"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = (
        *("mariadb", "mariadb_shared", "mariadb_accounts", "mariadb_replica", "mariadb_replica_accounts"),
        *("memcached", "haproxy", "keepalived", "pacemaker"),
    )
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    databases: ClassVar[tuple[str, ...]] = ("keystone",)
    filled: ClassVar[tuple[str, ...]] = tuple(
        f"keystone.{table}" for table in ("user", "local_user", "password", "project", "role", "assignment", "endpoint")
    )
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {"keystone.conf": ("keystone",), "uwsgi.ini": UWSGI}
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "keystone.conf": (
            Timed("cache", "memcache_socket_timeout", "memcache_socket_timeout"),
            Timed("cache", "memcache_dead_retry", "memcache_dead_retry"),
        )
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("keystone.conf"),
        Safeguard(
            "keystone.conf",
            "token",
            "provider",
            unless("fernet"),
            "its keys are not on the hosts: no host could read another's tokens",
            "fernet",
            fatal=True,
        ),
        Safeguard(
            "keystone.conf",
            "fernet_*",
            "key_repository",
            is_set,
            "the keys that all hosts share are elsewhere: each would make its own, and refuse the others' tokens",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "keystone.conf",
            "credential",
            "key_repository",
            is_set,
            "the keys that all hosts share are elsewhere",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "keystone.conf",
            "fernet_tokens",
            "max_active_keys",
            below(3),
            "a rotation drops the key of tokens that are still in use",
            "at least 3",
            fatal=True,
        ),
        Safeguard(
            "keystone.conf",
            "cache",
            "backend",
            unless("oslo_cache.memcache_pool"),
            "other clients of memcached ignore their timeouts: a cache that froze froze every Keystone for 67 s",
            "remove it",
        ),
        Safeguard(
            "keystone.conf",
            "cache",
            "enabled",
            when("false"),
            "every validation of a token reads the database",
            "remove it",
        ),
        Safeguard(
            "keystone.conf",
            "cache",
            "memcache_pool_flush_on_reconnect",
            when("false"),
            "a cache that was away answers with what it knew before, a revoked token for instance",
            "remove it",
        ),
        Safeguard(
            "keystone.conf",
            "DEFAULT",
            "insecure_debug",
            when("true"),
            "errors tell strangers why they were refused",
            "remove it",
        ),
        Safeguard(
            "keystone.conf",
            "DEFAULT",
            "admin_token",
            is_set,
            "who has it is administrator, without an account",
            "remove it",
        ),
    )
    functions: ClassVar[tuple[Function, ...]] = (
        Function("authenticate", "gets a token"),
        Function("list_projects", "lists projects"),
    )

    def rotations(self) -> Mapping[str, Rotation]:
        return {
            "fernet-keys": AtOnce("the keys that encrypt tokens", _rotate_fernet_keys),
            "service-users": TwoValid(
                "the services' users in Keystone",
                lambda cloud: (password_of(account) for account in accounts(cloud) if not account.trustee),
            ),
            "admin": AtOnce(
                "the administrator's password",
                lambda cloud, _now: cloud.secrets.set("keystone.admin", new_password()),
                cost="tokens that were bought with the old password end",
            ),
        }

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(_api(cloud))

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        for package in ("keystone", "python3-memcache"):
            yield Package(package)
        region, api = cloud.region_of(host), _api(cloud)
        yield openstack.config_file(
            cloud,
            self.name,
            CONFIG,
            _config(cloud, region),
            group="keystone",
            units=self.units,
            release=cloud.versions.release_of(host.name),
        )
        yield File(
            CACHE_KEY,
            cloud.secrets.get("keystone.cache", fernet.new_key) + "\n",
            mode=0o640,
            group="keystone",
            secret=True,
            triggers=(f"restart:{UNIT}",),
        )
        yield File(CACHE_PROXY, module("fournines_cache.py"), triggers=(f"restart:{UNIT}",))
        yield from key_files(cloud, KEYS, fernet.keys(cloud).files)
        yield from key_files(cloud, CREDENTIAL_KEYS, fernet.credential_keys(cloud))
        yield File(AUTH_REQUEST, _auth_request(cloud), mode=0o600, secret=True)
        first = host == cloud.hosts_of(self.name, host.region)[0]
        if first:
            yield File(STATE_SCRIPT, program("keystone_state.py"), mode=0o755)
        if host == holder(cloud, self.name, region):
            yield from _tables(cloud, region)
        if first:
            yield _bootstrap(cloud, region)
        yield from units.wsgi(cloud, host, api)
        if first:
            # One that moves may work on another host.
            moves = passive.moves(cloud, UNIT)
            own = endpoints.keystone_internal(cloud, region) if moves else endpoints.backend(cloud, host, PORT, "/v3")
            yield from registration(cloud, region, own)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        region = cloud.region_of(host)
        issue = (
            "[ \"$(curl -s -m 20 -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json'"
            f" -d @{AUTH_REQUEST} "
        )
        # Of one that moves, whichever works is reached through the VIPs.
        through = {} if passive.moves(cloud, UNIT) else {"itself": endpoints.backend(cloud, host, PORT)}
        if host == cloud.hosts_of(self.name, host.region)[0]:  # a password costs 0.3 s of CPU: once is enough
            through["the internal VIP"] = endpoints.internal(cloud, region, PORT)
            through["the public VIP"] = endpoints.public(region, PORT)
        for name, url in through.items():
            yield Check(
                f"a password buys a token through {name}",
                host.name,
                f'{issue} --cacert /etc/fournines/ca.crt {url}/v3/auth/tokens)" = 201 ]',
                within=120,
                unit=UNIT,
            )

    def upgrade_checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        """It ends with 1 for what it only warns of."""
        if host == cloud.hosts_of(self.name, host.region)[0]:
            ask = "runuser -u keystone -- keystone-status upgrade check 2>&1"
            script = f'said=$({ask}) || [ $? -le 1 ] || {{ echo "$said"; false; }}'
            yield Check("keystone-status upgrade check", host.name, script, within=120)

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        # A fernet token is stored nowhere: issuing one twice leaves nothing behind.
        frontend = units.frontend(cloud, _api(cloud), repeatable="{ method POST } { path /v3/auth/tokens }")
        return (replace(frontend, body=LARGEST_REQUEST, issues_tokens=True),)


def key_files(cloud: Cloud, directory: str, keys: dict[int, str]) -> Iterable[Resource]:
    """A key repository. Highest index first: while a host changes over, the key that others already issue with (their
    new primary, its old staged one) is there under one name or the other at every moment."""
    yield Directory(directory, mode=0o750, owner="root", group="keystone")
    for index in sorted(keys, reverse=True):
        yield File(f"{directory}/{index}", keys[index], mode=0o640, group="keystone", secret=True)


def token_usable(cloud: Cloud) -> float:
    """Seconds for which a token that was just issued may still have to be decrypted."""
    token = cloud.options("keystone", "keystone.conf").get("token", {})
    lifetime = float(token.get("expiration", TOKEN_LIFETIME))
    return lifetime + float(token.get("allow_expired_window", EXPIRED_WINDOW))


def max_active_keys(cloud: Cloud) -> int:
    fernet_tokens = cloud.options("keystone", "keystone.conf").get("fernet_tokens", {})
    return int(fernet_tokens.get("max_active_keys", fernet.MAX_ACTIVE_KEYS))


def _rotate_fernet_keys(cloud: Cloud, now: float) -> None:
    rotated = fernet.rotated(fernet.keys(cloud), now, token_usable(cloud), max_active_keys(cloud))
    cloud.secrets.set(fernet.SECRET, fernet.dumps(rotated))


def _api(cloud: Cloud) -> units.Wsgi:
    """Checked more often than other APIs: all of them wait for it. Two processes at least: passwords cost CPU."""
    return units.Wsgi(
        unit=UNIT,
        service="keystone",
        description="OpenStack Keystone API",
        user="keystone",
        port=PORT,
        application="keystone_application.py",
        # Everybody asks it first: after the loss of a controller, when all connect anew at once, they waited for it.
        # What this gains has not been measured.
        nice=-5,
        workers=2,
        inter=timers(cloud).api_check_inter,
        forked=True,
    )


def _config(cloud: Cloud, region: Region) -> Sections:
    t = timers(cloud)
    # keystone.common.sql.upgrades hands the address to alembic as it is: `%` is a reference there.
    quoting.unreserved(cloud.secrets.get("keystone.database"), "keystone-manage db_sync refuses an address with a %")
    own: Sections = {
        "cache": {
            "enabled": True,
            "backend": "oslo_cache.memcache_pool",
            # Shared: what is revoked through one node is forgotten by all. Sealed: others might write there.
            "memcache_servers": memcached.servers(cloud, region.name),
            "proxies": "fournines_cache.Sealed",
            "memcache_socket_timeout": t.memcache_socket_timeout,
            "memcache_dead_retry": math.ceil(t.memcache_dead_retry),
            "memcache_pool_connection_get_timeout": 2,
            # A server that was away must not answer with what it knew before, a revoked token for instance.
            "memcache_pool_flush_on_reconnect": True,
        },
        "credential": {"key_repository": CREDENTIAL_KEYS},
        "fernet_tokens": {"key_repository": KEYS, "max_active_keys": fernet.MAX_ACTIVE_KEYS},
        # bcrypt hashes no more than 72 bytes; the default of 4096 only makes every login log that it was cut.
        "identity": {"max_password_length": 72},
        # Of a person's account; those of services and the administrator have random passwords, and are exempt: whoever
        # knew their names could else lock the whole cloud (registration).
        "security_compliance": {"lockout_failure_attempts": 8, "lockout_duration": 900},
        "token": {"provider": "fernet", "expiration": TOKEN_LIFETIME, "allow_expired_window": EXPIRED_WINDOW},
    }
    return openstack.merged(openstack.common(), openstack.database(cloud, region, "keystone"), own)


def _auth_request(cloud: Cloud) -> str:
    user = {"name": "admin", "domain": {"id": "default"}, "password": cloud.secrets.get("keystone.admin")}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    request = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    return json.dumps(request) + "\n"


def _tables(cloud: Cloud, region: Region) -> Iterable[Resource]:
    """While hosts of the release before still serve: only what adds, once the new code has looked at what is there
    (`keystone-status` ends with 1 for what it only warns of)."""
    look = "sh -c 'keystone-status upgrade check || [ $? -le 1 ]' && runuser -u keystone --"
    both = mixed(cloud, "keystone", region)
    yield from schema(
        "keystone",
        config=CONFIG,
        versions="keystone/common/sql/migrations/versions",
        user="keystone",
        sync=f"{look} keystone-manage db_sync --expand" if both else "keystone-manage db_sync",
        branch="expand" if both else "",
    )


def _bootstrap(cloud: Cloud, region: Region) -> Task:
    """The first region, endpoints and administrator: once, from one host, before any API answers."""
    internal, public = endpoints.keystone_internal(cloud, region), endpoints.keystone_public(region)
    mark = cloud.secrets.mark("keystone.admin")
    return Task(
        name="keystone bootstrap",
        check=f"{STATE_SCRIPT} bootstrap {region.name} {internal} {public} {mark}",
        python=True,
        # It sets the administrator's password where that is another one.
        script=(
            "IFS= read -r OS_BOOTSTRAP_PASSWORD\nexport OS_BOOTSTRAP_PASSWORD\n"
            "runuser -u keystone -- keystone-manage bootstrap --bootstrap-username admin"
            f" --bootstrap-project-name admin --bootstrap-role-name admin --bootstrap-service-name keystone"
            f" --bootstrap-region-id {region.name} --bootstrap-internal-url {internal}"
            f" --bootstrap-public-url {public} --bootstrap-admin-url {internal}\n"
            f"echo {mark} > {ADMIN_MARK}"
        ),
        stdin=cloud.secrets.get("keystone.admin") + "\n",
        timeout=300,
    )


def clouds_yaml(cloud: Cloud, ca_path: str) -> str:
    """`clouds.yaml`: `CLOUD` (of several regions: `CLOUD-REGION`) through the public VIP, and `…-internal` through the
    internal one. `ca_path`: what verifies the public VIP; left out where every system trusts it. Holds the
    administrator's password."""
    trust = {} if system_trusts(cloud) else {"cacert": ca_path}
    inside = {"cacert": ca_path} if tls.apis(cloud) else {}
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
            ("", endpoints.keystone_public(region), {"interface": "public", **trust}),
            ("-internal", endpoints.keystone_internal(cloud, region), {"interface": "internal", **inside}),
        ):
            clouds[name + suffix] = {
                "auth": {"auth_url": url, **auth},
                "region_name": region.name,
                "identity_api_version": 3,
                **extra,
            }
    # JSON is YAML; every reader of clouds.yaml takes it, and it needs no emitter.
    return json.dumps({"clouds": clouds}, indent=2) + "\n"
