"""Who reads metrics, who is let in for it, and that every alert is made of this cloud, described, and tested."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

from fournines.agent.observer import metrics
from fournines.cloud.model import Cloud, Region
from fournines.errors import CloudFileError
from fournines.services import alertmanager, export_prometheus, load, prometheus, registry
from fournines.services.alerts import DRAINED, alerts, rules, trials
from fournines.services.alerts.alert import Alert, Sample
from fournines.services.dashboard import expressions, grafana
from fournines.services.openings import openings, sources
from fournines.services.render import yaml
from fournines.services.resource import File
from fournines.services.scrape import JOBS
from lab.alert_compute import COMPUTE
from lab.alert_faults import ALONE, NOT_HERE, TOGETHER
from samples import cases

EXPORTERS = {"node_exporter", "mysqld_exporter"}
MONITORS: dict[str, Any] = {
    f"mon{n}": {"zone": f"rack{n}", "address": f"198.18.0.4{n}", "roles": ["monitoring"]} for n in (1, 2)
}
MANY = [
    *("monitored-cloud", "pacemaker-vip", "mariadb-replica", "two-controllers-witness"),
    *("small-cloud", "dedicated-tiers", "split-groups"),
]


def made(directory: Path, region: dict[str, Any] | None = None, **more: Any) -> Cloud:
    regions = {"regions": {"phx": region}} if region else {}
    return cases.Case(Path("none"), {"cloud": {**regions, **more}}).cloud(directory)


@pytest.fixture
def monitored(tmp_path: Path) -> Cloud:
    return made(tmp_path, {"hosts": MONITORS})


def parsed(text: str) -> Any:
    return cast(Any, YAML(typ="safe")).load(text)


def phx(cloud: Cloud) -> Region:
    return cloud.regions["phx"]


def example(name: str) -> Cloud:
    return load(cases.ROOT / f"examples/{name}.yaml")


def test_every_alert_has_a_fault_in_the_lab_or_a_reason_why_not() -> None:
    struck = [name for fault in (*TOGETHER, *ALONE, *COMPUTE) for name in fault.alerts]
    assert len(struck) == len(set(struck))
    shipped = {alert.name for name in ("full-cloud", "monitored-cloud", "pacemaker-vip") for alert in _watched(name)}
    assert {*struck, *NOT_HERE, "Watchdog"} == shipped
    assert not set(struck) & set(NOT_HERE)


def _watched(name: str) -> tuple[Alert, ...]:
    cloud = example(name)
    return alerts(cloud, next(iter(cloud.regions.values())))


def test_a_cloud_that_nobody_monitors_has_nothing_of_it(tmp_path: Path) -> None:
    cloud = made(tmp_path)
    assert not [h.name for h in cloud.hosts if h.services & {*EXPORTERS, "prometheus", "alertmanager"}]
    assert not [o for o in openings(cloud, "phx") if o.port.source == "the scrapers"]
    for host in cloud.hosts:
        for service in host.services:
            for resource in registry()[service].desired(cloud, host):
                assert "monitoring" not in resource.key
                assert not isinstance(resource, File) or "prometheus" not in resource.content.replace(
                    "prometheus-exporter", ""
                ) or "/agent/" in resource.path  # fmt: skip


def test_exporters_come_with_the_role_to_the_hosts_that_have_what_they_measure(monitored: Cloud) -> None:
    assert monitored.host_by_name["ctl1"].services >= EXPORTERS
    mon = monitored.host_by_name["mon1"].services
    assert mon >= {"prometheus", "alertmanager", "node_exporter"}
    assert not mon & {"mysqld_exporter", "haproxy"}


def test_exporters_come_with_scrapers_outside(tmp_path: Path) -> None:
    cloud = made(tmp_path, {"scrapers": "192.0.2.10"})
    assert all(h.services >= EXPORTERS for h in cloud.hosts)
    assert not [h for h in cloud.hosts if "prometheus" in h.services]


def test_a_region_without_either_is_left_alone(tmp_path: Path) -> None:
    other = {
        "vips": {"internal": "198.18.8.100", "public": "198.18.9.100"},
        "networks": {"management": "198.18.8.0/24", "public": "198.18.9.0/24"},
        "zones": {"rack1": None},
        "hosts": {"one": {"zone": "rack1", "address": "198.18.8.11", "roles": ["controller"]}},
    }
    cloud = made(tmp_path, {"hosts": MONITORS}, regions={"phx": {"hosts": MONITORS}, "ams": other})
    assert not cloud.host_by_name["one"].services & EXPORTERS
    assert cloud.host_by_name["ctl1"].services >= EXPORTERS


def test_scrapers_alone_come_to_metrics(monitored: Cloud) -> None:
    found = {o.port.number: o for o in openings(monitored, "phx") if o.port.source == "the scrapers"}
    assert set(found) == {j.port for j in JOBS if j.name not in ("prometheus", "alertmanager")}
    for opening in found.values():
        assert opening.to == "hosts"
        hosts = sources(monitored, "phx", opening.service, opening.port.source)
        assert {h.name for h in hosts} == {"mon1", "mon2"}


def test_every_target_is_scraped_by_each_prometheus_with_a_certificate(monitored: Cloud) -> None:
    for name in ("mon1", "mon2"):
        document = parsed(_file(monitored, name, "prometheus", prometheus.CONFIG))
        targets = {
            (c["job_name"], s["labels"]["host"]) for c in document["scrape_configs"] for s in c["static_configs"]
        }
        wanted = {(j.name, h.name) for j in JOBS for h in monitored.hosts_of(j.service, "phx")}
        assert targets == wanted
        assert {c["scheme"] for c in document["scrape_configs"]} == {"https"}
        assert all(c["tls_config"]["cert_file"] for c in document["scrape_configs"])
        assert len(document["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]) == 2


def _file(cloud: Cloud, host: str, service: str, path: str) -> str:
    found = registry()[service].desired(cloud, cloud.host_by_name[host])
    return next(r.content for r in found if isinstance(r, File) and r.path == path)


def test_the_token_for_metrics_opens_nothing_else(monitored: Cloud) -> None:
    observer = json.loads(_file(monitored, "ctl1", "agent", "/etc/fournines/observer.json"))
    token = _file(monitored, "mon1", "prometheus", prometheus.TOKEN)
    assert token == observer["metrics_token"]
    assert token != observer["token"]


@pytest.mark.parametrize(
    ("email", "said"),
    [({"to": "ops@example.com"}, "from, smarthost are missing"),
     ({"to": "a@b.example", "from": "c@d.example"}, "smarthost is missing")],
)  # fmt: skip
def test_a_receiver_that_could_not_send_is_refused_with_its_place(
    tmp_path: Path, email: dict[str, str], said: str
) -> None:
    options = {"alertmanager": {"options": {alertmanager.FILE: {"email": email}}}}
    cloud = made(tmp_path, {"hosts": MONITORS}, services=options)
    with pytest.raises(CloudFileError) as caught:
        _file(cloud, "mon1", "alertmanager", alertmanager.CONFIG)
    assert said in str(caught.value)
    assert re.search(r"cloud\.yaml:\d+:\d+", str(caught.value))


# Alerts


@pytest.mark.parametrize("name", MANY)
def test_alerts_have_one_name_one_meaning_and_series_by_which_they_are_tried(name: str) -> None:
    cloud = example(name)
    for region in cloud.regions.values():
        found = alerts(cloud, region)
        assert len({a.name for a in found}) == len(found)
        for alert in found:
            assert alert.name == "Watchdog" or alert.samples
            assert alert.wait % 5 == 0, "a whole number of evaluations"
            assert len(alert.means) > 30
            assert alert.run


@pytest.mark.parametrize("name", MANY)
def test_every_alert_has_its_place_in_the_runbook(name: str) -> None:
    cloud = example(name)
    page = (cases.ROOT / "docs/alerts.md").read_text()
    for group in _groups(cloud):
        for rule in group["rules"]:
            if "alert" in rule:
                path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
                assert path == "docs/alerts.md"
                assert f"## {rule['alert']}\n" in page
                assert anchor == rule["alert"].lower()


def _groups(cloud: Cloud) -> list[dict[str, Any]]:
    return parsed(yaml(rules(cloud, *cloud.regions.values())))["groups"]


def test_commands_of_ours_in_the_runbook_exist() -> None:
    from unit.test_docs import parse

    ran = 0
    for name in MANY:
        cloud = example(name)
        for alert in (a for region in cloud.regions.values() for a in alerts(cloud, region)):
            for command in re.findall(r"fournines ([a-z][^;(]*)", alert.run.replace("fournines-", "")):
                words = command.split(" of a line ")[0].split()
                parse(shlex.split(" ".join(words)))
                ran += 1
    assert ran > 20


def test_every_series_of_the_agents_that_an_alert_reads_is_one_that_they_have() -> None:
    """A name that nothing writes would make a rule that never fires."""
    source = Path(metrics.__file__).read_text()
    told = {f"fournines_{n}" for n in re.findall(r'(?:yield |    )"([a-z_]+)"', source)}
    told |= {f"fournines_memcached_{n}_total" for n in ("get_hits", "get_misses", "evictions")}
    for name in MANY:
        cloud = example(name)
        for alert in (a for region in cloud.regions.values() for a in alerts(cloud, region)):
            read = set(re.findall(r"fournines_[a-z_]+", alert.expr))
            assert read <= told, alert.name
            written = {s.series.partition("{")[0] for s in alert.samples}
            assert {w for w in written if w.startswith("fournines_")} <= told
            assert all(s.series.partition("{")[0] in alert.expr for s in alert.samples), alert.name
    for query in expressions():
        assert set(re.findall(r"fournines_[a-z_]+", query)) <= told


def test_every_selector_is_of_this_cloud_and_region() -> None:
    """So that one Prometheus can have several."""
    cloud = example("monitored-cloud")
    for alert in alerts(cloud, phx(cloud)):
        for selector in re.findall(r"\b(?:up|[a-z]+_[a-z_]+)\{([^}]*)\}", alert.expr):
            assert selector.startswith('cloud="acme",region="phx"'), alert.name
        bare = re.findall(r"\b(?:fournines|mysql|haproxy|node|alertmanager)_\w+(?!\w*\{)", alert.expr)
        assert not bare, alert.name


def test_quorum_sizes_are_the_designs(tmp_path: Path) -> None:
    def expression(cloud: Cloud, name: str) -> str:
        return next((a.expr for a in alerts(cloud, next(iter(cloud.regions.values()))) if a.name == name), "")

    three = made(tmp_path)
    assert expression(three, "MessagingWithoutQuorum").endswith("< 2")
    assert expression(three, "NoVoterToSpare").endswith("<= 2")
    five = {f"ctl{n}": {"zone": "rack1", "address": f"198.18.0.1{n}", "roles": ["controller"]} for n in (4, 5)}
    assert expression(made(tmp_path, {"hosts": five}), "MessagingWithoutQuorum").endswith("< 3")
    witness = example("two-controllers-witness")
    # Two nodes with data and an arbitrator: one node that is left with the arbitrator is a majority.
    assert "< 3" in expression(witness, "DatabaseNoneToSpare")
    assert expression(witness, "DatabaseWithoutQuorum").endswith("== 0")


def test_timers_set_how_long_a_failover_may_last(tmp_path: Path) -> None:
    def wait(cloud: Cloud, name: str) -> int:
        return next(a.wait for a in alerts(cloud, phx(cloud)) if a.name == name)

    lan, wan = made(tmp_path), made(tmp_path, timing={"profile": "wan"})
    assert wait(lan, "NoVipHolder") == 15
    slower = {a.name for a in alerts(wan, phx(wan)) if a.wait > wait(lan, a.name)}
    assert slower >= {"DatabaseWithoutQuorum", "MessagingWithoutQuorum", "NoBackend"}


def test_what_is_missing_on_a_drained_host_is_missing_on_purpose() -> None:
    cloud = example("monitored-cloud")
    drained = {a.name for a in alerts(cloud, phx(cloud)) if DRAINED in a.expr}
    assert {"HostDown", "AgentDown", "BackendDown", "OpenstackAgentDown", "ExporterDown", "CacheDown"} <= drained
    assert not drained & {"NoVipHolder", "DatabaseNotRedundant", "MessagingWithoutQuorum", "DiskFull"}


# promtool's tests of them


def test_alerts_agree_on_what_is_healthy() -> None:
    for name in MANY:
        cloud = example(name)
        healthy: dict[str, Sample] = {}
        for alert in (a for region in cloud.regions.values() for a in alerts(cloud, region)):
            for sample in alert.samples:
                assert healthy.setdefault(sample.series, sample).healthy == sample.healthy, (alert.name, sample.series)


def test_a_trial_breaks_heals_and_counters_go_on() -> None:
    cloud = example("monitored-cloud")
    document = trials.tests(cloud, phx(cloud), rule_file="x.yml")
    found: Any = {t["name"]: t for t in document["tests"]}  # type: ignore[union-attr, index]
    assert len(found) == len(alerts(cloud, phx(cloud))), "a healthy hour, and one of each but Watchdog"
    down = {s["series"]: s["values"] for s in found["HostDown of phx"]["input_series"]}
    # A minute of health; 30 s that it waits, and two minutes; two minutes.
    assert set(down.values()) == {"1x11 0x29 1x23"}
    # Its rates are of five minutes, and it waits for one: 96 scrapes of 25 errors each, which stay counted.
    assert found["ServerErrors of phx"]["input_series"][1]["values"] == "0x11 0+25x95 2400x83"
    # A clock that is 30 s ahead meanwhile.
    assert found["ClockOff of phx"]["input_series"][0]["values"] == "0+5x11 90+5x47 300+5x23"
    gone = found["NoVipHolder of phx"]["input_series"][0]["values"]
    assert gone == "1x11 stale _x26 1x23"


# For a Prometheus outside


def test_an_export_is_complete_and_the_same_again(tmp_path: Path) -> None:
    cloud = made(tmp_path, {"scrapers": ["192.0.2.10"], "hosts": MONITORS})
    files = export_prometheus.files(cloud, "/etc/prometheus/acme/", "https://wiki.example.com/alerts")
    assert files == export_prometheus.files(cloud, "/etc/prometheus/acme", "https://wiki.example.com/alerts")
    document = parsed(files["prometheus.yml"])
    named = re.findall(r"/etc/prometheus/acme/([\w.-]+)", files["prometheus.yml"])
    assert set(named) == set(files) - {"prometheus.yml", export_prometheus.TESTS}
    assert {n for n in files if export_prometheus.secret(n)} == {"client-phx.pem", "agent.token"}
    jobs = {c["job_name"] for c in document["scrape_configs"]}
    assert "acme phx agent" in jobs
    assert not [j for j in jobs if "prometheus" in j or "alertmanager" in j]
    assert "https://wiki.example.com/alerts#hostdown" in files[export_prometheus.RULES]


def test_the_dashboard_asks_for_its_source_and_fits_the_grid() -> None:
    document = grafana()
    panels = document["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (p["gridPos"] for p in panels):
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert "${DS_PROMETHEUS}" in json.dumps(panels)
    assert len(list(expressions())) > 25
