"""A dashboard for Grafana, as the JSON that its import takes: what a region's metrics are read for at a glance.

Panels are rows of data here; Grafana asks for the data source when it imports, and variables choose cloud, region and
host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Grafana's grid is 24 wide.
_WIDTH, _HEIGHT, _ROW = 24, 7, 1
_SOURCE = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
_HERE = 'cloud="$cloud",region="$region"'
_HOSTS = f'{_HERE},host=~"$host"'


@dataclass(frozen=True)
class Panel:
    """queries: (PromQL, legend). unit: Grafana's. stat: one number; good: its value while all is well, or the least."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    stat: bool = False
    good: float | None = None
    top: float | None = None


def _stat(title: str, query: str, good: float, unit: str = "short") -> Panel:
    return Panel(title, ((query, ""),), unit, stat=True, good=good)


_NOW = (
    _stat("Alerts that fire", f'count(ALERTS{{{_HERE},alertstate="firing",severity!="none"}}) or vector(0)', 0),
    _stat("VIPs held", f"count(count by (vip) (fournines_vip_held{{{_HERE}}})) or vector(0)", 1),
    _stat("Writers", f"sum(fournines_galera_writer{{{_HERE}}}) or vector(0)", 1),
    _stat("MariaDB Synced", f"sum(fournines_galera_synced{{{_HERE}}}) or vector(0)", 1),
    _stat("RabbitMQ running", f"max(fournines_rabbitmq_nodes_running{{{_HERE}}}) or vector(0)", 1),
    _stat("Hosts that answer", f'sum(up{{{_HERE},job="agent"}}) or vector(0)', 1),
    _stat("Backends out", f"count(max by (proxy, server) (fournines_backend_up{{{_HERE}}}) == 0) or vector(0)", 0),
    _stat("Certificates expire in", f"min(fournines_certificate_end_seconds{{{_HERE}}}) - time()", 2_592_000, "s"),
)
_USERS = (
    Panel(
        "Answers per second, by API",
        ((f"sum by (proxy) (rate(haproxy_frontend_http_responses_total{{{_HERE}}}[1m]))", "{{proxy}}"),),
        "reqps",
    ),
    Panel(
        "Server errors per second, by API",
        ((f'sum by (proxy) (rate(haproxy_frontend_http_responses_total{{{_HERE},code="5xx"}}[1m]))', "{{proxy}}"),),
        "reqps",
    ),
    Panel(
        "Mean response time, by API",
        ((f"max by (proxy) (haproxy_backend_response_time_average_seconds{{{_HERE}}})", "{{proxy}}"),),
        "s",
    ),
    Panel(
        "Requests sent again to another backend",
        ((f"sum by (proxy) (rate(haproxy_backend_redispatch_warnings_total{{{_HERE}}}[1m]))", "{{proxy}}"),),
        "reqps",
    ),
)
_VIP = (
    Panel("Who holds the VIPs", ((f"sum by (host) (fournines_vip_held{{{_HOSTS}}})", "{{host}}"),)),
    Panel("Votes counted", ((f"fournines_guard_votes{{{_HOSTS}}}", "{{host}}"),)),
    Panel("Scheduling delay of guards", ((f"fournines_guard_delay_seconds{{{_HOSTS}}}", "{{host}}"),), "s"),
    Panel("Heartbeat age", ((f"max by (peer) (fournines_peer_heard_seconds{{{_HOSTS}}})", "{{peer}}"),), "s"),
)
_DATABASE = (
    Panel("Writer", ((f"fournines_galera_writer{{{_HOSTS}}}", "{{host}}"),)),
    Panel(
        "Transactions per second",
        ((f"rate(fournines_galera_seqno{{{_HOSTS}}}[1m])", "{{host}}"),),
        "ops",
    ),
    Panel("Transactions to apply", ((f"fournines_galera_receive_queue{{{_HOSTS}}}", "{{host}}"),)),
    Panel(
        "Paused by flow control",
        ((f"rate(mysql_global_status_wsrep_flow_control_paused_ns{{{_HOSTS}}}[1m]) / 1e9", "{{host}}"),),
        "percentunit",
        top=1,
    ),
    Panel(
        "Connections in use",
        (
            (f"mysql_global_status_threads_connected{{{_HOSTS}}}", "{{host}}"),
            (f"min(mysql_global_variables_max_connections{{{_HOSTS}}})", "limit"),
        ),
    ),
)
_HITS = f"rate(fournines_memcached_get_hits_total{{{_HOSTS}}}[5m])"
_BUS = (
    Panel("Messages ready", ((f"rabbitmq_queue_messages_ready{{{_HOSTS}}}", "{{host}}"),)),
    Panel(
        "Queues without members",
        (
            (f"max(fournines_rabbitmq_queues_missing_members{{{_HERE}}})", "a member is missing"),
            (f"max(fournines_rabbitmq_queues_without_majority{{{_HERE}}})", "no majority"),
        ),
    ),
    Panel("Connections", ((f"rabbitmq_connections{{{_HOSTS}}}", "{{host}}"),)),
    Panel(
        "memcached hit ratio",
        ((f"{_HITS} / ({_HITS} + rate(fournines_memcached_get_misses_total{{{_HOSTS}}}[5m]))", "{{host}}"),),
        "percentunit",
        top=1,
    ),
)
_MACHINES = (
    Panel(
        "Processors in use",
        ((f'1 - avg by (host) (rate(node_cpu_seconds_total{{{_HOSTS},mode="idle"}}[1m]))', "{{host}}"),),
        "percentunit",
        top=1,
    ),
    Panel(
        "Waiting for processors (PSI)",
        ((f"rate(node_pressure_cpu_waiting_seconds_total{{{_HOSTS}}}[1m])", "{{host}}"),),
        "percentunit",
        top=1,
    ),
    Panel(
        "Memory available",
        ((f"node_memory_MemAvailable_bytes{{{_HOSTS}}} / node_memory_MemTotal_bytes{{{_HOSTS}}}", "{{host}}"),),
        "percentunit",
        top=1,
    ),
    Panel(
        "Least free disk",
        ((f"min by (host) (node_filesystem_avail_bytes{{{_HOSTS}}} / node_filesystem_size_bytes{{{_HOSTS}}})",
          "{{host}}"),),
        "percentunit",
        top=1,
    ),
    Panel(
        "OpenStack services that do not report",
        ((f"count by (service, kind) (fournines_openstack_agent_up{{{_HERE}}} == 0)", "{{service}} {{kind}}"),),
    ),
    Panel(
        "Hung daemons killed, per hour",
        ((f"increase(fournines_daemon_kills_total{{{_HOSTS}}}[1h])", "{{host}} {{unit}}"),),
    ),
)  # fmt: skip
#: Title -> panels, from top to bottom.
ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    ("Now", _NOW),
    ("What users see", _USERS),
    ("VIP", _VIP),
    ("Database", _DATABASE),
    ("Bus and cache", _BUS),
    ("Hosts", _MACHINES),
)


def grafana() -> dict[str, Any]:
    """What Grafana (10 and later) imports."""
    return {
        "__inputs": [
            {"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"},
        ],
        "__requires": [{"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"}],
        "uid": "fournines-control-plane",
        "title": "OpenStack control plane (fournines)",
        "tags": ["fournines", "openstack"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "editable": True,
        "graphTooltip": 1,
        "annotations": {"list": [_changes()]},
        "templating": {
            "list": [
                _variable("cloud", "label_values(fournines_clock_seconds, cloud)"),
                _variable("region", 'label_values(fournines_clock_seconds{cloud="$cloud"}, region)'),
                _variable("host", f"label_values(fournines_clock_seconds{{{_HERE}}}, host)", every=True),
            ]
        },
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    y, number = 0, 1
    for title, panels in ROWS:
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": _ROW}}  # fmt: skip
        y, number = y + _ROW, number + 1
        across = 8 if panels[0].stat else 2
        width, height = _WIDTH // across, 4 if panels[0].stat else _HEIGHT
        for at, panel in enumerate(panels):
            place = {"x": at % across * width, "y": y + at // across * height, "w": width, "h": height}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            number += 1
        y += -(-len(panels) // across) * height


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0} | ({} if panel.top is None else {"max": panel.top})
    if panel.good is not None:
        defaults["thresholds"] = {"mode": "absolute", "steps": _steps(panel.good)}
    return {
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "targets": [
            {"refId": "ABC"[i], "datasource": _SOURCE, "expr": query, "legendFormat": legend, "instant": panel.stat}
            for i, (query, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS["stat" if panel.stat else "timeseries"],
    }  # fmt: skip


_OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {
        "colorMode": "background",
        "graphMode": "none",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}


def _steps(good: float) -> list[dict[str, Any]]:
    """0 is good, or what is at least `good`."""
    if good == 0:
        return [{"color": "green", "value": None}, {"color": "red", "value": 1}]
    return [{"color": "red", "value": None}, {"color": "green", "value": good}]


def _variable(name: str, query: str, *, every: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": every,
        "includeAll": every,
    }


def _changes() -> dict[str, Any]:
    """A mark where another host takes the writes."""
    return {
        "name": "another writer",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "orange",
        "expr": f"fournines_galera_writer{{{_HERE}}} == 1 unless fournines_galera_writer{{{_HERE}}} offset 15s == 1",
        "titleFormat": "{{host}} takes the writes",
    }


def expressions() -> Iterator[str]:
    """Every query of it, with the variables filled in: for whoever checks them."""
    for panel in (p for _, panels in ROWS for p in panels):
        for query, _legend in panel.queries:
            yield query.replace("$cloud", "acme").replace("$region", "phx").replace("$host", ".*")
