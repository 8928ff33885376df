"""The power endpoint, spoken to over TLS as a fence agent does, with the switch itself replaced."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from fournines.errors import LabError
from fournines.lab import redfish, state
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def pressed() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pressed: list[tuple[str, str]]) -> Iterator[Ask]:
    """method, path, body, password → status, document."""
    monkeypatch.setattr(state, "LABS", tmp_path)
    designed = state.design(load(EXAMPLE), "image")
    here = replace(designed.bridges[0], address=IPv4Interface("127.0.0.1/8"))
    lab = replace(designed, bridges=(here, *designed.bridges[1:]))
    state.save(lab)

    def press(cloud: str, host: str, action: str) -> None:
        if action == "reset":
            raise LabError("ctl1 of lab acme does not start")
        pressed.append((host, action))

    monkeypatch.setattr(redfish, "power", press)
    monkeypatch.setattr(redfish, "is_on", lambda cloud, host: (host, "off") not in pressed)
    monkeypatch.setattr(redfish, "PORT", 0)
    redfish.prepare(lab)
    record = json.loads((tmp_path / "acme" / "redfish.json").read_text())
    [server] = redfish.servers("acme")
    trust = ssl.create_default_context(cafile=tmp_path / "acme" / "tls" / "certificate.pem")

    def ask(method: str, path: str, body: str = "", password: str = record["password"]) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection("127.0.0.1", server.server_port, context=trust, timeout=5)
        token = b64encode(f"admin:{password}".encode()).decode()
        connection.request(method, path, body or None, {"Authorization": f"Basic {token}"} if password else {})
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        return reply.status, json.loads(text) if text else None

    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield ask
    server.shutdown()
    thread.join()
    server.server_close()


def systems(ask: Ask) -> list[str]:
    status, root = ask("GET", "/redfish/v1/", password="")
    assert status == 200
    status, collection = ask("GET", root["Systems"]["@odata.id"])
    assert status == 200
    assert collection["Members@odata.count"] == 3
    return [member["@odata.id"] for member in collection["Members"]]


def test_a_client_finds_its_way_to_the_button(ask: Ask, pressed: list[tuple[str, str]]) -> None:
    first, *_ = systems(ask)
    _, system = ask("GET", first)
    assert (system["Name"], system["PowerState"]) == ("ctl1", "On")
    reset = system["Actions"]["#ComputerSystem.Reset"]
    assert "ForceOff" in reset["ResetType@Redfish.AllowableValues"]
    assert ask("POST", reset["target"], '{"ResetType": "ForceOff"}') == (204, None)
    assert pressed == [("ctl1", "off")]
    assert ask("GET", first)[1]["PowerState"] == "Off"
    assert ask("POST", reset["target"], '{"ResetType": "On"}') == (204, None)
    assert pressed[1:] == [("ctl1", "on")]


@pytest.mark.parametrize("password", ["", "wrong"])
def test_only_with_the_password(ask: Ask, pressed: list[tuple[str, str]], password: str) -> None:
    first, *_ = systems(ask)
    for method, path in [("GET", redfish.SYSTEMS), ("GET", first), ("POST", f"{first}/Actions/ComputerSystem.Reset")]:
        status, document = ask(method, path, '{"ResetType": "ForceOff"}', password)
        assert status == 401
        assert "password" in document["error"]["message"]
    assert pressed == []


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"ResetType": "Nmi"}', '{"ResetType": []}'])
def test_nonsense_is_refused(ask: Ask, pressed: list[tuple[str, str]], body: str) -> None:
    first, *_ = systems(ask)
    status, document = ask("POST", f"{first}/Actions/ComputerSystem.Reset", body)
    assert status == 400
    assert "ForceRestart" in document["error"]["message"]
    assert pressed == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", f"{redfish.SYSTEMS}/none"), ("POST", redfish.SYSTEMS), ("POST", f"{redfish.SYSTEMS}/ctl1")],
)
def test_unknown_paths(ask: Ask, method: str, path: str) -> None:
    assert ask(method, path, "{}")[0] == 404


def test_a_switch_that_fails_is_said(ask: Ask) -> None:
    first, *_ = systems(ask)
    status, document = ask("POST", f"{first}/Actions/ComputerSystem.Reset", '{"ResetType": "ForceRestart"}')
    assert (status, document["error"]["message"]) == (500, "ctl1 of lab acme does not start")


def test_the_password_is_kept_and_private(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "acme" / "redfish.json"
    before = path.read_text()
    redfish.prepare(state.load("acme"))
    assert path.read_text() == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_host_has_a_controller_that_knows_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "LABS", tmp_path)
    cloud = load(EXAMPLE.with_name("pacemaker-vip.yaml"))
    redfish.make_passwords(cloud)
    lab = state.design(cloud, "image")
    state.save(lab)
    assert redfish.prepare(lab, cloud)
    assert not redfish.prepare(lab, cloud), "the endpoint is not restarted for nothing"
    record = json.loads((tmp_path / "acme" / "redfish.json").read_text())
    assert [(c["host"], c["address"]) for c in record["controllers"]] == [
        ("ctl1", "198.18.2.211"),
        ("ctl2", "198.18.2.212"),
        ("ctl3", "198.18.2.213"),
    ]
    assert len({c["password"] for c in record["controllers"]}) == 3
    assert all((tmp_path / "acme" / "tls" / f"{c['host']}.pem").exists() for c in record["controllers"])
    cloud.secrets.set("bmc.ctl1", "another")
    assert redfish.prepare(lab, cloud)
