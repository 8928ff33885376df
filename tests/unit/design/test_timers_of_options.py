"""What an operator sets by option counts like what `timing:` says: the same contradictions, at the option's place."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest

from fournines.cloud.model import Cloud
from fournines.design import check_file, effective
from fournines.design.finding import Finding
from fournines.services import load, registry
from fournines.services.resource import File
from fournines.services.timed import haproxy, iso8601
from fournines.timing import timers
from fournines.timing.timers import Timers
from samples.cases import ROOT, NamedSecrets

FULL = (ROOT / "examples/full-cloud.yaml").read_text().partition("\nservices:\n")[0] + "\n"


def findings(directory: Path, more: str) -> list[Finding]:
    path = directory / "cloud.yaml"
    path.write_text(FULL + more)
    return [f for f in check_file(path)[1] if f.rule in ("timers", "file")]


def option(service: str, file: str, section: str, name: str, value: object) -> str:
    inside = f'{{"{name}": {value}}}'
    if section:
        inside = f'{{"{section}": {inside}}}'
    return f'services:\n  {service}:\n    options:\n      "{file}": {inside}\n'


CASES = [
    # of an option of a service, above or below what it waits for
    (option("nova", "nova.conf", "DEFAULT", "rpc_response_timeout", 180), "rpc_response_timeout"),
    (option("neutron", "neutron.conf", "DEFAULT", "rpc_response_timeout", 50), "rpc_response_timeout"),
    (option("heat", "heat.conf", "DEFAULT", "rpc_response_timeout", 5), "rpc_response_timeout"),
    (option("nova", "nova.conf", "neutron", "timeout", 20), "timeout"),
    (option("nova", "nova.conf", "cinder", "timeout", 120), "timeout"),
    (option("nova_compute", "nova-compute.conf", "glance", "timeout", 10), "timeout"),
    (option("cinder", "cinder.conf", "DEFAULT", "glance_request_timeout", 25), "glance_request_timeout"),
    (option("neutron", "neutron.conf", "DEFAULT", "agent_down_time", 7), "agent_down_time"),
    (option("neutron_agents", "l3_agent.ini", "agent", "report_interval", 30), "report_interval"),
    (option("neutron_l2", "openvswitch_agent.ini", "agent", "report_interval", 15), "report_interval"),
    (option("nova", "nova.conf", "DEFAULT", "service_down_time", 6), "service_down_time"),
    (option("nova", "nova.conf", "oslo_messaging_rabbit", "heartbeat_timeout_threshold", 3), "heartbeat"),
    (option("aodh", "aodh.conf", "oslo_messaging_rabbit", "kombu_reconnect_delay", 4.0), "kombu_reconnect_delay"),
    (option("glance", "glance-api.conf", "keystone_authtoken", "http_connect_timeout", 5), "http_connect_timeout"),
    (option("nova", "nova.conf", "keystone_authtoken", "http_connect_timeout", 30), "http_connect_timeout"),
    (option("cinder", "cinder.conf", "oslo_messaging_rabbit", "kombu_missing_consumer_retry_timeout", 60), "kombu"),
    (option("keystone", "keystone.conf", "cache", "memcache_socket_timeout", 3), "memcache_socket_timeout"),
    # of the tiers that all lean on
    (option("haproxy", "haproxy.cfg", "defaults", "timeout server", "10s"), "timeout server"),
    (option("haproxy", "haproxy.cfg", "defaults", "timeout server", 10000), "timeout server"),
    (option("haproxy", "haproxy.cfg", "defaults", "timeout client", "30s"), "timeout client"),
    (option("haproxy", "haproxy.cfg", "defaults", "timeout queue", "2m"), "timeout queue"),
    (option("haproxy", "haproxy.cfg", "defaults", "timeout connect", "20s"), "timeout connect"),
    (option("haproxy", "haproxy.cfg", "defaults", "timeout check", "200ms"), "timeout check"),
    (option("haproxy", "haproxy.cfg", "defaults", "retries", 200), "retries"),
    (option("haproxy", "haproxy.cfg", "defaults", "default-server", '"inter 60s fall 3 rise 1"'), "default-server"),
    (option("haproxy", "haproxy.cfg", "defaults", "default-server", '"inter 500ms fall 1"'), "default-server"),
    (option("haproxy", "haproxy.cfg", "listen nova-api", "timeout server", "20s"), "timeout server"),
    (option("haproxy", "haproxy.cfg", "listen neutron-api", "timeout client", "5s"), "timeout client"),
    (option("haproxy", "haproxy.cfg", "listen mariadb", "timeout server", "30s"), "timeout server"),
    (option("mariadb", "my.cnf", "mariadbd", "wsrep_provider_options", '"evs.suspect_timeout=PT1S"'), "wsrep_provider"),
    (option("mariadb", "my.cnf", "mariadbd", "wsrep_provider_options",
            '"gcache.size=1G; evs.inactive_timeout = PT0.5M;evs.install_timeout=PT30S"'), "wsrep_provider"),
    (option("rabbitmq", "rabbitmq.conf", "", "net_ticktime", 60), "net_ticktime"),
    (option("rabbitmq", "rabbitmq.conf", "", "heartbeat", 3), "heartbeat"),
    (option("base", "sysctl.conf", "", "net.ipv4.tcp_syn_retries", 6), "tcp_syn_retries"),
    # and of timing: itself
    ("  overrides: {rpc_response_timeout: 600, server_timeout: 900, client_timeout: 900}\n", "rpc_response_timeout"),
    ("  overrides: {api_timeout: 5}\n", "api_timeout"),
    ("  overrides: {api_timeout: 60}\n", "api_timeout"),
    ("  overrides: {api_timeout: 100, server_timeout: 90, client_timeout: 90}\n", "api_timeout"),
    ("  overrides: {db_read_timeout: 40}\n", "db_read_timeout"),
    ("  overrides: {amqp_reply_retry: 60}\n", "amqp_reply_retry"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "place"), CASES, ids=[f"{i}-{c[1]}" for i, c in enumerate(CASES)])
def test_a_layer_that_gives_up_before_the_one_below_it_is_found(tmp_path: Path, more: str, place: str) -> None:
    text = f"timing:\n{more}" if more.startswith("  overrides") else more
    found = findings(tmp_path, text)
    assert found
    lines = (tmp_path / "cloud.yaml").read_text().splitlines()
    for finding in found:
        assert finding.rule == "timers"
        last = finding.path.rpartition(".")[2].strip('"')
        assert last in lines[finding.line - 1]
    assert any(place in f.path for f in found)


@pytest.mark.parametrize(
    "more",
    [
        option("nova", "nova.conf", "DEFAULT", "rpc_response_timeout", 40),
        option("haproxy", "haproxy.cfg", "defaults", "timeout client", "2m"),
        option("haproxy", "haproxy.cfg", "listen mariadb", "timeout server", "1h"),
        option("haproxy", "haproxy.cfg", "listen nova-novncproxy", "timeout tunnel", "8h"),
        option("haproxy", "haproxy.cfg", "defaults", "timeout http-keep-alive", "3s"),
        option("mariadb", "my.cnf", "mariadbd", "wsrep_provider_options", '"gcache.size=1G"'),
        option("mariadb", "my.cnf", "mariadbd", "wsrep_provider_options", '"evs.suspect_timeout=PT2S"'),
        option("nova", "nova.conf", "DEFAULT", "report_interval", "null"),
        # agents that report rarely, and a server that knows
        'services:\n  neutron: {options: {neutron.conf: {DEFAULT: {agent_down_time: 75}}}}\n'
        '  neutron_agents: {options: {l3_agent.ini: {agent: {report_interval: 30}}}}\n',
        # all layers of one service moved together
        'services:\n  nova: {options: {nova.conf: {DEFAULT: {rpc_response_timeout: 120}, glance: {timeout: 150},'
        " neutron: {timeout: 150}, placement: {timeout: 150}, cinder: {timeout: 150}, keystone: {timeout: 150}}}}\n"
        '  haproxy: {options: {haproxy.cfg: {listen nova-api: {timeout server: 200s, timeout client: 200s}}}}\n'
        "timing:\n  overrides: {server_timeout: 200, client_timeout: 200, api_timeout: 150}\n",
    ],
)  # fmt: skip
def test_what_fits_together_is_not_reported(tmp_path: Path, more: str) -> None:
    assert findings(tmp_path, more) == []


@pytest.mark.parametrize("value", ["10 parsecs", "soon", "-5s", "1.5s"])
def test_a_time_that_haproxy_would_not_read(tmp_path: Path, value: str) -> None:
    (found,) = findings(tmp_path, option("haproxy", "haproxy.cfg", "defaults", "timeout server", value))
    assert "is not a time of HAProxy's" in found.what


def test_what_each_daemon_means_by_a_number() -> None:
    assert [pytest.approx(haproxy(t)) for t in ("250", "500ms", "3s", "2m", "1h", "1d", "100us")] == [
        0.25, 0.5, 3.0, 120.0, 3600.0, 86400.0, 0.0001,
    ]  # fmt: skip
    assert [iso8601(t) for t in ("PT1.5S", "PT2M", "PT1H2M3S", "4", "PT5")] == [1.5, 120.0, 3723.0, 4.0, 5.0]


# Every option that carries a timer is declared


def rendered(cloud: Cloud) -> dict[tuple[str, str], str]:
    """(service, file) -> its text, of one host that has the service."""
    found: dict[tuple[str, str], str] = {}
    for name, service in registry().items():
        for host in cloud.hosts_of(name, "phx")[:1]:
            for resource in service.desired(cloud, host):
                if isinstance(resource, File):
                    found[name, resource.path.rpartition("/")[2]] = resource.content
    return found


class CaseSensitive(RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def options(file: str, text: str) -> Iterator[tuple[str, str, str]]:
    """(section, option, value) of the forms in which services are configured."""
    if file in ("haproxy.cfg", "keepalived.conf"):
        section = ""
        for line in text.splitlines():
            if line and not line[0].isspace() and not line.startswith(("#", "}")):
                section = line.rstrip(" {")
            elif line.strip():
                bare = line.strip()
                name = " ".join(bare.split()[: 2 if bare.startswith("timeout ") else 1])
                yield section, name, bare[len(name) :].strip()
        return
    if not re.search(r"^\[", text, re.MULTILINE):
        for line in text.splitlines():
            name, separator, value = line.partition(" = ")
            if not separator:
                name, _, value = line.rpartition(" ")
            yield "", name.strip(), value.strip()
        return
    parser = CaseSensitive(strict=False, delimiters=("=",), comment_prefixes=("#",), default_section="none")
    parser.read_string(text)
    for section in parser.sections():
        yield from ((section, name, value) for name, value in parser[section].items())


#: What carries a timer among other things, or is computed from several: not an option that anybody sets as a timer.
DERIVED = {
    "connection", "slave_connection", "transport_url", "backend_url", "url", "coordination_url", "sql_connection",
    "raft.adaptive_failure_detector.poll_interval", "min-replicas-max-lag", "repl-timeout", "tcp-keepalive",
    "sentinel failover-timeout metro-phx", "conn_timeout", "recoverable_node_timeout", "concurrency_timeout", "server",
    "timeout http-request", "wsrep_provider_options", "redis_url", "socket-timeout",
}  # fmt: skip


def changed(value: Any) -> Any:
    return value if isinstance(value, (bool, str)) else value + 3 if isinstance(value, int) else value * 2 + 3.0


def test_every_option_that_carries_a_timer_is_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(FULL)
    cloud = load(path)
    cloud.__dict__["secrets"] = NamedSecrets()
    ours = timers(cloud)
    before = rendered(cloud)
    missing: list[str] = []
    seen: set[str] = set()
    for field in dataclasses.fields(Timers):
        value = changed(getattr(ours, field.name))
        if value == getattr(ours, field.name):
            continue
        other = dataclasses.replace(cloud, timing=dataclasses.replace(cloud.timing, overrides={field.name: value}))
        for (service, file), text in rendered(other).items():
            if (
                text == before[service, file]
                or not registry()[service]
                or file.endswith((".service", ".py", ".json", "-env.conf", "proxy-tls.cfg"))
            ):
                continue
            try:
                old = set(options(file, before[service, file]))
                new = set(options(file, text))
            except Exception:  # no file of options: a script
                continue
            of = {"cinder_volume": "cinder"}.get(service, service) if file == "cinder.conf" else service
            known = effective.timed(registry()[of], file_key(file))
            for section, name, _ in new - old:
                if name in DERIVED or (section, field.name) == ("listen mariadb", "db_pool_recycle"):
                    continue
                if not any(t.timer == field.name and t.fits(section, name) for t in known):
                    missing.append(f"{service} {file} [{section}] {name}: {field.name}")
                else:
                    seen.add(field.name)
    assert not missing, "\n".join(sorted(set(missing)))
    assert {"rpc_response_timeout", "server_timeout", "net_ticktime", "api_timeout", "agent_down"} <= seen


def file_key(file: str) -> str:
    """As the cloud file names it."""
    return {
        "99-fournines.cnf": "my.cnf",
        "60-fournines.conf": "sysctl.conf",
        "fournines-sentinel.conf": "sentinel.conf",
        "fournines-server.conf": "server.conf",
    }.get(file, file)
