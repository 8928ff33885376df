"""Swift's storage: account, container and object servers, each object on three of these hosts, in three zones.

A host that is away costs nothing: writes go to two replicas and to a hand-off, reads to whoever answers first. When it
returns, the replicators bring it up to date. The servers have no accounts: they listen on the storage network (or the
management network), where only hosts of the cloud belong.

What works all the time is a daemon; auditors, the reaper and the expirer make their rounds by timer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import memcached, openstack, sandbox, swift_rings, units
from fournines.services.capabilities import Port
from fournines.services.options import operators
from fournines.services.render import Sections, ini, template
from fournines.services.resource import Directory, File, Package, Resource
from fournines.services.safeguard import Safeguard, is_set
from fournines.services.service import Check, HaPattern, Rolling, Service

RSYNC_PORT = 8873
#: Swift's daemons set their own user, priority and limits when they start.
_SANDBOX = sandbox.service("swift", swift_rings.DEVICES, "/run/lock", filters=("@system-service",))
#: Kind -> daemons beside its server; all read the kind's file.
DAEMONS = {"account": ("replicator",), "container": ("replicator", "updater"), "object": ("replicator", "updater")}
ROUNDS = {"account": ("auditor", "reaper"), "container": ("auditor",), "object": ("auditor", "expirer")}
RSYNC = "swift-rsync.service"


def _server(kind: str) -> str:
    return f"swift-{kind}.service"


def _daemon(kind: str, what: str) -> str:
    return f"swift-{kind}-{what}.service"


class SwiftStorage(Service):
    name: ClassVar[str] = "swift_storage"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("storage",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    networks: ClassVar[tuple[str, ...]] = (swift_rings.NETWORK,)
    rolling: ClassVar[Rolling] = "by-zone"
    units: ClassVar[tuple[str, ...]] = (
        *(_server(kind) for kind in reversed(swift_rings.PORTS)),
        *(_daemon(kind, what) for kind, daemons in DAEMONS.items() for what in daemons),
        RSYNC,
        *(f"swift-{kind}-{what}.timer" for kind, whats in ROUNDS.items() for what in whats),
    )

    ports: ClassVar[tuple[Port, ...]] = (
        *(
            Port(number, "tcp", ("swift", "swift_storage"), f"{kind} server", network="storage")
            for kind, number in swift_rings.PORTS.items()
        ),
        Port(RSYNC_PORT, "tcp", "its own members", "rsync of the replicators", network="storage"),
    )
    guarded: ClassVar[tuple[Safeguard, ...]] = tuple(
        guard
        for kind in swift_rings.PORTS
        for guard in (
            *openstack.each_host(f"{kind}-server.conf", "DEFAULT", "bind_ip"),
            Safeguard(
                f"{kind}-server.conf",
                "DEFAULT",
                "bind_port",
                is_set,
                "the rings say where it is",
                "remove it",
                fatal=True,
            ),
            Safeguard(
                f"{kind}-server.conf",
                "DEFAULT",
                "devices",
                is_set,
                "the folders are made at /srv/node",
                "remove it",
                fatal=True,
            ),
        )
    )

    def write_quorum(self, cloud: Cloud, region: Region) -> int:
        """Hosts with devices enough for a majority of the replicas: a hand-off counts like a primary."""
        replicas = swift_rings.replicas(cloud, region)
        return math.ceil((replicas + 1) // 2 / len(swift_rings.devices(cloud)))

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        for package in ("swift-account", "swift-container", "swift-object", "swift-object-expirer", "rsync"):
            yield Package(package)
        yield from swift_rings.common(cloud, cloud.region_of(host))
        yield Directory("/var/cache/swift", owner="swift", group="swift")
        yield Directory(swift_rings.DEVICES)
        for device in swift_rings.devices(cloud):
            yield Directory(f"{swift_rings.DEVICES}/{device}", owner="swift", group="swift")
        rsync = template("swift/rsyncd.conf.j2", address=swift_rings.address(host), port=RSYNC_PORT)
        yield File("/etc/swift/rsyncd.conf", rsync, triggers=(f"restart:{RSYNC}",))
        yield from units.daemon(cloud, _swift(RSYNC, "rsync --daemon --no-detach --config=/etc/swift/rsyncd.conf"))
        for kind in swift_rings.PORTS:
            yield from _of_kind(cloud, host, kind)

    def keeps(self, cloud: Cloud, host: Host) -> str:
        return "its disks hold copies of objects, and nothing here waits until the others have them"

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        for kind, port in swift_rings.PORTS.items():
            yield Check(
                f"the {kind} server has the rings of this host",
                host.name,
                f"curl -fsS -m 5 http://{swift_rings.address(host)}:{port}/recon/ringmd5"
                f" | grep -q $(md5sum /etc/swift/{kind}.ring.gz | cut -c1-32)",
                within=60,
                unit=_server(kind),
            )


def _of_kind(cloud: Cloud, host: Host, kind: str) -> Iterable[Resource]:
    mine = (_server(kind), *(_daemon(kind, what) for what in DAEMONS[kind]))
    path = f"/etc/swift/{kind}-server.conf"
    yield File(
        path,
        ini(_config(host, kind), operators(cloud, "swift_storage", f"{kind}-server.conf")),
        mode=0o640,
        group="swift",
        triggers=tuple(f"restart:{unit}" for unit in mine),
    )
    yield from units.daemon(cloud, _swift(_server(kind), f"swift-{kind}-server {path}"))
    for what in DAEMONS[kind]:
        yield from units.daemon(cloud, _swift(_daemon(kind, what), f"swift-{kind}-{what} {path}"))
    if kind == "object":
        yield File(
            "/etc/swift/internal-client.conf",
            ini(_internal_client(host), operators(cloud, "swift_storage", "internal-client.conf")),
            mode=0o640,
            group="swift",
        )
    for what in ROUNDS[kind]:
        yield from units.rounds(
            units.Round(
                name=f"swift-{kind}-{what}",
                description=f"OpenStack Swift {kind} {what}",
                user="swift",
                command=f"/usr/bin/swift-{kind}-{what} {path} once",
                every="15min",
                sandbox=_SANDBOX,
            )
        )


def _swift(unit: str, command: str) -> units.Daemon:
    name = unit.removesuffix(".service").replace("-", " ", 1)
    return units.Daemon(
        unit=unit,
        service="swift_storage",
        description=f"OpenStack {name.capitalize()}",
        user="swift",
        command=f"/usr/bin/{command}",
        sandbox=_SANDBOX,
        # Servers finish what they have and end; the others end.
        kill_signal="SIGHUP" if "-server " in command else "SIGTERM",
    )


def _config(host: Host, kind: str) -> Sections:
    name = {"account": "account-server", "container": "container-server", "object": "object-server"}[kind]
    sections: dict[str, dict[str, Any]] = {
        "DEFAULT": {
            "bind_ip": swift_rings.address(host),
            "bind_port": swift_rings.PORTS[kind],
            "user": "swift",
            "swift_dir": swift_rings.DIRECTORY,
            "devices": swift_rings.DEVICES,
            "mount_check": False,
            "log_level": "WARNING",
            "workers": 1,
            "conn_timeout": 0.5,
        },
        "pipeline:main": {"pipeline": f"healthcheck recon {name}"},
        f"app:{name}": {"use": f"egg:swift#{kind}"},
        "filter:healthcheck": {"use": "egg:swift#healthcheck"},
        "filter:recon": {"use": "egg:swift#recon", "recon_cache_path": "/var/cache/swift"},
    }
    for what in (*DAEMONS[kind], *ROUNDS[kind]):
        sections[f"{kind}-{what}"] = {"recon_cache_path": "/var/cache/swift"} if what != "reaper" else {}
    module = f"rsync://{{replication_ip}}:{RSYNC_PORT}/{kind}"
    sections[f"{kind}-replicator"] |= {"rsync_module": module, "interval": 30, "concurrency": 1}
    if kind == "object":
        sections["object-updater"] |= {"concurrency": 1}
        sections["object-expirer"] |= {"internal_client_conf_path": "/etc/swift/internal-client.conf"}
    if kind == "container":
        # A process for each partition that holds a container, each sweep: at Swift's 300 s that is no load.
        sections["container-updater"] |= {"concurrency": 1}
    return sections


def _internal_client(host: Host) -> Sections:
    local = f"{memcached.LOCAL}:{memcached.PORT}" if "memcached" in host.services else None
    return {
        "DEFAULT": {"swift_dir": swift_rings.DIRECTORY, "user": "swift"},
        "pipeline:main": {"pipeline": "catch_errors proxy-logging cache symlink proxy-server"},
        "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": True},
        "filter:cache": {"use": "egg:swift#memcache", "memcache_servers": local},
        "filter:proxy-logging": {"use": "egg:swift#proxy_logging"},
        "filter:catch_errors": {"use": "egg:swift#catch_errors"},
        "filter:symlink": {"use": "egg:swift#symlink"},
    }
