"""Sections that every OpenStack service's file has: what leans on the database, the bus, Keystone, the timing budget.

Each function gives sections (section -> option -> value); a service merges those it needs with its own by `merged`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from typing import Any

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.versions import FIRST
from fournines.services import broker, bus, endpoints, memcached, quoting, tls
from fournines.services.accounts import Login, in_use
from fournines.services.database_access import database_url
from fournines.services.options import operators, renamed
from fournines.services.render import Sections, ini, overlay
from fournines.services.resource import File, Resource
from fournines.services.safeguard import Safeguard, below, both, is_set, per_host, unless, when
from fournines.services.timed import Timed
from fournines.timing import timers
from fournines.timing.timers import TOKEN_ATTEMPTS

NOTIFICATIONS = bus.NOTIFICATIONS
#: Attempts to validate a token beyond the first.
TOKEN_RETRIES = TOKEN_ATTEMPTS - 1
#: Of oslo.config's generator: what the sections that this module writes are described by.
NAMESPACES = (
    *(f"oslo.{name}" for name in ("cache", "concurrency", "db", "log", "messaging", "middleware", "policy")),
    *("oslo.service.periodic_task", "oslo.service.service", "oslo.service.wsgi"),
    "keystonemiddleware.auth_token",
    "osprofiler",
)

#: The timers among those sections, for every file that has them.
TIMED = (
    Timed("DEFAULT", "rpc_response_timeout", "rpc_response_timeout"),
    Timed("oslo_messaging_rabbit", "heartbeat_timeout_threshold", "amqp_heartbeat"),
    Timed("oslo_messaging_rabbit", "kombu_reconnect_delay", "amqp_reconnect_delay"),
    Timed("oslo_messaging_rabbit", "kombu_missing_consumer_retry_timeout", "amqp_reply_retry"),
    Timed("*database", "connection_recycle_time", "db_pool_recycle"),
    Timed("*database", "max_retries", "db_max_retries"),
    Timed("*database", "retry_interval", "db_retry_interval"),
    Timed("keystone_authtoken", "http_connect_timeout", "token_timeout"),
    Timed("keystone_authtoken", "memcache_pool_dead_retry", "memcache_dead_retry"),
)

#: Service -> options with which its clients repeat any request after a read timeout, a reset or a 503; fournines sets
#: them to 0. Not among them: what repeats reads alone (`http_request_max_retries`, `swift_store_retry_get_count`), and
#: Neutron's notifications (`http_retries`), which may arrive twice.
_SESSION = ("connect_retries", "status_code_retries")
REPEATS = {
    "nova": (*_SESSION, "http_retries", "num_retries"),
    "nova_compute": (*_SESSION, "http_retries", "num_retries"),
    "cinder": ("glance_num_retries",),
    "cinder_volume": ("glance_num_retries",),
    "heat": ("client_retry_limit",),
}


_BUS = "queues would be declared otherwise than by the other services, and live on one broker alone"
_OWN_DATABASE = "all services reach the database through the internal VIP, which leads to the writer"


def guards(file: str) -> tuple[Safeguard, ...]:
    """Of the sections that this module writes into a service's file."""
    rabbit = "oslo_messaging_rabbit"
    return (
        Safeguard(
            file,
            "DEFAULT",
            "transport_url",
            is_set,
            "the bus is that of this cloud, all of its nodes; and a password does not belong into this file",
            "remove it",
            fatal=True,
        ),
        Safeguard(file, "*database", "connection", is_set, _OWN_DATABASE, "remove it", fatal=True),
        Safeguard(
            file,
            "*database",
            "slave_connection",
            is_set,
            "reads from another node may not see what was just written",
            "remove it",
        ),
        Safeguard(file, rabbit, "rabbit_quorum_queue", when("false"), _BUS, "remove it", fatal=True),
        Safeguard(file, rabbit, "rabbit_transient_quorum_queue", when("false"), _BUS, "remove it", fatal=True),
        Safeguard(file, rabbit, "rabbit_stream_fanout", when("false"), _BUS, "remove it", fatal=True),
        Safeguard(
            file,
            rabbit,
            "use_queue_manager",
            when("false"),
            "reply queues get a new name at each start, and those of the last one stay behind",
            "remove it",
        ),
        Safeguard(
            file,
            rabbit,
            "rabbit_qos_prefetch_count",
            below(1),
            "streams are not read without: agents end at once",
            "at least 1",
            fatal=True,
        ),
        Safeguard(
            file,
            rabbit,
            "heartbeat_timeout_threshold",
            below(1),
            "a connection to a dead broker is never given up",
            "remove it",
        ),
        Safeguard(
            file,
            rabbit,
            "kombu_failover_strategy",
            unless("round-robin"),
            "one time in three it chooses the dead broker again",
            "remove it",
        ),
        Safeguard(
            file,
            rabbit,
            "hostname",
            per_host,
            "hosts would share their reply queues, and take one another's replies",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            file,
            "database",
            "max_retries",
            both(below(1), unless("-1")),
            "a service that starts while the database moves ends",
            "remove it",
        ),
        Safeguard(
            file,
            "keystone_authtoken",
            "memcached_servers",
            is_set,
            "a cache on another host is waited for when that is dead, and what it holds is believed",
            "remove it: each host has its own",
        ),
        Safeguard(
            file,
            "keystone_authtoken",
            "service_token_roles_required",
            when("false"),
            "an expired token of any user is taken, with any other beside it",
            "remove it",
        ),
        Safeguard(
            file,
            "oslo_middleware",
            "enable_proxy_headers_parsing",
            when("false"),
            "links in answers lead to http:// on the public VIP, which does not answer it",
            "remove it",
        ),
        Safeguard(
            file,
            "coordination",
            "backend_url",
            is_set,
            "the locks are those of this cloud's Valkey: with another backend two hosts do the same work at once",
            "remove it",
            fatal=True,
        ),
    )


def each_host(file: str, section: str, *options: str) -> tuple[Safeguard, ...]:
    """Of what every host has another value of."""
    why = "each host has its own: with one value for all, they take one another's work, or answer for one another"
    return tuple(Safeguard(file, section, option, per_host, why, "remove it", fatal=True) for option in options)


def merged(*parts: Sections) -> Sections:
    """All of `parts`, section by section; a later one wins."""
    return reduce(overlay, parts, {})


def config_file(
    cloud: Cloud,
    service: str,
    path: str,
    sections: Sections,
    *,
    group: str,
    units: Iterable[str],
    options: Sections | None = None,
    release: str = FIRST,
) -> Resource:
    """A file of secrets that its group may read, the operator's options on top (`options`, or those of the file of that
    name); every unit of `units` reads it. release: whose names the options have."""
    name = path.rpartition("/")[2]
    theirs = operators(cloud, service, name) if options is None else options
    ours, theirs = (renamed(service, name, release, part) for part in (sections, theirs))
    return File(
        path,
        ini(ours, theirs, encode=quoting.oslo),
        mode=0o640,
        group=group,
        secret=True,
        triggers=tuple(f"restart:{unit}" for unit in units),
    )


def common() -> Sections:
    """What leans on nothing: logs go to the journal, and an API believes the load balancer about its clients."""
    return {"DEFAULT": {"use_stderr": True}, "oslo_middleware": {"enable_proxy_headers_parsing": True}}


def database(cloud: Cloud, region: Region, name: str, *, section: str = "database") -> Sections:
    """Connections to database `name`, through the internal VIP to the writer. Holds the password.

    A pool is a process's; the server lets in what all of them amount to (`rendered.connections`).
    """
    t = timers(cloud)
    return {
        section: {
            "connection": database_url(cloud, region, name),
            "connection_recycle_time": t.db_pool_recycle,
            "max_pool_size": 5,
            "max_overflow": 20,
            "max_retries": t.db_max_retries,
            "retry_interval": math.ceil(t.db_retry_interval),
        }
    }


def transport_url(cloud: Cloud, region: Region, vhost: str, host: Host | None = None) -> str:
    """oslo.messaging's address of `vhost`: all nodes, or the one that moves; with accounts of `host`'s own, if it is a
    compute. Holds the password."""
    account = bus.account(cloud, vhost, host)
    password = quoting.userinfo(account.password)
    port = broker.port(cloud)
    nodes = (f"{account.name}:{password}@{address}:{port}" for address in broker.addresses(cloud, region))
    return f"rabbit://{','.join(nodes)}/{vhost}"


def messaging(cloud: Cloud, region: Region, vhost: str, host: Host | None = None) -> Sections:
    """RPC over quorum queues of the service's own vhost. Queue names are stable over restarts (queue manager): it
    counts a unit's processes under a lock in `/var/lib/VHOST/lock`, and knows the unit by its environment (`units`).
    """
    t = timers(cloud)
    return {
        "DEFAULT": {
            "transport_url": transport_url(cloud, region, vhost, host),
            "rpc_response_timeout": math.ceil(t.rpc_response_timeout),
        },
        **_rabbit(cloud, vhost),
    }


def _rabbit(cloud: Cloud, name: str) -> Sections:
    """How queues are declared: all who use one must say the same."""
    t = timers(cloud)
    return {
        "oslo_concurrency": {"lock_path": f"/var/lib/{name}/lock"},
        "oslo_messaging_rabbit": {
            "rabbit_quorum_queue": True,
            "rabbit_transient_quorum_queue": True,
            "rabbit_stream_fanout": True,
            "rabbit_qos_prefetch_count": 10,  # streams refuse to be read without
            "use_queue_manager": True,
            "heartbeat_timeout_threshold": math.ceil(t.amqp_heartbeat),
            "heartbeat_rate": 3,
            "kombu_reconnect_delay": t.amqp_reconnect_delay,
            "kombu_missing_consumer_retry_timeout": math.floor(t.amqp_reply_retry),
            # Each connection has an order of its own. `shuffle` would choose the dead node again, one time in three.
            "kombu_failover_strategy": "round-robin",
            "rabbit_retry_interval": 1,
            "rabbit_retry_backoff": 1,
            "rabbit_interval_max": 5,
            **_rabbit_tls(cloud),
        },
    }


def _rabbit_tls(cloud: Cloud) -> dict[str, Any]:
    if not tls.encrypted(cloud):
        return {}
    return {"ssl": True, "ssl_ca_file": tls.CA, "ssl_enforce_hostname_verification": True}


def notifications(cloud: Cloud, region: Region, name: str, host: Host | None = None) -> Sections:
    """To the vhost that Ceilometer reads, or nowhere: without a reader they would fill the broker. `name`: as the user
    that the service runs as; its locks are in `/var/lib/NAME/lock`."""
    if not cloud.hosts_of("ceilometer", region.name):
        return {"oslo_messaging_notifications": {"driver": "noop"}}
    url = transport_url(cloud, region, NOTIFICATIONS, host)
    return {
        **_rabbit(cloud, name),
        "oslo_messaging_notifications": {"driver": "messagingv2", "transport_url": url},
    }


def keystone_login(cloud: Cloud, account: str) -> Login:
    """Name and password of `account` (a `capabilities.Account`) in Keystone."""
    return in_use(cloud, account, f"{account}.keystone")


def credentials(cloud: Cloud, region: Region, account: str) -> dict[str, Any]:
    """How `account` (a `capabilities.Account`) buys a token: for any section that keystoneauth reads."""
    login = keystone_login(cloud, account)
    return {
        "auth_type": "password",
        "auth_url": endpoints.keystone_internal(cloud, region),
        "username": login.name,
        "password": login.password,
        "user_domain_name": "Default",
        "project_name": "service",
        "project_domain_name": "Default",
        **tls.cafile(cloud),
    }


def client(cloud: Cloud, region: Region, account: str) -> dict[str, Any]:
    """`credentials`, and how to call another service: its internal endpoint, within the budget, once.

    keystoneauth takes a read timeout and a reset for a failed connect, and repeats whatever the request was. HAProxy
    repeats what changes nothing, and knows which that is."""
    return {
        **credentials(cloud, region, account),
        "region_name": region.name,
        "valid_interfaces": "internal",
        "timeout": math.ceil(timers(cloud).api_timeout) or None,
        "connect_retries": 0,
        "status_code_retries": 0,
    }


def authtoken(cloud: Cloud, host: Host, account: str) -> Sections:
    """How an API has its clients' tokens validated. What is known of a token is kept in this host's own memcached only:
    a list with another host's in it makes every API wait for that host when it is dead."""
    region, t = cloud.region_of(host), timers(cloud)
    cached = "memcached" in host.services
    return {
        "keystone_authtoken": {
            **credentials(cloud, region, account),
            "www_authenticate_uri": endpoints.keystone_public(region),
            "region_name": region.name,
            "interface": "internal",
            # Of each attempt, to validate a token: a read, which may be repeated.
            "http_connect_timeout": math.ceil(t.token_timeout) or None,
            "http_request_max_retries": TOKEN_RETRIES,
            "service_token_roles": "service",
            "service_token_roles_required": True,
            "memcached_servers": f"{memcached.LOCAL}:{memcached.PORT}" if cached else None,
            "memcache_security_strategy": "ENCRYPT" if cached else None,
            "memcache_secret_key": cloud.secrets.get("memcached.tokens") if cached else None,
            "memcache_pool_socket_timeout": 1,  # whole seconds; of the local one
            "memcache_pool_dead_retry": math.ceil(t.memcache_dead_retry),
            "memcache_pool_conn_get_timeout": 2,
        }
    }


def service_user(cloud: Cloud, region: Region, account: str) -> Sections:
    """Sent along with the client's token, so that a long task outlives it."""
    return {"service_user": {"send_service_user_token": True, **credentials(cloud, region, account)}}
