"""Metrics of each host: processors and what waits for them, memory, disks, network, connection tracking.

On every host of a region that is monitored. It holds the certificates that the other exporters of the host show too,
for Debian runs all of them as one user. Of its collectors those alone run that an alert or the dashboard reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import monitoring
from fournines.services.capabilities import Port
from fournines.services.resource import Package, Resource
from fournines.services.service import Check, HaPattern, Service

UNIT = "prometheus-node-exporter.service"
PORT = 9100
_COLLECTORS = (
    *("conntrack", "cpu", "diskstats", "filefd", "filesystem", "loadavg", "meminfo", "netdev", "netstat"),
    *("pressure", "sockstat", "stat", "uname", "vmstat"),
)
#: File systems that are none, or that nothing can fill.
_NO_DISKS = "|".join((
    *("autofs", "binfmt_misc", "bpf", "cgroup2?", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl"),
    *("hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "squashfs", "sysfs"),
    *("tmpfs", "tracefs"),
))  # fmt: skip


class NodeExporter(Service):
    name: ClassVar[str] = "node_exporter"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    beside: ClassVar[tuple[str, ...]] = ("base",)
    reader: ClassVar[str] = monitoring.READER
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (Port(PORT, "tcp", "the scrapers", "metrics of the host"),)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package("prometheus-node-exporter")
        yield from monitoring.listener(cloud, host)
        arguments = (
            f"--web.listen-address={host.address}:{PORT}",
            f"--web.config.file={monitoring.WEB}",
            "--collector.disable-defaults",
            *(f"--collector.{name}" for name in _COLLECTORS),
            f"--collector.filesystem.fs-types-exclude=^({_NO_DISKS})$",
            "--log.level=warn",
        )
        yield from monitoring.daemon("prometheus-node-exporter", UNIT, arguments)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield monitoring.refuses(host, "node_exporter", PORT, UNIT)
