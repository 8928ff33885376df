"""Prometheus on the hosts of the role `monitoring`: each scrapes all of its region, so that any of them may be lost.

Targets follow from the cloud and alert rules from its design ([alerts](../alerts.md)). It is read with a certificate of
the group `prometheus`; `fournines export prometheus` makes one for a Grafana, or for a Prometheus of your own. How long
series are kept is `services.prometheus.options."prometheus.yml"`, section `storage`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import agent, alertmanager, alerts, monitoring, tls
from fournines.services.capabilities import Port, control_plane
from fournines.services.options import operators
from fournines.services.render import yaml
from fournines.services.resource import File, Package, Resource
from fournines.services.scrape import PROMETHEUS_PORT, Files, scrape_configs
from fournines.services.service import Check, HaPattern, Service

UNIT = "prometheus.service"
FILE = "prometheus.yml"
CONFIG = f"/etc/prometheus/{FILE}"
RULES = "/etc/prometheus/fournines.rules.yml"
TOKEN = f"{monitoring.DIRECTORY}/agent.token"  # a path
DATA = "/var/lib/prometheus/metrics2"
#: What is kept, by time and by size: whichever is less.
_STORAGE = {"retention_time": "15d", "retention_size": "4GB"}
_FILES = Files(tls.CA, monitoring.CLIENT, TOKEN)


class Prometheus(Service):
    name: ClassVar[str] = "prometheus"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("monitoring",)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("node_exporter", "alertmanager")
    after: ClassVar[tuple[str, ...]] = ("mysqld_exporter", "haproxy", "rabbitmq")
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(PROMETHEUS_PORT, "tcp", "its network", "API of Prometheus, for those with a certificate"),
    )

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region, reload = cloud.region_of(host), (f"reload:{UNIT}",)
        yield Package("prometheus")
        token = agent.metrics_token(cloud)
        yield File(TOKEN, token, mode=0o640, group=monitoring.USER, secret=True)
        yield File(RULES, yaml(alerts.rules(cloud, region)), triggers=reload)
        yield File(CONFIG, yaml(_config(cloud, region, host)), triggers=reload)
        storage = _STORAGE | operators(cloud, self.name, FILE).get("storage", {})
        arguments = (
            f"--config.file={CONFIG}",
            f"--web.listen-address={host.address}:{PROMETHEUS_PORT}",
            f"--web.external-url=https://{host.address}:{PROMETHEUS_PORT}/",
            f"--web.config.file={monitoring.WEB}",
            f"--storage.tsdb.path={DATA}",
            f"--storage.tsdb.retention.time={storage['retention_time']}",
            f"--storage.tsdb.retention.size={storage['retention_size']}",
            "--log.level=warn",
        )
        yield from monitoring.daemon("prometheus", UNIT, arguments, memory(cloud, region))

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield monitoring.ready(host, "Prometheus", PROMETHEUS_PORT, UNIT)
        yield Check("Prometheus takes its rules", host.name, f"promtool check rules {RULES} > /dev/null", 30, UNIT)


def memory(cloud: Cloud, region: Region) -> int:
    """MiB from which on it is slowed down: twice what its series take, by an estimate of 8 KiB for a series that is
    scraped every 5 to 15 s, some 500 of a host and 4,000 of one of the control plane."""
    series = 500 * len(region.hosts) + 4000 * len(control_plane(cloud, region.name))
    return 256 + 2 * 8 * series // 1024


def _config(cloud: Cloud, region: Region, host: Host) -> dict[str, Any]:
    """prometheus.yml of the Prometheus on `host`."""
    managers = [f"{h.address}:{alertmanager.PORT}" for h in cloud.hosts_of("alertmanager", region.name)]
    return {
        "global": {"evaluation_interval": f"{alerts.SCRAPE}s", "external_labels": {"replica": host.name}},
        "rule_files": [RULES],
        "alerting": {
            # Each sends every alert to all of them: without the label, these are one.
            "alert_relabel_configs": [{"regex": "replica", "action": "labeldrop"}],
            "alertmanagers": [
                {
                    "scheme": "https",
                    "tls_config": monitoring.client_tls(),
                    "static_configs": [{"targets": managers}],
                }
            ],
        },
        "scrape_configs": list(scrape_configs(cloud, region, _FILES)),
    }
