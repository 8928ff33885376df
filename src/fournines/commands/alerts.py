"""Alert rules of a cloud, and which of them fire now, as Alertmanager on the hosts of the role `monitoring` says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from fournines.cloud.model import Cloud, Host
from fournines.engine import SshOptions, connect
from fournines.engine.transport import Transport
from fournines.errors import HostError
from fournines.services import monitoring, tls
from fournines.services.alertmanager import PORT, Alertmanager
from fournines.services.alerts import alerts

ANSWER = 15.0


@dataclass(frozen=True)
class Firing:
    """An alert that fires or is held back. since: RFC 3339. state: Alertmanager's `active` or `suppressed`."""

    name: str
    severity: str
    region: str
    host: str
    since: str
    state: str
    summary: str


@dataclass(frozen=True)
class Said:
    """asked: region -> the host that answered. failures: region -> why nothing is known of it."""

    firing: tuple[Firing, ...]
    asked: dict[str, str] = field(default_factory=dict[str, str])
    failures: dict[str, str] = field(default_factory=dict[str, str])


def rules(cloud: Cloud) -> list[dict[str, Any]]:
    """Those of each region, without the series that they are tested with."""
    found: list[dict[str, Any]] = []
    for region in cloud.regions.values():
        for alert in alerts(cloud, region):
            rule = asdict(alert)
            del rule["samples"]
            found.append({"region": region.name, **rule})
    return found


async def firing(cloud: Cloud, ssh: SshOptions) -> Said:
    """Of each region the first Alertmanager that answers: they tell one another."""
    found: list[Firing] = []
    asked: dict[str, str] = {}
    failures: dict[str, str] = {}
    for region in cloud.regions:
        hosts = cloud.hosts_of(Alertmanager.name, region)
        if not hosts:
            failures[region] = "no host has the role monitoring"
            continue
        async with connect(hosts, ssh) as reached:
            reasons = {name: error.what for name, error in reached.failures.items()}
            for name, host in reached.items():
                try:
                    found += await _of(host, cloud.host_by_name[name])
                except HostError as error:
                    reasons[name] = error.why or error.what
                    continue
                asked[region] = name
                break
        if region not in asked:
            failures[region] = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    return Said(tuple(sorted(found, key=lambda f: f.since, reverse=True)), asked, failures)


async def _of(transport: Transport, host: Host) -> list[Firing]:
    """Raises HostError."""
    address = f"https://{host.address}:{PORT}/api/v2/alerts?inhibited=true&silenced=true&active=true"
    script = f"curl -fsS -m 5 --cacert {tls.CA} --cert {monitoring.CLIENT} '{address}'"
    done = await transport.run(script, timeout=ANSWER)
    try:
        if done.status:
            raise ValueError(done.stderr.strip()[-200:])
        return understood(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError) as error:
        why = str(error) or type(error).__name__
        raise HostError(f"{host.name}: Alertmanager does not say what fires", where=host.name, why=why) from error


def understood(said: Any) -> list[Firing]:
    """Of Alertmanager's API, version 2. Its watchdog, which always fires, is left out. KeyError, TypeError: it is not
    that."""
    if not isinstance(said, list):
        raise TypeError("it is no list of alerts")
    return [
        Firing(
            name=alert["labels"]["alertname"],
            severity=alert["labels"].get("severity", ""),
            region=alert["labels"].get("region", ""),
            host=alert["labels"].get("host", ""),
            since=alert["startsAt"],
            state=alert["status"]["state"],
            summary=alert.get("annotations", {}).get("summary", ""),
        )
        for alert in cast(list[dict[str, Any]], said)
        if alert["labels"]["alertname"] != "Watchdog"
    ]
