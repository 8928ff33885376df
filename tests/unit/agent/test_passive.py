"""A Keystone that a cluster runs on one host at a time, as the observers of the others see it."""

from __future__ import annotations

import pytest

from fournines.agent.observer import system, watch
from fournines.agent.observer.config import Keystone


@pytest.mark.parametrize(("moves", "active", "asked"), [(True, True, 1), (True, False, 0), (False, False, 1)])
async def test_it_is_asked_where_it_runs(
    monkeypatch: pytest.MonkeyPatch, moves: bool, active: bool, asked: int
) -> None:
    urls: list[str] = []

    async def get(address: str, port: int, path: str, timeout: float, **_: str) -> tuple[int, bytes]:
        urls.append(path)
        return 200, b""

    async def is_active(unit: str) -> bool:
        assert unit == "keystone.service"
        return active

    monkeypatch.setattr(watch, "http_get", get)
    monkeypatch.setattr(system, "active", is_active)
    said = await watch.keystone_state("198.18.0.11", Keystone(moves=moves))
    assert len(urls) == asked and said == ({} if asked else {"elsewhere": True})
