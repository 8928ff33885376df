"""The runbook: a page with a heading for each alert, from what the rules themselves say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fournines.cli.markdown import markdown
from fournines.cloud.model import Cloud
from fournines.services.alerts import alerts
from fournines.services.alerts.alert import Alert


def page(clouds: Iterable[Cloud]) -> str:
    """Markdown. An alert of several clouds is described as in the first; numbers in it are that cloud's."""
    found: dict[str, Alert] = {}
    for cloud in clouds:
        for region in cloud.regions.values():
            for alert in alerts(cloud, region):
                found.setdefault(alert.name, alert)
    return markdown("alerts").render(alerts=[_row(alert) for alert in found.values()])


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "name": alert.name,
        "severity": {"none": "always fires"}.get(alert.severity, alert.severity),
        "wait": f"{alert.wait} s" if alert.wait else "at once",
        "summary": re.sub(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}", lambda m: m[1].upper(), alert.summary),
        "means": alert.means,
        "steps": [step.strip() for step in alert.run.split("; ")],
        # One region's labels in every selector say nothing to a reader.
        "expr": re.sub(r'cloud="[^"]*",region="[^"]*",?', "", alert.expr).replace("{}", ""),
    }
