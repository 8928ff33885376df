"""Swift's proxies on every controller, all of them serving behind HAProxy: Glance's images are here, and users' own.

Stateless. An object is written when two of its three replicas are; a storage host that does not accept within the
budget is left out and a hand-off takes its part; a read that is not answered at once is asked of the next replica too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import memcached, openstack, quoting, sandbox, swift_rings, swift_tls, tls, units
from fournines.services.capabilities import Account, CatalogueEntry, Frontend, Function, Registration
from fournines.services.options import operators
from fournines.services.render import Sections, ini
from fournines.services.resource import Directory, File, Package, Resource
from fournines.services.safeguard import Safeguard, is_set, unless
from fournines.services.service import Check, HaPattern, Service
from fournines.services.timed import Timed
from fournines.timing import timers

UNIT = "swift-proxy.service"
PORT = 8080
LOOPBACK = "127.0.0.1"
CONFIG = "/etc/swift/proxy-server.conf"
#: Swift's daemons set their own user, priority and limits when they start.
_FILTERS = ("@system-service",)
DRAIN_FILE = "/run/swift-proxy/drain"


class Swift(Service):
    name: ClassVar[str] = "swift"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("keystone", "swift_storage")
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.each_host("proxy-server.conf", "DEFAULT", "bind_ip"),
        Safeguard(
            "proxy-server.conf",
            "DEFAULT",
            "bind_port",
            unless("8080"),
            "the load balancer looks for it at 8080",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "proxy-server.conf",
            "filter:cache",
            "memcache_servers",
            is_set,
            "a cache on another host is waited for when that is dead, and what it holds is believed",
            "remove it: each host has its own",
        ),
        Safeguard(
            "proxy-server.conf",
            "filter:healthcheck",
            "disable_path",
            is_set,
            "a proxy that stops is not drained: requests in flight fail",
            "remove it",
        ),
        Safeguard(
            "swift.conf",
            "swift-hash",
            "*",
            is_set,
            "it is a secret; with another one no object is found again",
            "remove it",
            fatal=True,
        ),
    )
    functions: ClassVar[tuple[Function, ...]] = (
        Function("store_object", "stores an object", writes=("swift_storage",)),
        Function("read_object", "reads an object"),
    )

    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "proxy-server.conf": (Timed("filter:authtoken", "http_connect_timeout", "token_timeout"),)
    }

    def units_in(self, cloud: Cloud) -> tuple[str, ...]:
        return (*self.units, swift_tls.UNIT) if tls.apis(cloud) else self.units

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package("swift-proxy")
        yield from swift_rings.common(cloud, cloud.region_of(host))
        yield Directory("/var/cache/swift", owner="swift", group="swift")
        yield File(
            CONFIG,
            ini(_config(cloud, host), operators(cloud, self.name, "proxy-server.conf"), encode=quoting.paste),
            mode=0o640,
            group="swift",
            secret=True,
            triggers=(f"restart:{UNIT}",),
        )
        t = timers(cloud)
        yield from units.daemon(
            cloud,
            units.Daemon(
                unit=UNIT,
                service=self.name,
                description="OpenStack Swift proxy",
                user="swift",
                command=f"/usr/bin/swift-proxy-server {CONFIG}",
                before_stop=f"touch {DRAIN_FILE}; sleep {math.ceil(t.api_check_inter + t.check_timeout)}",
                sandbox=sandbox.service("swift", filters=_FILTERS),
                kill_signal="SIGHUP",  # finishes what it has, for up to a minute
                upholds=(swift_tls.UNIT,) if tls.apis(cloud) else (),
            ),
        )
        if tls.apis(cloud):
            yield from swift_tls.terminator(cloud, host, UNIT, PORT)
        else:
            yield swift_tls.none()

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        path = "/v1/AUTH_PROJECT?limit=1"
        return units.asked(cloud, host, self.name, unit=UNIT, port=PORT, config=CONFIG, path=path)

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        # Its health check cannot say 404. A proxy that answers anything but 200 gets nothing new and keeps what it has;
        # one that does not answer is down.
        drains = {"http-check expect": "status 200 error-status L7OKC"}
        inter = timers(cloud).api_check_inter
        return (
            Frontend(
                self.name,
                PORT,
                "http",
                check="/healthcheck",
                public=True,
                inter=inter,
                encrypts=True,
                settings=drains,
            ),
        )

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        entry = CatalogueEntry("object-store", "swift", PORT, "/v1/AUTH_%(project_id)s")
        return Registration(
            (entry,), (Account("swift", roles=("service", "swiftoperator")),), roles=("swiftoperator", "ResellerAdmin")
        )


def _config(cloud: Cloud, host: Host) -> Sections:
    t = timers(cloud)
    middlewares = (
        "catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl ratelimit authtoken "
        "keystoneauth copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server"
    )
    # What is known of tokens and accounts is kept in this host's memcached only: another's that is dead would be waited
    # for.
    local = f"{memcached.LOCAL}:{memcached.PORT}" if "memcached" in host.services else None
    account = openstack.authtoken(cloud, host, "swift")["keystone_authtoken"]
    plain: dict[str, dict[str, Any]] = {
        f"filter:{name}": {"use": f"egg:swift#{name.replace('-', '_')}"}
        for name in dict.fromkeys(middlewares.split())
        if name not in ("authtoken", "proxy-server", "cache", "healthcheck")
    }
    return {
        "DEFAULT": {
            "bind_ip": LOOPBACK if tls.apis(cloud) else host.address,
            "bind_port": PORT,
            "user": "swift",
            "swift_dir": swift_rings.DIRECTORY,
            "workers": "auto",
            "log_level": "WARNING",
        },
        "pipeline:main": {"pipeline": middlewares},
        "app:proxy-server": {
            "use": "egg:swift#proxy",
            "account_autocreate": True,
            "conn_timeout": t.connect_timeout,
            "recoverable_node_timeout": 3 * t.check_timeout,
            "concurrent_gets": True,
            "concurrency_timeout": t.connect_timeout,
        },
        **plain,
        "filter:healthcheck": {"use": "egg:swift#healthcheck", "disable_path": DRAIN_FILE},
        "filter:cache": {"use": "egg:swift#memcache", "memcache_servers": local},
        "filter:authtoken": {
            "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
            **{name: value for name, value in account.items() if not name.startswith("memcache")},
            "delay_auth_decision": True,
            "cache": "swift.cache",
        },
        "filter:keystoneauth": {
            "use": "egg:swift#keystoneauth",
            "operator_roles": "admin, member, swiftoperator",
            "reseller_admin_role": "ResellerAdmin",
        },
    }
