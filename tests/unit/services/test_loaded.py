"""What a unit does between uWSGI's READY and its first client, as rendered; and how often it is asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fournines.cloud.model import Cloud
from fournines.services import load, registry
from fournines.services.resource import File
from fournines.services.units import GET, LOADED

EXAMPLE = Path(__file__).parents[3] / "examples" / "full-cloud.yaml"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    path = tmp_path_factory.mktemp("cloud") / "cloud.yaml"
    path.write_text(EXAMPLE.read_text())
    return load(path)


class Api:
    """The script in a directory of its own, beside commands that write down how they were called."""

    def __init__(self, directory: Path, cloud: Cloud, *, status: str = "200", asked: int = 0) -> None:
        self.directory = directory
        self.closed = directory / "drain"
        self.closed.touch()
        self.calls = directory / "calls"
        commands = {
            "curl": f"printf {status}",
            "pgrep": "printf '11\\n12\\n'",
            "ls": "echo 11",
            "sleep": "",
            "renice": f"echo renice $2 >>{self.calls}",
            "get": f"test -e {self.closed} && echo get $* >>{self.calls}; exit {asked}",
        }
        for name, body in commands.items():
            command = directory / name
            command.write_text(f"#!/bin/sh\n{body}\n")
            command.chmod(0o755)
        nova = registry()["nova"].desired(cloud, cloud.host_by_name["ctl1"])
        text = next(r.content for r in nova if isinstance(r, File) and r.path == LOADED)
        self.script = directory / "loaded"
        self.script.write_text(text.replace(GET, str(directory / "get")))

    def run(self, *words: str) -> list[str]:
        """What was called, in order."""
        environment = {"PATH": f"{self.directory}:/usr/bin:/bin", "MAINPID": "10"}
        done = ["/bin/sh", str(self.script), "https://h/?loaded", "0", str(self.closed), *words]
        subprocess.run(done, env=environment, check=True, capture_output=True)
        return self.calls.read_text().splitlines()


def test_each_process_is_asked_before_the_load_balancers_may(tmp_path: Path, cloud: Cloud) -> None:
    api = Api(tmp_path, cloud)
    said = api.run("/etc/nova/nova.conf", "https://h/v2.1/servers?limit=1")
    urls = " ".join(["https://h/v2.1/servers?limit=1"] * 4)
    assert said == [f"get /etc/nova/nova.conf {urls}", "renice 0", "renice 0", "renice 0"]
    assert not api.closed.exists()


def test_an_api_whose_first_request_fails_serves_all_the_same(tmp_path: Path, cloud: Cloud) -> None:
    api = Api(tmp_path, cloud, asked=1)
    assert api.run("/etc/nova/nova.conf", "https://h/x")[-1] == "renice 0"
    assert not api.closed.exists()


def test_an_api_that_never_answers_is_asked_nothing_and_not_held_back(tmp_path: Path, cloud: Cloud) -> None:
    api = Api(tmp_path, cloud, status="404")
    assert api.run("/etc/nova/nova.conf", "https://h/x") == ["renice 0"] * 3
    assert not api.closed.exists()


def test_its_check_is_404_until_then_for_the_load_balancers_alone(cloud: Cloud) -> None:
    """The script asks with a query; the load balancers' check has none."""
    files = {
        r.path: r.content for r in registry()["nova"].desired(cloud, cloud.host_by_name["ctl1"]) if isinstance(r, File)
    }
    unit = files["/etc/systemd/system/nova-api.service"]
    assert "ExecStartPre=/usr/bin/touch /run/nova-api/drain\n" in unit
    asked = "'https://198.18.16.11:8774/?loaded' 0 /run/nova-api/drain /etc/nova/nova.conf 'https://198.18.16.11:8774/v2.1/servers?limit=1'"
    assert f"ExecStartPost=+{LOADED} {asked}\n" in unit
    rules = files["/etc/fournines/uwsgi/nova-api.ini"]
    assert "route-if-not = equal:${REQUEST_URI};/ goto:serve\nroute-if = exists:/run/nova-api/drain break:404" in rules


def test_a_console_proxy_that_is_slow_is_not_asked_more_often(cloud: Cloud) -> None:
    """It forks for each check: faster ones after a failed one kept it slow for good."""
    files = {
        r.path: r.content
        for r in registry()["haproxy"].desired(cloud, cloud.host_by_name["ctl1"])
        if isinstance(r, File)
    }
    lines = [line for line in files["/etc/haproxy/haproxy.cfg"].splitlines() if ":6080 " in line and " check " in line]
    assert len(lines) == 3
    assert all(" inter 10000ms fastinter 10000ms downinter 10000ms " in line for line in lines), lines
