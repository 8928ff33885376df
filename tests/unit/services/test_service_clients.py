"""Services ask one another once, and wait longer than the other one may take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fournines.design import check_file
from fournines.services import load, registry
from fournines.services.openstack import REPEATS
from fournines.services.resource import File
from fournines.timing import timers
from samples.cases import ROOT

FULL = (ROOT / "examples/full-cloud.yaml").read_text().partition("\nservices:\n")[0] + "\n"
#: What is repeated changes nothing, or is no request to another service.
HARMLESS = {"http_request_max_retries", "swift_store_retry_get_count", "max_retries", "rabbit_retry_interval"}


def files(directory: Path) -> dict[str, str]:
    path = directory / "cloud.yaml"
    path.write_text(FULL)
    cloud = load(path)
    found: dict[str, str] = {}
    for name, service in registry().items():
        for host in cloud.hosts_of(name, "phx")[:1]:
            found |= {r.path: r.content for r in service.desired(cloud, host) if isinstance(r, File)}
    return found


def test_no_service_repeats_its_requests(tmp_path: Path) -> None:
    rendered = files(tmp_path)
    seen: list[str] = []
    for path, text in rendered.items():
        for name, value in re.findall(r"^(\w*retr(?:y|ies)\w*) = (\S+)$", text, re.MULTILINE):
            if not (name in HARMLESS or "delay" in name or "interval" in name or "timeout" in name or "dead" in name):
                assert value in ("0", "1") if "backoff" in name else value == "0", (path, name)
                seen.append(name)
    assert {n for names in REPEATS.values() for n in names} <= set(seen)


def test_a_request_waits_longer_than_an_rpc_and_less_than_the_load_balancer(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(FULL)
    t = timers(load(path))
    nova = files(tmp_path)["/etc/nova/nova.conf"]
    for timeout in re.findall(r"^timeout = (\d+)$", nova, re.MULTILINE):
        assert t.rpc_response_timeout < int(timeout) < t.server_timeout
    (retry,) = set(re.findall(r"^kombu_missing_consumer_retry_timeout = (\d+)$", nova, re.MULTILINE))
    assert int(retry) <= t.rpc_response_timeout


@pytest.mark.parametrize(
    "options",
    [
        "nova: {options: {nova.conf: {neutron: {connect_retries: 3}}}}",
        "nova: {options: {nova.conf: {placement: {status_code_retries: 2}}}}",
        "nova: {options: {nova.conf: {cinder: {http_retries: 3}}}}",
        "nova_compute: {options: {nova-compute.conf: {glance: {num_retries: 3}}}}",
        "cinder: {options: {cinder.conf: {DEFAULT: {glance_num_retries: 3}}}}",
        "heat: {options: {heat.conf: {DEFAULT: {client_retry_limit: 2}}}}",
    ],
)
def test_an_option_that_repeats_them_is_said(tmp_path: Path, options: str) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(f"{FULL}services:\n  {options}\n")
    (found,) = check_file(path)[1]
    assert (found.rule, found.severity) == ("repeated-requests", "warning")
    assert found.line == len(path.read_text().splitlines())
