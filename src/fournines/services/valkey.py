"""Valkey with Sentinel: locks of Cinder, shares of the telemetry agents, what Gnocchi has not yet counted.

Three copies, one of them the master; the Sentinels agree on another one when it is silent. Which one it is at any
moment is Sentinel's business and lies in files that the daemons rewrite, `/var/lib/valkey/*.conf`. At each start those
are made anew of what the daemon had learnt and of ours, so that a change of ours never undoes a failover; a member that
was away asks the others first, and comes back as a replica.

A master that has lost its replicas takes no writes (`min-replicas-to-write`), so that a cut-off one grants no locks.
Replication is asynchronous all the same: a failover may lose the locks of its last moments. What must never run twice
takes a lease in the database instead (`lease`).

Clients ask the Sentinels, each with an account of its own. No VIP.

With TLS inside, all of them, members and clients, show a certificate of the group's own authority, on the same ports:
neither a Sentinel nor a client could be told of two. So members change over with a full stop (`_step`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import quoting, tls
from fournines.services.capabilities import Port, UsesCoordination, present
from fournines.services.drop_in import drop_in
from fournines.services.options import operators
from fournines.services.render import flat, template
from fournines.services.resource import File, Package, Resource, Task, Unit
from fournines.services.safeguard import Safeguard, below, both, is_set, per_host, several, unless, when
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed, milliseconds
from fournines.timing import timers

USER = "valkey"
SERVER = "valkey-server.service"
SENTINEL = "valkey-sentinel.service"
PORT = 6379
SENTINEL_PORT = 26379
PREPARE = "/usr/lib/fournines/valkey-prepare"
HEALTH = "/usr/lib/fournines/valkey-health"
CONFIG = "/etc/valkey/fournines-server.conf"
GROUP = "valkey"
CERTIFICATES = "/etc/valkey/fournines"
#: What a client on any host checks members against.
AUTHORITY = f"{tls.DIRECTORY}/valkey.pem"


class Valkey(Service):
    name: ClassVar[str] = "valkey"
    pattern: ClassVar[HaPattern] = HaPattern.QUORUM
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    rolling: ClassVar[Rolling] = "one-by-one"
    units: ClassVar[tuple[str, ...]] = (SERVER, SENTINEL)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(PORT, "tcp", "its own members", "replication"),
        Port(PORT, "tcp", "coordination clients", "locks and measures"),
        Port(SENTINEL_PORT, "tcp", "its own members", "Sentinels among themselves"),
        Port(SENTINEL_PORT, "tcp", "coordination clients", "who is the master"),
    )
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "sentinel.conf": (Timed("", "sentinel down-after-milliseconds *", "sentinel_down", milliseconds),)
    }

    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *(
            Safeguard("server.conf", "", *rest[:-1], fatal=rest[-1])
            for rest in (
                (
                    "appendonly",
                    when("false"),
                    "a power failure loses locks and metrics that were acknowledged",
                    "yes",
                    False,
                ),
                (
                    "appendfsync",
                    when("false"),
                    "a power failure loses what the kernel had not yet written: some thirty seconds",
                    "everysec",
                    False,
                ),
                (
                    "min-replicas-to-write",
                    both(below(1), several),
                    "a master that is cut off from the others goes on granting locks: two hosts have the same one",
                    "remove it",
                    True,
                ),
                (
                    "min-replicas-max-lag",
                    below(1),
                    "a master that is cut off from the others goes on granting locks",
                    "remove it",
                    True,
                ),
                (
                    "maxmemory-policy",
                    unless("noeviction"),
                    "locks and metrics that wait to be counted are thrown away when memory is short",
                    "noeviction",
                    False,
                ),
                ("bind", per_host, "each member has its own address", "remove it", True),
                ("replica-announce-ip", per_host, "each member has its own address", "remove it", True),
                ("port", is_set, "the Sentinels and the others look for it at 6379", "remove it", True),
                (
                    "tls-*",
                    is_set,
                    "members and clients know one another by the cloud's certificates",
                    "tls.internal",
                    True,
                ),
                (
                    "requirepass",
                    is_set,
                    "passwords are secrets: everybody who reads this file would have it",
                    "remove it",
                    True,
                ),
                (
                    "primaryauth",
                    is_set,
                    "passwords are secrets: everybody who reads this file would have it",
                    "remove it",
                    True,
                ),
                ("user", is_set, "the services' accounts would be replaced", "remove it", True),
                (
                    "protected-mode",
                    when("false"),
                    "it answers whoever reaches it, should its password be taken away",
                    "remove it",
                    False,
                ),
                ("replicaof", is_set, "the Sentinels choose the master", "remove it", True),
            )
        ),
        Safeguard(
            "sentinel.conf",
            "",
            "sentinel monitor*",
            is_set,
            "the members are the hosts that carry valkey",
            "remove it",
            fatal=True,
        ),
        Safeguard("sentinel.conf", "", "bind", per_host, "each member has its own address", "remove it", fatal=True),
        Safeguard("sentinel.conf", "", "port", is_set, "clients look for it at 26379", "remove it", fatal=True),
        Safeguard(
            "sentinel.conf",
            "",
            "tls-*",
            is_set,
            "members and clients know one another by the cloud's certificates",
            "tls.internal",
            fatal=True,
        ),
        Safeguard(
            "sentinel.conf",
            "",
            "requirepass",
            is_set,
            "clients have the password of the secrets",
            "remove it",
            fatal=True,
        ),
    )

    def failover(self, cloud: Cloud) -> float:
        """Silence, then a vote of the Sentinels, which wait up to a second so that not all stand for election."""
        return timers(cloud).sentinel_down + 2.0

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        for package in ("valkey-server", "valkey-sentinel", "valkey-tools"):
            yield Package(package)
        yield _step(cloud)
        if tls.required(cloud):
            yield from tls.files(
                CERTIFICATES,
                USER,
                tuple(f"restart:{unit}" for unit in self.units),
                member=tls.member_pem(cloud, host, GROUP),
                members=tls.member_ca(cloud, host.region, GROUP),
            )
        values = _values(cloud, host)
        # Run by the daemons' own user: in a directory that this user owns, root would follow where it is led.
        yield File(PREPARE, template("valkey/prepare.sh.j2", **values), mode=0o750, group=USER, secret=True)
        yield File(HEALTH, template("valkey/health.sh.j2", **values), mode=0o700, secret=True)
        for kind, unit, settings in (
            ("server", SERVER, _server(cloud, host)),
            ("sentinel", SENTINEL, _sentinel(cloud, host)),
        ):
            restart = (f"restart:{unit}",)
            path = CONFIG.replace("server", kind)
            text = flat(settings, operators(cloud, self.name, f"{kind}.conf"), separator=" ", encode=quoting.valkey)
            yield File(path, text, mode=0o640, group=USER, secret=True, triggers=restart)
            yield from drop_in(unit, "valkey/unit.conf.j2", triggers=restart, kind=kind)
            yield Unit(unit)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        name = "Valkey is in step, Sentinel knows all members"
        yield Check(name, host.name, HEALTH, within=90, unit=SERVER, alone=f"{HEALTH} alone")


def accounts(cloud: Cloud, region: str) -> tuple[str, ...]:
    """Accounts that the services of `region` ask for."""
    return tuple(name for s in present(cloud, region) if isinstance(s, UsesCoordination) for name in s.coordination)


def client(cloud: Cloud, host: Host, account: str, units: Iterable[str]) -> Iterable[Resource]:
    """The certificate that `account`, whose group has its name as well, shows from `host`."""
    if tls.required(cloud):
        pem, triggers = tls.member_pem(cloud, host, GROUP), tuple(f"restart:{unit}" for unit in units)
        yield File(AUTHORITY, tls.member_ca(cloud, host.region, GROUP))
        yield File(_certificate(account), pem, mode=0o640, group=account, secret=True, triggers=triggers)


def _certificate(account: str) -> str:
    return f"{tls.DIRECTORY}/valkey-{account}.pem"


def url(cloud: Cloud, region: Region, account: str, **options: Any) -> str:
    """Address of the master, as tooz and Gnocchi take it: by way of any Sentinel. Holds passwords."""
    t = timers(cloud)
    first, *others = (f"{h.address}:{SENTINEL_PORT}" for h in cloud.hosts_of("valkey", region.name))
    query = [
        ("sentinel", group(cloud, region)),
        *(("sentinel_fallback", other) for other in others),
        ("sentinel_password", cloud.secrets.get("valkey.sentinel")),
        ("db", 0),  # stated: Gnocchi looks for it
        ("socket_timeout", max(t.sentinel_down, 2.0)),
        ("socket_keepalive", "true"),
        *(_client_tls(account) if tls.required(cloud) else ()),
        *options.items(),
    ]
    # Neither tooz nor Gnocchi decodes it.
    password = quoting.unreserved(cloud.secrets.get(f"{account}.valkey"), "the readers of its address decode nothing")
    return f"redis://{account}:{password}@{first}?{urlencode(query, safe=':/')}"


def _client_tls(account: str) -> Iterable[tuple[str, str]]:
    yield "ssl", "true"
    yield "sentinel_ssl", "true"
    yield "ssl_ca_certs", AUTHORITY
    yield "ssl_certfile", _certificate(account)
    yield "ssl_keyfile", _certificate(account)


def coordination(cloud: Cloud, region: Region, account: str) -> str:
    """`url` for tooz: a member that is silent for `service_down` has left its groups, and its locks are free."""
    down = math.ceil(timers(cloud).service_down)
    return url(cloud, region, account, timeout=down, lock_timeout=down, membership_timeout=down)


def group(cloud: Cloud, region: Region) -> str:
    """Sentinel's name for the members of a region."""
    return f"{cloud.name}-{region.name}"


def _values(cloud: Cloud, host: Host) -> dict[str, Any]:
    region = cloud.region_of(host)
    members = cloud.hosts_of("valkey", region.name)
    return {
        "name": group(cloud, region),
        "address": host.address,
        "port": PORT,
        "sentinel_port": SENTINEL_PORT,
        "peers": " ".join(str(m.address) for m in members if m != host),
        "first": members[0].address,
        "members": len(members),
        "quorum": len(members) // 2 + 1,
        "password": cloud.secrets.get("valkey.replication"),
        "sentinel_password": cloud.secrets.get("valkey.sentinel"),
        "tls": (
            f" --tls --cacert {CERTIFICATES}/members.pem"
            f" --cert {CERTIFICATES}/member.pem --key {CERTIFICATES}/member.pem"
            if tls.required(cloud)
            else ""
        ),
    }


def _listens(cloud: Cloud, port: int) -> dict[str, Any]:
    """The same port with TLS or without; what the daemon opens itself goes the same way (`tls-replication`)."""
    if not tls.required(cloud):
        return {"port": port}
    return {
        "port": 0,
        "tls-port": port,
        "tls-cert-file": f"{CERTIFICATES}/member.pem",
        "tls-key-file": f"{CERTIFICATES}/member.pem",
        "tls-ca-cert-file": f"{CERTIFICATES}/members.pem",
        "tls-auth-clients": "yes",
        "tls-replication": "yes",
    }


def _step(cloud: Cloud) -> Task:
    """Refuses what no member after another can do: with TLS and without they never speak."""
    other = "without" if tls.required(cloud) else "with"
    words = {"with": "has TLS between its members", "without": "has no TLS between its members"}
    return Task(
        name="members of Valkey can change over one by one",
        check=(
            f"[ -e {CONFIG} ] && systemctl -q is-active {SERVER} || {{ echo ok; exit 0; }}\n"
            f"grep -q ^tls-port {CONFIG} && now=with || now=without\n"
            f'[ $now = {other} ] && echo "{words[other]}: needs a full stop" || echo ok'
        ),
        script=(
            f"echo 'Valkey {words[other]}, and members with and without it do not speak with one another: stop all of"
            f" them (systemctl stop {SENTINEL} {SERVER} on every host that carries valkey), then apply again' >&2\n"
            "exit 1"
        ),
    )


def _server(cloud: Cloud, host: Host) -> dict[str, Any]:
    t = timers(cloud)
    password = cloud.secrets.get("valkey.replication")
    members = cloud.hosts_of("valkey", host.region)
    return {
        "bind": host.address,
        **_listens(cloud, PORT),
        "dir": "/var/lib/valkey",
        "logfile": '""',
        "requirepass": password,  # of `default`: members among themselves, and Sentinel
        "primaryauth": password,
        "replica-announce-ip": host.address,
        "user": [_account(cloud, name) for name in accounts(cloud, host.region)],
        "appendonly": "yes",
        "appendfsync": "everysec",
        "min-replicas-to-write": len(members) // 2,
        "min-replicas-max-lag": math.ceil(t.sentinel_down) + 1,
        "repl-ping-replica-period": 1,
        "repl-timeout": max(math.ceil(3 * t.sentinel_down), 5),
        "tcp-keepalive": t.tcp_keepalive_time,
        "repl-diskless-sync-delay": 0,
    }


def _account(cloud: Cloud, name: str) -> str:
    # By its digest: of 192 random bits, safe to show.
    digest = hashlib.sha256(cloud.secrets.get(f"{name}.valkey").encode()).hexdigest()
    return f"{name} on #{digest} ~* &* +@all -@admin"


def _sentinel(cloud: Cloud, host: Host) -> dict[str, Any]:
    name = group(cloud, cloud.region_of(host))
    down = round(1000 * timers(cloud).sentinel_down)
    return {
        "bind": host.address,
        **_listens(cloud, SENTINEL_PORT),
        "dir": "/var/lib/valkey",
        "logfile": '""',
        "requirepass": cloud.secrets.get("valkey.sentinel"),
        "sentinel announce-ip": host.address,
        f"sentinel auth-pass {name}": cloud.secrets.get("valkey.replication"),
        f"sentinel down-after-milliseconds {name}": down,
        # Also how long a failed attempt keeps others from trying: twice this.
        f"sentinel failover-timeout {name}": 5 * down,
        f"sentinel parallel-syncs {name}": len(cloud.hosts_of("valkey", host.region)),
    }
