"""Alert rules of one region, made from its design: how many of each group there are, what a majority is, how long its
timers let something take. Rules are kept apart by tier; `trials` makes promtool's unit tests of them."""

from __future__ import annotations

from fournines.cloud.model import Cloud, Region
from fournines.services.alerts.alert import DRAINED, SCRAPE, Alert, Scope
from fournines.services.alerts.balancers import balancers
from fournines.services.alerts.cluster import cluster
from fournines.services.alerts.database import database
from fournines.services.alerts.hosts import hosts
from fournines.services.alerts.messaging import messaging
from fournines.services.alerts.openstack import openstack
from fournines.services.alerts.pipeline import pipeline
from fournines.services.alerts.replicas import replicas
from fournines.services.alerts.vip import vips

#: Where the runbook is: docs/alerts.md of the documentation, a heading for each alert.
RUNBOOK = "docs/alerts.md"
_TIERS = (hosts, vips, cluster, database, replicas, messaging, balancers, openstack, pipeline)


def alerts(cloud: Cloud, region: Region) -> tuple[Alert, ...]:
    """Those of what `region` carries."""
    scope = Scope(cloud, region)
    return tuple(alert for tier in _TIERS for alert in tier(scope))


def rules(cloud: Cloud, *regions: Region, runbook: str = RUNBOOK) -> dict[str, object]:
    """The rule file of Prometheus. runbook: address of the page to which each alert's name is added."""
    return {"groups": [_group(cloud, region, runbook) for region in regions]}


def _group(cloud: Cloud, region: Region, runbook: str) -> dict[str, object]:
    said = Scope(cloud, region)("fournines_drained")
    drained = f'max by (cloud, region, host) (label_replace({said}, "host", "$1", "on", "(.*)"))'
    where = {"cloud": cloud.name, "region": region.name}
    return {
        "name": f"fournines {cloud.name} {region.name}",
        "interval": f"{SCRAPE}s",
        "rules": [
            {"record": DRAINED, "expr": drained},
            *(_rule(alert, where, runbook) for alert in alerts(cloud, region)),
        ],
    }


def _rule(alert: Alert, where: dict[str, str], runbook: str) -> dict[str, object]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({"for": f"{alert.wait}s"} if alert.wait else {}),
        "labels": {"severity": alert.severity, **where},
        "annotations": {
            "summary": alert.summary,
            "description": alert.means,
            "run": alert.run,
            "runbook_url": f"{runbook}#{alert.name.lower()}",
        },
    }
