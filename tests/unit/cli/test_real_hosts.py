"""Hosts that are no lab's: power by their controllers, network by rules on the host, and what nobody has power over."""

from __future__ import annotations

import dataclasses
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fournines.cloud.model import Cloud
from fournines.commands import prove_powers, prove_real_hosts
from fournines.commands.prove_real_hosts import ControllerPower, FirewallNetwork, controlled
from fournines.engine.transport import Completed
from fournines.errors import HostError
from fournines.prove.faults.catalogue import CATALOGUE
from fournines.prove.faults.injection import lacking
from fournines.prove.faults.powers import Drop
from fournines.prove.model import Fault
from fournines.prove.reach import Reach
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


class Controller(http.server.BaseHTTPRequestHandler):
    state = "On"
    stuck = False
    asked: list[str]

    def do_GET(self) -> None:
        systems = {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}
        self._send(200, systems if self.path.endswith("/Systems") else {"PowerState": type(self).state})

    def do_POST(self) -> None:
        how = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["ResetType"]
        self.asked.append(how)
        if not self.stuck:
            type(self).state = "Off" if how == "ForceOff" else "On"
        self._send(204, None)

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode() if body else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Controller]]:
    made = type("Its", (Controller,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        settings = {"url": url, "system": "", "user": "admin", "password": "p", "ca": ""}
        monkeypatch.setattr(prove_real_hosts, "settings_of", lambda *_: settings)
        monkeypatch.setattr(prove_real_hosts, "POWER_EVERY_S", 0.01)
        yield made
        server.shutdown()


def power() -> ControllerPower:
    return ControllerPower(cast(Cloud, SimpleNamespace(host_by_name={"ctl1": None})))


async def test_power_goes_by_the_controller_and_is_seen_there(controller: type[Controller]) -> None:
    its = power()
    assert await its.is_on("ctl1")
    await its.on("ctl1")
    assert controller.asked == [], "it is on already"
    await its.off("ctl1")
    assert not await its.is_on("ctl1")
    await its.on("ctl1")
    await its.reset("ctl1")
    assert controller.asked == ["ForceOff", "On", "ForceRestart"]


async def test_a_controller_that_does_nothing_is_said(
    controller: type[Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.stuck = True
    monkeypatch.setattr(prove_real_hosts, "POWER_S", 0.05)
    with pytest.raises(HostError, match="not done what it was told"):
        await power().off("ctl1")


async def test_a_controller_that_cannot_be_reached_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    settings = {"url": url, "system": "/redfish/v1/Systems/1", "user": "a", "password": "p", "ca": ""}
    monkeypatch.setattr(prove_real_hosts, "settings_of", lambda *_: settings)
    with pytest.raises(HostError, match="does not do it"):
        await power().is_on("ctl1")


@pytest.fixture
def cloud() -> Cloud:
    return load(EXAMPLE)


class Shell:
    def __init__(self) -> None:
        self.ran: list[str] = []
        self.says = Completed(0, "", "")

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        assert "def ruleset" in stdin
        self.ran.append(script)
        return self.says

    async def close(self) -> None: ...


def network(cloud: Cloud, shell: Shell) -> FirewallNetwork:
    async def connect(_host: str) -> Any:
        return shell

    hosts = [dataclasses.replace(h, devices={"management": "bond0"}) for h in cloud.hosts]
    return FirewallNetwork(hosts, Reach(connect))


async def test_losses_are_told_by_address_and_end_by_themselves(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_real_hosts, "_own_address", lambda _: "198.18.9.9")
    shell = Shell()
    made = network(cloud, shell)
    await made.drop("ctl1", "management", [Drop("in", peers=("ctl2",), match="tcp dport 25672", percent=20)])
    told = json.loads(shell.ran[0].split("apply ")[1].strip("'"))
    assert told == {
        "device": "bond0",
        "own": str(cloud.host_by_name["ctl1"].address),
        "operator": "198.18.9.9",
        "ssh": 22,
        "seconds": prove_real_hosts.DEAD_MAN_S,
        "losses": [
            {
                "direction": "in",
                "peers": [str(cloud.host_by_name["ctl2"].address)],
                "match": "tcp dport 25672",
                "percent": 20,
            }
        ],
    }
    shell.says = Completed(0, "9\n", "")
    assert await made.dropped("ctl1", "management") == 9
    shell.says = Completed(0, "20.125\n", "")
    assert await made.join("ctl1", "management") == 20.125
    shell.says = Completed(1, "", "nft: no such hook")
    with pytest.raises(HostError, match="cannot be lost"):
        await made.pass_all("ctl1", "management")


async def test_a_host_that_answers_is_not_cut(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    made = network(cloud, Shell())
    here = dataclasses.replace(made._hosts["ctl1"], address="127.0.0.1")
    monkeypatch.setattr(made, "_hosts", {"ctl1": here})
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(prove_real_hosts, "HTTP_PORT", server.getsockname()[1])
        assert not await made.is_cut("ctl1", "management"), "a refusal is an answer"
        server.listen()
        assert not await made.is_cut("ctl1", "management")

    async def silence(*_: object) -> Any:
        raise TimeoutError

    monkeypatch.setattr(prove_real_hosts.asyncio, "open_connection", silence)
    assert await made.is_cut("ctl1", "management")


def test_what_nobody_has_power_over_is_not_measured(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_powers.lab, "exists", lambda _: False)
    monkeypatch.setattr(prove_powers, "controlled", lambda *_: True)
    monkeypatch.setattr(type(cloud.secrets), "get", lambda *_: "secret")
    by = prove_powers.powers_of(cloud, cloud.regions["phx"], cast(Reach, None))
    refused = {name for name in CATALOGUE if lacking(by, Fault(name, "", "one", 1.0))}
    assert refused == {"network.delay", "host.freeze", "host.memory", "operation.replace", "compute.boot_storm"}


def test_without_controllers_there_is_no_power(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not controlled(cloud, cloud.regions["phx"])
    monkeypatch.setattr(prove_powers.lab, "exists", lambda _: False)
    assert prove_powers._power(cloud, cloud.regions["phx"]) is None
