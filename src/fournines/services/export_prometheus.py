"""What `fournines export prometheus` writes, for a Prometheus that fournines does not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fournines.cloud.model import Cloud
from fournines.services import agent, alerts, monitoring, tls
from fournines.services.alerts import trials
from fournines.services.render import yaml
from fournines.services.scrape import Files, scrape_configs

RULES, TESTS, CONFIG = "fournines.rules.yml", "fournines.rules.test.yml", "prometheus.yml"


def files(cloud: Cloud, directory: str, runbook: str) -> Mapping[str, str]:
    """Name -> content. The keys among them are `secret`. directory: where Prometheus finds them."""
    return dict(_files(cloud, directory.rstrip("/"), runbook))


def secret(name: str) -> bool:
    return name.endswith((".pem", ".token")) and name != "ca.pem"


def _files(cloud: Cloud, directory: str, runbook: str) -> Iterator[tuple[str, str]]:
    regions = tuple(r for r in cloud.regions.values() if monitoring.monitored(cloud, r.name))
    yield "ca.pem", tls.internal_ca(cloud)
    yield "agent.token", agent.metrics_token(cloud)
    configs: list[dict[str, object]] = []
    for region in regions:
        client = f"client-{region.name}.pem"
        yield client, tls.client_pem(cloud, region.name, monitoring.READER)
        found = Files(f"{directory}/ca.pem", f"{directory}/{client}", f"{directory}/agent.token")
        configs += scrape_configs(cloud, region, found, outside=True)
    yield RULES, yaml(alerts.rules(cloud, *regions, runbook=runbook))
    yield TESTS, yaml(trials.tests(cloud, *regions, rule_file=RULES))
    document = {
        "global": {"evaluation_interval": f"{alerts.SCRAPE}s"},
        "rule_files": [f"{directory}/{RULES}"],
        "scrape_configs": configs,
    }
    yield CONFIG, yaml(document)
