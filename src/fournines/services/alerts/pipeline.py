"""Alerts of monitoring itself."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.services import monitoring
from fournines.services.alerts.alert import Alert, Line, Scope, planned

#: Exporter's job -> the service whose hosts have it.
EXPORTERS = {"haproxy": "haproxy", "rabbitmq": "rabbitmq", "mysqld": "mysqld_exporter"}


def pipeline(s: Scope) -> Iterator[Alert]:
    yield Alert(
        name="Watchdog",
        expr="vector(1)",
        wait=0,
        severity="none",
        summary="alerting works",
        means="It always fires, and is sent every five minutes. What receives it outside this cloud raises an alarm "
        "when it stops.",
        run="nothing",
    )
    if jobs := {job: hosts[0] for job, service in EXPORTERS.items() if (hosts := s.hosts(service))}:
        job, host = next(iter(jobs.items()))
        lost = s("up", f'job=~"{"|".join(jobs)}"')
        yield Alert(
            name="ExporterDown",
            expr=f"({lost} == 0 and on (cloud, region, host) {s('up', job='node')} == 1){planned()}",
            wait=300,
            severity="warning",
            summary="metrics of {{ $labels.job }} on {{ $labels.host }} are missing",
            means="Alerts that are made of them cannot fire. The daemon itself may work: the agent watches that.",
            run="on the host: systemctl status 'prometheus-*-exporter'; journalctl -u UNIT -n 50",
            samples=(s.up(job, host), s.up("node", host, 1)),
        )
    yield from _daemons(s)


def _daemons(s: Scope) -> Iterator[Alert]:
    """Of the daemons of hosts of the role `monitoring`; a Prometheus outside is watched by whoever has it."""
    names = s.hosts(monitoring.READER)
    if not names:
        return
    if len(names) > 1:
        for job, name, unit in (
            ("prometheus", "PrometheusDown", "prometheus"),
            ("alertmanager", "AlertmanagerDown", "prometheus-alertmanager"),
        ):
            yield Alert(
                name=name,
                expr=f"{s('up', job=job)} == 0{planned()}",
                wait=120,
                severity="warning",
                summary=f"{unit} of {{{{ $labels.host }}}} does not answer",
                means="The others go on. Were the last one lost too, nobody would be told of anything.",
                run=f"on the host: systemctl status {unit}; journalctl -u {unit} -n 50",
                samples=(s.up(job, names[1]),),
            )
        peers = s("alertmanager_cluster_members")
        yield Alert(
            name="AlertmanagersApart",
            expr=f"{peers} < {len(names)} and on (cloud, region, host) {s('up', job='alertmanager')} == 1",
            wait=300,
            severity="warning",
            summary=f"Alertmanager of {{{{ $labels.host }}}} sees {{{{ $value }}}} of {len(names)} members",
            means="They do not know what the others have sent: notifications come more than once.",
            run="on each host of it: journalctl -u prometheus-alertmanager -n 50",
            samples=(
                s.on("alertmanager_cluster_members", names[0], len(names), 1),
                s.up("alertmanager", names[0], 1),
            ),
        )
    failing = "alertmanager_notifications_failed_total"
    yield Alert(
        name="NotificationsFail",
        expr=f"sum by (host, integration) (increase({s(failing)}[10m])) > 0",
        wait=300,
        severity="warning",
        summary="Alertmanager of {{ $labels.host }} cannot send by {{ $labels.integration }}",
        means="Nobody is told of this region's alerts by it.",
        run="on the host: journalctl -u prometheus-alertmanager -n 50; services.alertmanager.options in the cloud file",
        samples=(s.on(failing, names[0], Line(0), Line(0, 0.2), 'integration="webhook"'),),
    )
    for name, metric, what in (
        ("AlertsNotDelivered", "prometheus_notifications_errors_total", "cannot send alerts to an Alertmanager"),
        ("RulesFail", "prometheus_rule_evaluation_failures_total", "cannot evaluate an alert rule"),
    ):
        yield Alert(
            name=name,
            expr=f"sum by (host) (increase({s(metric)}[10m])) > 0",
            wait=300,
            severity="warning",
            summary=f"Prometheus of {{{{ $labels.host }}}} {what}",
            means="Alerts that this Prometheus alone would raise reach nobody.",
            run="on the host: journalctl -u prometheus -n 50",
            samples=(s.on(metric, names[0], Line(0), Line(0, 0.2)),),
        )
