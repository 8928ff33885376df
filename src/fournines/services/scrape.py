"""What a Prometheus scrapes of a cloud, and how it is let in: for those of the role `monitoring`, and for others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fournines.cloud.model import Cloud, Region
from fournines.services import agent, alertmanager, monitoring, mysqld_exporter, node_exporter
from fournines.services.alerts import SCRAPE
from fournines.services.alerts.alert import SLOW_SCRAPE

PROMETHEUS_PORT = 9090


@dataclass(frozen=True)
class Job:
    """service: whose hosts are scraped. every: seconds. params: of the request. outside: for any Prometheus, not only
    for those of the role."""

    name: str
    service: str
    port: int
    every: int = SLOW_SCRAPE
    params: tuple[tuple[str, tuple[str, ...]], ...] = ()
    outside: bool = True


JOBS = (
    Job("agent", "agent", agent.HTTP_PORT, SCRAPE),
    Job("node", "node_exporter", node_exporter.PORT),
    # Not of every server behind every proxy, of which there are thousands of series: the agents say which are up.
    Job("haproxy", "haproxy", monitoring.HAPROXY_PORT, params=(("scope", ("global", "frontend", "backend")),)),
    Job("rabbitmq", "rabbitmq", monitoring.RABBITMQ_PORT),
    Job("mysqld", "mysqld_exporter", mysqld_exporter.PORT),
    Job("prometheus", "prometheus", PROMETHEUS_PORT, outside=False),
    Job("alertmanager", "alertmanager", alertmanager.PORT, outside=False),
)
#: Series by the hundred that no alert and no panel reads.
_DROPPED = "(erlang_mnesia|erlang_vm_msacc|erlang_vm_allocators|mysql_global_status_(commands|handlers)|go_gc).*"


@dataclass(frozen=True)
class Files:
    """Where a Prometheus finds what it shows and checks: the cloud's CA, its own certificate and key, the token."""

    ca: str
    certificate: str
    token: str


def scrape_configs(cloud: Cloud, region: Region, files: Files, *, outside: bool = False) -> Iterator[dict[str, Any]]:
    """`scrape_configs` of prometheus.yml for one region. outside: job names have the region's, which has certificates
    of its own; and what the role `monitoring` runs is left out."""
    for job in JOBS:
        hosts = cloud.hosts_of(job.service, region.name)
        if not hosts or (outside and not job.outside):
            continue
        name = {"job": job.name, "cloud": cloud.name, "region": region.name}
        yield {
            "job_name": f"{cloud.name} {region.name} {job.name}" if outside else job.name,
            "scheme": "https",
            "scrape_interval": f"{job.every}s",
            "scrape_timeout": f"{job.every - 1}s",
            "tls_config": monitoring.client_tls(files.ca, files.certificate),
            **({"authorization": {"credentials_file": files.token}} if job.name == "agent" else {}),
            **({"params": {key: list(values) for key, values in job.params}} if job.params else {}),
            "static_configs": [
                {"targets": [f"{h.address}:{job.port}"], "labels": {**name, "host": h.name, "zone": h.zone.name}}
                for h in hosts
            ],
            "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": _DROPPED, "action": "drop"}],
        }
