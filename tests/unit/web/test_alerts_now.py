"""What fires, as Alertmanager says; and that a region without one is said to be unknown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fournines.cloud.model import Host
from fournines.commands import alerts
from fournines.engine import Connected, SshOptions
from fournines.engine.transport import Completed
from fournines.services import load

SAID: list[dict[str, Any]] = [
    {
        "labels": {"alertname": name, "severity": "critical", "region": "phx", "host": "ctl2"},
        "annotations": {"summary": "ctl2 does not answer"},
        "startsAt": "2026-11-28T03:12:30.000Z",
        "status": {"state": state},
    }
    for name, state in (("HostDown", "active"), ("Watchdog", "active"), ("GaleraMemberLost", "suppressed"))
]


class Monitor:
    """Answers curl; `says` "" for one whose Alertmanager is down."""

    def __init__(self, name: str, says: str) -> None:
        self.host, self._says = name, says

    async def run(self, script: str, **_: object) -> Completed:
        assert "--cert" in script and "/api/v2/alerts" in script
        return Completed(0, self._says, "") if self._says else Completed(7, "", "curl: (7) Connection refused")


def asked(monkeypatch: pytest.MonkeyPatch, says: Sequence[str]) -> alerts.Said:
    @asynccontextmanager
    async def connect(hosts: Sequence[Host], _ssh: SshOptions) -> AsyncGenerator[Connected]:
        made: Any = {h.name: Monitor(h.name, s) for h, s in zip(hosts, says, strict=False)}
        yield Connected(made)

    monkeypatch.setattr(alerts, "connect", connect)
    return asyncio.run(alerts.firing(load(Path("examples/monitored-cloud.yaml")), SshOptions()))


def test_the_first_that_answers_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, ["", json.dumps(SAID)])
    assert [(f.name, f.state) for f in found.firing] == [("HostDown", "active"), ("GaleraMemberLost", "suppressed")]
    assert found.failures == {}


@pytest.mark.parametrize("says", ["", "no JSON", "[{}]", "{}"])
def test_what_is_not_known_is_not_called_calm(monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    found = asked(monkeypatch, [says, says])
    assert found.firing == () and found.asked == {}
    assert set(found.failures) == {"phx"}


def test_a_cloud_without_the_role_says_so() -> None:
    found = asyncio.run(alerts.firing(load(Path("examples/three-controllers.yaml")), SshOptions()))
    assert found.failures == {"phx": "no host has the role monitoring"}


def test_every_rule_says_what_it_means_and_what_to_run() -> None:
    rules = alerts.rules(load(Path("examples/monitored-cloud.yaml")))
    assert len(rules) > 30
    assert all(r["means"] and r["run"] and "samples" not in r for r in rules)
