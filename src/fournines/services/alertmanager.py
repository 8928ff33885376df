"""Alertmanager on the hosts of the role `monitoring`: they tell one another what they have sent, so that a notification
comes once, and, when they cannot, more than once rather than never.

Whom it notifies is in the cloud file: `services.alertmanager.options."alertmanager.yml"`, sections `webhook` (`url`)
and `email` (`to`, `from`, `smarthost`, `require_tls`, `auth_username`; the password is `alertmanager.smtp` in the
secrets file). Section `route` has how long it waits (`group_wait`,
`group_interval`, `repeat_interval`) and `watchdog: true`, which sends the alert that always fires, every five minutes,
to a receiver outside that raises an alarm when it stops. Without a receiver, alerts are shown and nobody is notified.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.errors import CloudFileError
from fournines.services import monitoring, tls
from fournines.services.capabilities import Port
from fournines.services.options import operators
from fournines.services.render import yaml
from fournines.services.resource import File, Package, Resource
from fournines.services.service import Check, HaPattern, Service

UNIT = "prometheus-alertmanager.service"
PORT, CLUSTER_PORT = 9093, 9094
FILE = "alertmanager.yml"
CONFIG = f"/etc/prometheus/{FILE}"
CLUSTER = f"{monitoring.DIRECTORY}/cluster.yml"
CERTIFICATES = f"{tls.DIRECTORY}/alertmanager"
_ROUTE = {"group_wait": "10s", "group_interval": "1m", "repeat_interval": "4h"}
_MEMORY = 128  # MiB
#: Kinds of receivers, and what each cannot do without.
_RECEIVERS = {"webhook": ("url",), "email": ("to", "from", "smarthost")}


class Alertmanager(Service):
    name: ClassVar[str] = "alertmanager"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("monitoring",)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("node_exporter",)
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(PORT, "tcp", "its network", "API of Alertmanager, for those with a certificate"),
        Port(CLUSTER_PORT, "tcp", "its own members", "Alertmanager's cluster", always=False),
    )

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        others = [h for h in cloud.hosts_of(self.name, host.region) if h != host]
        restart, reload = (f"restart:{UNIT}",), (f"reload:{UNIT}",)
        yield Package("prometheus-alertmanager")
        client = tls.member_pem(cloud, host, monitoring.READER)
        yield File(monitoring.CLIENT, client, mode=0o640, group=monitoring.USER, secret=True)
        text = yaml(_config(cloud))
        yield File(CONFIG, text, mode=0o640, group=monitoring.USER, secret=True, triggers=reload)
        # Of the cluster's connections it reads certificates once.
        member, group = tls.member_pem(cloud, host, self.name), tls.member_ca(cloud, host.region, self.name)
        yield from tls.files(CERTIFICATES, monitoring.USER, restart, member=member, members=group)
        yield File(CLUSTER, yaml(_CLUSTER_TLS), triggers=restart)
        arguments = [
            f"--web.listen-address={host.address}:{PORT}",
            f"--web.external-url=https://{host.address}:{PORT}/",
            f"--web.config.file={monitoring.WEB}",
            f"--config.file={CONFIG}",
            "--storage.path=/var/lib/prometheus/alertmanager",
            f"--cluster.listen-address={f'{host.address}:{CLUSTER_PORT}' if others else ''}",
            *(f"--cluster.peer={h.address}:{CLUSTER_PORT}" for h in others),
            *([f"--cluster.tls-config={CLUSTER}"] if others else []),
            "--log.level=warn",
        ]
        yield from monitoring.daemon("prometheus-alertmanager", UNIT, arguments, _MEMORY)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield monitoring.ready(host, "Alertmanager", PORT, UNIT)


_MEMBER, _MEMBERS = f"{CERTIFICATES}/member.pem", f"{CERTIFICATES}/members.pem"
#: Both ways the certificate of a member of the cluster. With TLS it uses no UDP.
_CLUSTER_TLS = {
    "tls_server_config": monitoring.server_tls(_MEMBER, _MEMBERS),
    "tls_client_config": monitoring.client_tls(_MEMBERS, _MEMBER),
}


def _config(cloud: Cloud) -> dict[str, Any]:
    theirs = operators(cloud, Alertmanager.name, FILE)
    operator: dict[str, Any] = {"name": "operators"}
    for section, needed in _RECEIVERS.items():
        if said := theirs.get(section):
            _complete(cloud, section, [name for name in needed if not said.get(name)])
            operator[f"{section}_configs"] = [{"send_resolved": True, **said, **_password(cloud, said)}]
    route = _ROUTE | theirs.get("route", {})
    heard = str(route.pop("watchdog", False)).lower() in ("true", "1", "on", "yes")
    watchdog = {
        "receiver": "operators" if heard else "nobody",
        "matchers": ['alertname="Watchdog"'],
        "group_interval": "5m",
        "repeat_interval": "5m",
    }
    return {
        "route": {
            "receiver": "operators",
            "group_by": ["cloud", "region", "alertname"],
            **route,
            "routes": [watchdog],
        },
        "receivers": [{"name": "nobody"}, operator],
        # What is down explains what else is wrong there.
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="HostDown"'],
                "target_matchers": ['severity="warning"'],
                "equal": ["cloud", "region", "host"],
            }
        ],
    }


def _password(cloud: Cloud, said: dict[str, Any]) -> dict[str, str]:
    if not said.get("auth_username"):
        return {}
    return {
        "auth_password": str(cloud.secrets.given("alertmanager.smtp", "the password of your mail server's account"))
    }


def _complete(cloud: Cloud, section: str, missing: list[str]) -> None:
    """Raises CloudFileError when something is `missing`: Alertmanager would not start."""
    if not missing:
        return
    file, path = cloud.places.file or cloud.name, ("services", Alertmanager.name, "options", FILE, section)
    what = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    problem = cloud.places.problem(path, what, f"add {missing[0]}, or remove the section")
    raise CloudFileError(f"{file}: Alertmanager's {section} cannot be used", (problem,), next=f"fournines check {file}")
