"""What the cases do not show: checks, tasks, and what other parts of fournines ask of a service."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fournines.cloud.model import Cloud
from fournines.services import base, broker_accounts, database_accounts, keystone, registration, registry
from fournines.services.resource import File, Task
from samples import cases


@pytest.fixture
def whole(tmp_path: Path) -> Cloud:
    return cases.Case(Path("none"), {"cloud": {"components": "full"}}).cloud(tmp_path)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return cases.Case(Path("none"), {"cloud": None}).cloud(tmp_path)


def _task(cloud: Cloud, service: str, name: str) -> Task:
    resources = registry()[service].desired(cloud, cloud.hosts[0])
    return next(r for r in resources if isinstance(r, Task) and r.name == name)


def test_clouds_yaml_reaches_the_public_vip_with_the_ca(cloud: Cloud) -> None:
    clouds = json.loads(keystone.clouds_yaml(cloud, "/ca.pem"))["clouds"]
    assert list(clouds) == ["acme", "acme-internal"]
    assert clouds["acme"]["auth"]["auth_url"] == "https://198.18.1.100:5000/v3"
    assert clouds["acme"]["cacert"] == "/ca.pem"
    assert clouds["acme"]["auth"]["password"] == "keystone.admin"
    assert clouds["acme-internal"]["auth"]["auth_url"] == "https://198.18.0.100:5000/v3"


def test_the_life_of_a_token_follows_the_operators_options(tmp_path: Path) -> None:
    options = {"token": {"expiration": 60, "allow_expired_window": 0}, "fernet_tokens": {"max_active_keys": 9}}
    wish = {"services": {"keystone": {"options": {"keystone.conf": options}}}}
    cloud = cases.Case(Path("none"), {"cloud": wish}).cloud(tmp_path)
    assert keystone.token_usable(cloud) == 60
    assert keystone.max_active_keys(cloud) == 9


def test_accounts_of_the_services_that_the_region_has(cloud: Cloud) -> None:
    assert database_accounts.asked(cloud, "phx") == {"probe": ("probe",), "keystone": ("keystone",)}
    assert broker_accounts.accounts(cloud, "phx") == ("probe",)


def test_a_database_password_is_compared_by_its_hash(cloud: Cloud) -> None:
    task = _task(cloud, "mariadb", "databases and their accounts")
    assert "probe.database" not in task.check + task.script + task.stdin
    digest = "*026724D2D985260BC52B7B17902543A7A403CFCD"  # MariaDB's own `select password('probe.database')`
    assert f"= '{digest} ssl'" in task.check
    assert f"via mysql_native_password using '{digest}' require ssl;" in task.stdin
    assert "'198.18.0.0/255.255.255.0'" in task.stdin


def test_names_in_etc_hosts_are_put_first_and_replaced_whole(cloud: Cloud, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{base.BEGIN}\n10.0.0.1 old\n{base.END}\n127.0.1.1 ctl1\n")
    task = _task(cloud, "base", "names in /etc/hosts")
    for _ in range(2):
        script = task.script.replace("/etc/hosts", str(hosts))
        subprocess.run(["sh", "-c", script], input=task.stdin, text=True, check=True)
        lines = hosts.read_text().splitlines()
        assert lines[:2] == [base.BEGIN, "198.18.0.11 ctl1"]
        assert lines[-2:] == [base.END, "127.0.1.1 ctl1"]
        check = task.check.replace("/etc/hosts", str(hosts))
        said = subprocess.run(["sh", "-c", check], capture_output=True, text=True, check=True).stdout
        assert said.strip() == task.want


def test_scripts_are_posix_sh(whole: Cloud) -> None:
    for host in whole.hosts:
        for service in (s for name, s in registry().items() if name in host.services):
            scripts = [c.script for c in service.checks(whole, host)]
            for resource in service.desired(whole, host):
                if isinstance(resource, Task):
                    scripts += [resource.check, resource.script]
            for script in scripts:
                subprocess.run(["sh", "-n", "-c", script], check=True, capture_output=True)


def test_every_gate_waits_longer_than_a_busy_host_needs(whole: Cloud) -> None:
    for service in (s for name, s in registry().items() if name in whole.hosts[0].services):
        for check in service.checks(whole, whole.hosts[0]):
            assert check.within >= 10


def test_what_lies_on_a_host_is_compared_only_when_it_is_the_document_that_is_wanted(whole: Cloud) -> None:
    """Else a new service's accounts would not be planned: the probe comes before the document is written."""
    for service, task in (("rabbitmq", "rabbitmq accounts"), ("keystone", "keystone registration")):
        made = _task(whole, service, task)
        [document] = [
            r.sha256
            for r in registry()[service].desired(whole, whole.hosts[0])
            if isinstance(r, File) and r.path in (broker_accounts.DEFINITIONS, registration.WANTED)
        ]
        assert made.check.endswith(f" check {document}")


def test_the_dashboard_is_where_browsers_look(tmp_path: Path) -> None:
    cloud = cases.Case(Path("none"), {"cloud": {"components": ["horizon"]}}).cloud(tmp_path)
    found = registry()["haproxy"].desired(cloud, cloud.hosts[0])
    text = next(r.content for r in found if isinstance(r, File) and r.path == "/etc/haproxy/haproxy.cfg")
    horizon = text.partition("listen horizon\n")[2].partition("\n\n")[0]
    assert "bind 198.18.0.100:8880 ssl crt /etc/haproxy/internal.pem\n" in horizon
    assert "bind 198.18.1.100:443 ssl" in horizon
    assert "server ctl1 198.18.0.11:8880 ssl verify required" in horizon
