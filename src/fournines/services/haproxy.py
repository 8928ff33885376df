"""HAProxy on every endpoint host, all of them serving; the VIP only chooses which one a client talks to.

Every host binds the VIPs (`ip_nonlocal_bind`), so that a takeover starts no daemon. A check's timeout is not its
interval, so that load alone takes no backend out. A backend that dies costs no repeatable request: it is sent again to
another one. TCP sessions to a backend that went down are cut at once, for nothing else ends those of a frozen one; HTTP
requests are left to finish, for an API that fails its check is more often slow than dead.
Changes are reloaded, never restarted; the packaged unit validates the file first and keeps the old process if it fails.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import balancer_cluster, front_door, monitoring, tls
from fournines.services.capabilities import Balanced, Frontend, Port, present
from fournines.services.cib import Managed
from fournines.services.drop_in import drop_in
from fournines.services.options import operators
from fournines.services.render import ms, stanzas
from fournines.services.resource import File, Package, Resource, Unit
from fournines.services.safeguard import Safeguard, Setting, below, is_set, unless, when
from fournines.services.service import Check, HaPattern, Service
from fournines.services.sysctl import sysctl
from fournines.services.timed import Timed, haproxy, seconds
from fournines.timing import timers
from fournines.timing.timers import Timers

UNIT = "haproxy.service"
MONITOR_PORT = 9300
SOCKET = "/run/haproxy/admin.sock"
CERTIFICATE = "/etc/haproxy/public.pem"
INTERNAL_CERTIFICATE = "/etc/haproxy/internal.pem"
CA = "/etc/haproxy/ca.crt"
#: Of the listener for metrics, and who may read them.
METRICS_CERTIFICATE = "/etc/haproxy/metrics.pem"
METRICS_CLIENTS = "/etc/haproxy/metrics-clients.pem"

#: Seconds after which an idle client connection is closed. A client that sends at that very moment gets no answer and
#: cannot know whether anything was done. OpenStack's services repeat themselves every 10, 30 or 60 s: no divisor of it.
KEEP_ALIVE = 7.0

#: Hours for which an old process serves what it had when the configuration was reloaded, and how many such there may
#: be. Longer than a working day's console and than any upload; pooled database sessions leave within `db_pool_recycle`.
OLD_PROCESS_H = 12
OLD_PROCESSES = 30

#: The timers in its file. A section of its own, `listen nova-api`, goes before `defaults`.
TIMED = tuple(
    Timed(section, option, timer, form, part)
    for section in ("defaults", "listen *")
    for option, timer, form, part in (
        ("retries", "retries", seconds, ""),
        ("timeout connect", "connect_timeout", haproxy, ""),
        ("timeout client", "client_timeout", haproxy, ""),
        ("timeout server", "server_timeout", haproxy, ""),
        ("timeout queue", "queue_timeout", haproxy, ""),
        ("timeout check", "check_timeout", haproxy, ""),
        ("default-server", "check_inter", haproxy, "inter"),
        ("default-server", "check_fastinter", haproxy, "fastinter"),
        ("default-server", "check_fall", seconds, "fall"),
        ("default-server", "check_rise", seconds, "rise"),
        ("default-server", "tcp_user_timeout", haproxy, "tcp-ut"),
    )
)

#: A TCP session that is still connecting when its server is marked down loses its server side, and its client hangs
#: until it gives up by itself (seen on 3.0: 21 of them after one power-off). Only with something left that looks at the
#: request does HAProxy close the client as well; a limit that nobody reaches is the cheapest such thing.
_CLOSES_WHILE_CONNECTING = {
    "filter": "bwlim-in unlimited default-limit 1g default-period 1s",
    "tcp-request content": "set-bandwidth-limit unlimited",
}


def _ours(setting: Setting) -> bool:
    """A section of fournines', not of the operator's own."""
    names = (
        f"listen {f.name}" for region in setting.cloud.regions.values() for _, f in frontends(setting.cloud, region)
    )
    return setting.section in names


class Haproxy(Service):
    name: ClassVar[str] = "haproxy"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("endpoint",)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = (
        *("mariadb", "mariadb_replica", "mariadb_shared"),
        *("rabbitmq", "rabbitmq_shared", "memcached"),
    )
    fronts: ClassVar[bool] = True
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {"haproxy.cfg": TIMED}
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        Safeguard(
            "haproxy.cfg",
            "listen *",
            "server",
            _ours,
            "the backends are the hosts that carry the service",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "haproxy.cfg",
            "listen *",
            "bind",
            _ours,
            "the listeners are the VIPs",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "haproxy.cfg",
            "listen mariadb",
            "option httpchk",
            when("false"),
            "a node that is not Primary, or not the writer, counts as healthy",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "haproxy.cfg",
            "listen mariadb",
            "http-check *",
            is_set,
            "the check asks who the writer is",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "haproxy.cfg",
            "listen mariadb",
            "balance",
            is_set,
            "there is one writer; several make deadlocks on commit",
            "remove it",
        ),
        Safeguard(
            "haproxy.cfg",
            "listen *",
            "option httpchk",
            when("false"),
            "a backend whose port is open counts as healthy",
            "remove it",
        ),
        Safeguard(
            "haproxy.cfg",
            "defaults",
            "option redispatch",
            when("false"),
            "a request whose backend died is sent there again",
            "remove it",
        ),
        Safeguard("haproxy.cfg", "defaults", "retries", below(1), "a request whose backend died fails", "remove it"),
        Safeguard(
            "haproxy.cfg",
            "defaults",
            "retry-on",
            when("false", "none", ""),
            "a request whose backend died fails",
            "remove it",
        ),
        Safeguard(
            "haproxy.cfg",
            "defaults",
            "default-server",
            is_set,
            "it replaces the timers of all checks",
            "timing.overrides",
        ),
        Safeguard("haproxy.cfg", "defaults", "mode", unless("http"), "every API would be balanced as TCP", "remove it"),
        Safeguard(
            "haproxy.cfg",
            "global",
            "stats socket",
            is_set,
            "the agent speaks to HAProxy through it",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "haproxy.cfg",
            "global",
            "maxconn",
            below(1000),
            "clients wait while all connections are taken: a few thousand are usual",
            "remove it",
        ),
        Safeguard(
            "haproxy.cfg",
            "listen monitor",
            "*",
            is_set,
            "the VIP's holder is watched through it",
            "remove it",
            fatal=True,
        ),
    )
    ports: ClassVar[tuple[Port, ...]] = (
        Port(MONITOR_PORT, "tcp", "the load balancers", "health and metrics"),
        Port(monitoring.HAPROXY_PORT, "tcp", "the scrapers", "metrics, over TLS", always=False),
    )

    def sections(self, cloud: Cloud, file: str) -> Collection[str] | None:
        """Ours, and those of the operator's own that are whole: they listen, or something of theirs leads there."""
        ours = {f"listen {f.name}" for region in cloud.regions.values() for _, f in frontends(cloud, region)}
        theirs = cloud.options(self.name, file)
        led_to = {
            f"backend {str(value).split()[0]}"
            for options in theirs.values()
            for name, value in options.items()
            if name.split()[0] in ("use_backend", "default_backend") and str(value).split()
        }
        listening = {name for name, options in theirs.items() if "bind" in options}
        return {"global", "defaults", "listen monitor", "frontend metrics", *ours, *led_to, *listening}

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region = cloud.region_of(host)
        reload = (f"reload:{UNIT}",)
        yield Package("haproxy")
        yield from sysctl("61-fournines-haproxy.conf", {"net.ipv4.ip_nonlocal_bind": 1}, {})
        yield File(CERTIFICATE, tls.server_pem(cloud, region), mode=0o600, secret=True, triggers=reload)
        if tls.encrypted(cloud):
            yield File(INTERNAL_CERTIFICATE, tls.internal_pem(cloud, region), mode=0o600, secret=True, triggers=reload)
            yield File(CA, tls.internal_ca(cloud), triggers=reload)
        if monitoring.monitored(cloud, region.name):
            pem = tls.host_pem(cloud, host)
            yield File(METRICS_CERTIFICATE, pem, mode=0o600, secret=True, triggers=reload)
            clients = tls.member_ca(cloud, region.name, monitoring.READER)
            yield File(METRICS_CLIENTS, clients, triggers=reload)
        yield File("/etc/haproxy/haproxy.cfg", _config(cloud, host), triggers=reload)
        yield from drop_in(UNIT)
        yield Unit(UNIT)
        if balancer_cluster.moved(cloud):
            yield from balancer_cluster.agent()

    def managed(self, cloud: Cloud, region: Region) -> Iterable[Managed]:
        return balancer_cluster.managed(cloud, region, MONITOR_PORT) if balancer_cluster.moved(cloud) else ()

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check(
            "HAProxy answers",
            host.name,
            f"curl -fsS -m 2 -o /dev/null http://{host.address}:{MONITOR_PORT}/alive",
            within=30,
            unit=UNIT,
        )


def frontends(cloud: Cloud, region: Region) -> Iterator[tuple[str, Frontend]]:
    """(service, frontend) of everything that is balanced in `region`."""
    for service in present(cloud, region.name):
        if isinstance(service, Balanced):
            for frontend in service.frontends(cloud, region):
                yield service.name, frontend


def _config(cloud: Cloud, host: Host) -> str:
    region, t = cloud.region_of(host), timers(cloud)
    sections: dict[str, dict[str, Any]] = {
        "global": {
            "log": "stdout format raw local0 info",
            "user": "haproxy",
            "group": "haproxy",
            "stats socket": f"{SOCKET} mode 660 level admin expose-fd listeners",
            "stats timeout": "30s",
            # After a reload the old process serves what it has, consoles and uploads among it, and takes nothing new.
            "hard-stop-after": f"{OLD_PROCESS_H}h",
            "mworker-max-reloads": OLD_PROCESSES,
            **front_door.TLS,
        },
        "defaults": _defaults(t),
        "listen monitor": {
            "bind": [f"{host.address}:{MONITOR_PORT}", f"{region.vips.internal}:{MONITOR_PORT}"],
            "monitor-uri": "/alive",
            "no log": True,  # four a second, of the guard
            **front_door.metrics(cloud, region),
        },
    }
    if monitoring.monitored(cloud, region.name):
        sections["frontend metrics"] = {
            "bind": f"{host.address}:{monitoring.HAPROXY_PORT} ssl crt {METRICS_CERTIFICATE}"
            f" ca-file {METRICS_CLIENTS} verify required",
            "http-request use-service": "prometheus-exporter if { path /metrics }",
            "http-request deny": "deny_status 404",
        }
    for service, frontend in frontends(cloud, region):
        sections |= _sections(cloud, region, service, frontend)
    return stanzas(sections, operators(cloud, "haproxy", "haproxy.cfg"))


def _defaults(t: Timers) -> dict[str, Any]:
    server = f"inter {ms(t.check_inter)} fastinter {ms(t.check_fastinter)} downinter {ms(t.check_inter)}"
    server += f" fall {t.check_fall} rise {t.check_rise}"
    if t.tcp_user_timeout:
        server += f" tcp-ut {ms(t.tcp_user_timeout)}"
    return {
        "mode": "http",
        "log": "global",
        # A line for what failed, timed out, or was sent again; none for a health check, nor for what went well.
        "option dontlog-normal": True,
        "option dontlognull": True,
        "maxconn": front_door.MAX_PER_FRONTEND,
        "balance": "roundrobin",
        "retries": t.retries,
        # Each retry goes to another backend; without retry-on, as peers have it, only the last one does.
        "option redispatch": "1" if t.retry_on else True,
        "retry-on": t.retry_on or None,
        "option clitcpka": True,
        "option srvtcpka": True,
        "timeout connect": ms(t.connect_timeout),
        "timeout client": ms(t.client_timeout),
        "timeout server": ms(t.server_timeout),
        "timeout queue": ms(t.queue_timeout),
        "timeout check": ms(t.check_timeout),
        "timeout http-request": ms(front_door.HTTP_REQUEST),
        "timeout http-keep-alive": ms(KEEP_ALIVE),
        "default-server": server,
    }


def _sections(cloud: Cloud, region: Region, service: str, frontend: Frontend) -> Iterator[tuple[str, dict[str, Any]]]:
    yield f"listen {frontend.name}", _listen(cloud, region, service, frontend)
    if not _takes_both(cloud, frontend):
        return
    # In the middle of a change: which of the two a client speaks is in its first bytes.
    yield (
        f"frontend {frontend.name}-either",
        {
            "mode": "tcp",
            "option tcplog": True,
            "bind": f"{region.vips.internal}:{frontend.port}",
            "tcp-request": ["inspect-delay 3s", "content accept if { req.ssl_hello_type 1 } or HTTP"],
            "use_backend": f"{frontend.name}-tls if {{ req.ssl_hello_type 1 }}",
            "default_backend": f"{frontend.name}-plain",
        },
    )
    for kind in ("tls", "plain"):
        name = f"{frontend.name}-{kind}"
        yield f"backend {name}", {"mode": "tcp", "server": f"{kind} abns@{name} send-proxy-v2"}


def _takes_both(cloud: Cloud, frontend: Frontend) -> bool:
    return frontend.mode == "http" and tls.encrypted(cloud) and not tls.required(cloud)


def _binds(cloud: Cloud, region: Region, frontend: Frontend) -> Iterator[str]:
    internal, secure = f"{region.vips.internal}:{frontend.port}", f"ssl crt {INTERNAL_CERTIFICATE}"
    if _takes_both(cloud, frontend):
        yield f"abns@{frontend.name}-plain accept-proxy"
        yield f"abns@{frontend.name}-tls accept-proxy {secure}"
    elif frontend.mode == "http" and tls.apis(cloud):
        yield f"{internal} {secure}"
    else:
        yield internal
    if frontend.public:
        public = f"{region.vips.public}:{frontend.public_port or frontend.port}"
        yield f"{public} ssl crt {CERTIFICATE} alpn h2,http/1.1"


#: Seconds over which an API that is up again gets its full share of the requests: it has nothing in its caches yet, and
#: after a boot it shares the host with everything else that starts.
SLOW_START = 10.0

#: A request that cannot connect is as good as a failed check: the next one comes at once, and if that fails as well the
#: backend is out. Connecting includes TLS, so a frozen one is found this way too.
_OBSERVED = " observe layer4 error-limit 1 on-error sudden-death"


def _listen(cloud: Cloud, region: Region, service: str, frontend: Frontend) -> dict[str, Any]:
    t = timers(cloud)
    section: dict[str, Any] = {"mode": frontend.mode, "bind": list(_binds(cloud, region, frontend))}
    section |= front_door.LOGGED if frontend.mode == "http" else {"option tcplog": True}
    if frontend.check:
        section["option httpchk"] = True
        section["http-check send"] = f"meth GET uri {frontend.check}"
    if frontend.mode == "http":
        section |= front_door.rules(cloud, region, frontend)
        # uWSGI closes after each answer, without saying so: what came right behind, on the same connection, would find
        # it closed, and a POST, which is not sent twice, would fail.
        section["option http-server-close"] = True
        if t.retry_on:
            repeatable = "METH_GET" + (f" || {frontend.repeatable}" if frontend.repeatable else "")
            section["http-request disable-l7-retry"] = f"unless {repeatable}"
            if frontend.repeatable:
                # Only what HAProxy holds as a whole can be sent again; clients send a body after its header.
                section["option http-buffer-request"] = True
    cut = frontend.mode == "tcp" and t.shutdown_sessions
    if cut:
        section |= _CLOSES_WHILE_CONNECTING
    section |= frontend.settings
    hosts = cloud.hosts_of(service, region.name)
    checked = (
        " check"
        + (f" inter {ms(frontend.inter)}" if frontend.inter not in (0.0, t.check_inter) else "")
        + (f" fastinter {ms(frontend.inter)} downinter {ms(frontend.inter)}" if frontend.forks else "")
        + (f" port {frontend.check_port}" if frontend.check_port else "")
        + (f" fall {math.ceil(frontend.patience / t.check_fastinter)}" if frontend.patience else "")
        + (" on-marked-down shutdown-sessions" if cut else "")
        + (f" slowstart {ms(SLOW_START)}{_OBSERVED}" if frontend.mode == "http" and t.last_resort else "")
    )
    section["server"] = [
        f"{h.name} {h.address}:{frontend.port}{_secured(cloud, frontend, h)}{checked}"
        + _asked(cloud, frontend, h)
        + _weight(cloud, frontend, h)
        + (" backup" if frontend.standby and index else "")
        for index, h in enumerate(hosts)
    ]
    if _takes_both(cloud, frontend) and frontend.encrypts:
        # Checks tell which of the two a backend speaks.
        section["server"] += [
            f"{h.name}-tls {h.address}:{frontend.port}{_verified(h)}{checked}{_weight(cloud, frontend, h)}"
            for h in hosts
        ]
    if frontend.mode == "http" and t.last_resort:
        # All of a stateless API's backends failing their checks at once means load, not death: a 503 for everybody
        # would make a slow machine an outage. The same backends, unchecked, serve while no checked one is up.
        section["option allbackups"] = True
        section["server"] += [
            f"{h.name}-unchecked {h.address}:{frontend.port}{_secured(cloud, frontend, h)} backup" for h in hosts
        ]
    return section


def _weight(cloud: Cloud, frontend: Frontend, host: Host) -> str:
    """A drained host gets nothing new, and finishes what it has. As a last resort (`-unchecked`) it serves."""
    return " weight 0" if host.name in cloud.drained and not frontend.moves else ""


def _secured(cloud: Cloud, frontend: Frontend, host: Host) -> str:
    return _verified(host) if frontend.encrypts and tls.apis(cloud) else ""


def _asked(cloud: Cloud, frontend: Frontend, host: Host) -> str:
    """TLS of the checks alone. What answers them takes both, so it is wanted as soon as there are certificates."""
    return f" check-ssl {_identified(host)}" if frontend.check_encrypts and tls.encrypted(cloud) else ""


def _verified(host: Host) -> str:
    """TLS to a backend."""
    return f" ssl {_identified(host)}"


def _identified(host: Host) -> str:
    """It must be the host that it is taken for. In version 1.2: HAProxy 3.0 resumes no sessions of 1.3 with uWSGI, and
    a handshake for each request and each check costs four times as much."""
    return f"verify required ca-file {CA} verifyhost {host.name} force-tlsv12"
