"""Message brokers, whichever way they are made highly available: where they are reached, and what every one of them is
configured with.

A cluster of them is reached at its nodes' addresses (`rabbitmq`); one that moves between hosts, at the address that
moves with it (`rabbitmq_shared`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from fournines.cloud.model import Cloud, Host, Region
from fournines.services import tls
from fournines.services.resource import File, Resource
from fournines.services.shared_group import SharedGroup
from fournines.timing import timers

UNIT = "rabbitmq-server.service"
PORT = 5672
MANAGEMENT_PORT = 15672
TLS_PORT = 5671
TLS_MANAGEMENT_PORT = 15671
CONFIG = "/etc/rabbitmq/rabbitmq.conf"
ENVIRONMENT = "/etc/rabbitmq/rabbitmq-env.conf"
CERTIFICATES = "/etc/rabbitmq/fournines"
COOKIE = "/var/lib/rabbitmq/.erlang.cookie"
DATA = "/var/lib/rabbitmq/mnesia"
API = "/etc/fournines/rabbitmq-api.json"
ADMIN = "fournines"
#: Erlang's port mapper, and the distribution of a broker that is no member of a cluster: for this host's own tools.
LOCAL = "127.0.0.1"
#: Services that are the bus, one way or the other, and its accounts: what needs the bus needs those of its cloud.
SERVICES = ("rabbitmq", "rabbitmq_shared", "rabbitmq_accounts")
#: The one that moves. Erlang starts, the quorum queues' logs are read: seconds.
SHARED = SharedGroup(
    name="messaging",
    service="rabbitmq_shared",
    does="message bus",
    data=DATA,
    unit=UNIT,
    agent="rabbitmq",
    priority=15,
    starts=12.0,
)


def shared(cloud: Cloud) -> bool:
    """Whether there is one, which moves between hosts."""
    return cloud.pattern.messaging == "shared"


def addresses(cloud: Cloud, region: Region) -> tuple[IPv4Address, ...]:
    """Where clients connect: to one after another, until one answers."""
    if shared(cloud):
        return (SHARED.address(region),)
    return tuple(h.address for h in cloud.hosts_of("rabbitmq", region.name))


def port(cloud: Cloud) -> int:
    """Where clients connect."""
    return TLS_PORT if tls.encrypted(cloud) else PORT


def management_port(cloud: Cloud) -> int:
    return TLS_MANAGEMENT_PORT if tls.encrypted(cloud) else MANAGEMENT_PORT


def management_url(cloud: Cloud, address: IPv4Address) -> str:
    """Base address of the management API of the broker at `address`."""
    scheme = "https" if tls.encrypted(cloud) else "http"
    return f"{scheme}://{address}:{management_port(cloud)}/api"


def api(cloud: Cloud, address: IPv4Address) -> dict[str, Any]:
    """What programs on its hosts ask the management API with."""
    return {
        "url": management_url(cloud, address),
        "cafile": tls.CA if tls.encrypted(cloud) else None,
        "user": ADMIN,
        "password": cloud.secrets.get("rabbitmq.admin"),
    }


def cookie(cloud: Cloud, triggers: tuple[str, ...]) -> Resource:
    """What lets Erlang's nodes, and rabbitmqctl, in."""
    return File(
        COOKIE,
        cloud.secrets.get("rabbitmq.cookie"),
        mode=0o400,  # any other mode, and the node runs on but neither rabbitmqctl nor the next boot works
        owner="rabbitmq",
        group="rabbitmq",
        secret=True,
        triggers=triggers,
    )


def certificate(cloud: Cloud, host: Host) -> Iterable[Resource]:
    """It names all that clients may come to, so it changes with them; new connections are shown the new one."""
    return tls.files(CERTIFICATES, "rabbitmq", (f"reload:{UNIT}",), server=tls.broker_pem(cloud, host))


def serves(cloud: Cloud, address: IPv4Address) -> dict[str, Any]:
    """Of `rabbitmq.conf`: connections, and the management API at `address`."""
    return {
        "tcp_listen_options.backlog": 4096,
        "tcp_listen_options.nodelay": True,
        "tcp_listen_options.keepalive": True,
        "heartbeat": math.ceil(timers(cloud).amqp_heartbeat),
        **_management(cloud, address),
        "management.rates_mode": "none",
    }


def begins(cloud: Cloud) -> dict[str, Any]:
    """Of the same: the account that the first boot makes, instead of guest; and where it logs."""
    return {
        "default_user": ADMIN,
        "default_pass": cloud.secrets.get("rabbitmq.admin"),
        "default_user_tags.administrator": True,
        "log.file": False,
        "log.console": True,
        "log.console.level": "warning",
    }


def listeners(cloud: Cloud, address: IPv4Address) -> dict[str, Any]:
    """Of the same, for AMQP. In the middle of a change both: clients move to the one with TLS one by one."""
    plain = {"listeners.tcp": "none"} if tls.required(cloud) else {"listeners.tcp.1": f"{address}:{PORT}"}
    if not tls.encrypted(cloud):
        return plain
    return {
        **plain,
        "listeners.ssl.1": f"{address}:{TLS_PORT}",
        **_certificate("ssl_options"),
        "ssl_options.verify": "verify_none",  # clients have passwords
        "ssl_options.fail_if_no_peer_cert": False,
    }


def _management(cloud: Cloud, address: IPv4Address) -> dict[str, Any]:
    kind = "management.ssl" if tls.encrypted(cloud) else "management.tcp"
    where = {f"{kind}.ip": address, f"{kind}.port": management_port(cloud)}
    return where | (_certificate(kind) if tls.encrypted(cloud) else {})


def _certificate(prefix: str) -> dict[str, Any]:
    server = f"{CERTIFICATES}/server.pem"
    return {
        f"{prefix}.cacertfile": f"{CERTIFICATES}/ca.pem",
        f"{prefix}.certfile": server,
        f"{prefix}.keyfile": server,
    }
