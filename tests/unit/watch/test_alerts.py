"""Alertmanager's alerts: who may send them, what becomes of them, and when they end."""

from __future__ import annotations

import io
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.commands.alert_listener import listening, token_of
from fournines.errors import FourninesError, UsageError
from fournines.services import load, tls
from fournines.watch.alerts import FORGOTTEN_S, Alerts, Message
from fournines.watch.decide import Condition

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
HOSTS = {"ctl1": "ctl1", "198.18.0.11": "ctl1"}


def message(status: str = "firing", ends: str = "0001-01-01T00:00:00Z", **labels: str) -> Message:
    alert: dict[str, Any] = {
        "status": status,
        "labels": {"alertname": "GaleraNotSynced", **labels},
        "annotations": {"summary": "a node is\nnot Synced"},
        "startsAt": "2026-11-28T03:12:04Z",
        "endsAt": ends,
        "fingerprint": "f1",
    }
    return Message.model_validate({"version": "4", "status": status, "alerts": [alert]})


@pytest.mark.parametrize(
    ("labels", "host"),
    [({"host": "ctl1"}, "ctl1"), ({"instance": "198.18.0.11:9104"}, "ctl1"), ({"instance": "other:1"}, ""), ({}, "")],
)
def test_an_alert_is_there_until_it_is_resolved(labels: dict[str, str], host: str) -> None:
    alerts = Alerts(HOSTS)
    alerts.hear(message(**labels), 100.0)
    [found] = alerts.conditions(101.0)
    assert (found, found.text) == (Condition("alert", host, "GaleraNotSynced"), "a node is not Synced")
    alerts.hear(message("resolved", **labels), 102.0)
    assert alerts.conditions(103.0) == frozenset()


def test_one_of_which_nothing_more_is_heard_ends() -> None:
    alerts = Alerts(HOSTS)
    alerts.hear(message(), 100.0)
    assert alerts.conditions(99.0 + FORGOTTEN_S)
    assert not alerts.conditions(101.0 + FORGOTTEN_S)
    alerts.hear(message(ends="1970-01-01T00:10:00Z"), 100.0)
    assert alerts.conditions(599.0) and not alerts.conditions(601.0)


async def test_only_who_has_the_token_is_heard_and_over_tls(tmp_path: Path) -> None:
    source = tmp_path / "cloud.yaml"
    source.write_text(EXAMPLE.read_text())
    cloud, alerts = load(source), Alerts(HOSTS)
    trust = ssl.create_default_context(cadata=tls.internal_ca(cloud))
    body = message(host="ctl1").model_dump(by_alias=True)
    port = free()
    async with listening(cloud, tmp_path, "127.0.0.1", port, alerts) as url, aiohttp.ClientSession() as client:
        assert url == f"https://127.0.0.1:{port}/alerts"

        async def post(token: str, **body: Any) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            async with client.post(url, headers=headers, ssl=trust, **body) as answer:
                return answer.status

        token = token_of(tmp_path)
        assert (tmp_path / "alerts.token").stat().st_mode & 0o777 == 0o600
        assert await post("wrong", json=body) == await post("", json=body) == 401
        assert alerts.conditions(0.0) == frozenset()
        for bad in ("{", "[]", '{"alerts": [1]}', '{"alerts": [{"status": "firing"}]}', "null"):
            assert await post(token, data=bad) == 422
        assert await post(token, data=io.BytesIO(b"x" * (2 << 20))) == 413
        assert await post(token, json=body) == 200
        assert len(alerts.conditions(0.0)) == 1


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


async def test_a_port_that_is_taken_says_so(tmp_path: Path) -> None:
    source = tmp_path / "cloud.yaml"
    source.write_text(EXAMPLE.read_text())
    cloud = load(source)
    port = free()
    async with listening(cloud, tmp_path, "127.0.0.1", port, Alerts({})):
        with pytest.raises(FourninesError, match="cannot be listened for"):
            async with listening(cloud, tmp_path, "127.0.0.1", port, Alerts({})):
                pass


@pytest.mark.parametrize("text", ["8441", "127.0.0.1:0", "localhost:8441", "[::1]:8441"])
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        CliRunner().invoke(cli, ["watch", str(EXAMPLE), "--alerts", text], catch_exceptions=False)
