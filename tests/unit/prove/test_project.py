"""The campaign's own project: what an earlier run left goes first, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fournines.errors import ProveError
from fournines.prove import project as module
from fournines.prove.load.control import waiting
from fournines.prove.project import PREFIX, project
from fournines.services import load
from fournines.smoke.model import Site

FULL = load(Path(__file__).parents[3] / "examples" / "full-cloud.yaml")
REGION = FULL.regions["phx"]


class Api:
    """Notes each call; what is created has the call's name for an id."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self._name = name
        self._calls = calls

    def __getattr__(self, call: str) -> Any:
        def called(*args: Any, **kw: Any) -> Any:
            self._calls.append(f"{self._name}.{call}")
            return None if call == "find_project" else SimpleNamespace(id=call) if call.startswith("create") else []

        return called


class World:
    """A cloud in whose project `left` cannot be removed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.calls: list[str] = []
        self.left: tuple[str, ...] = ()
        self.path = tmp_path
        monkeypatch.setattr(module.connect, "site", self.site)
        monkeypatch.setattr(module, "sweep", self.sweep)
        for step, made in (("image", "image"), ("network", "network")):
            monkeypatch.setattr(module.steps, step, lambda site, made=made: self._make(site, made))

    def site(self, *_: Any, project: str = "admin", prefix: str = "") -> Site:
        apis = {name: Api(name, self.calls) for name in ("identity", "compute", "block_storage", "network")}
        connection = SimpleNamespace(current_user_id="u", **apis)
        return Site(FULL, REGION, connection, self.path / "ca.pem", prefix=prefix)

    def sweep(self, site: Site) -> tuple[str, ...]:
        self.calls.append(f"sweep {site.prefix}")
        return self.left

    def _make(self, site: Site, what: str) -> None:
        self.calls.append(f"make {what}")
        site.made[what] = SimpleNamespace(id=what)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path)


async def test_a_campaign_that_stays_within_the_core_makes_none(world: World) -> None:
    async with project(FULL, REGION, ["validate", "write_row"]) as made:
        assert made is None
    assert world.calls == []


async def test_what_was_left_is_removed_before_and_all_is_removed_after(world: World) -> None:
    async with project(FULL, REGION, ["validate", "boot_server"]) as made:
        assert made
        assert (made.flavor, made.image, made.network) == ("create_flavor", "image", "network")
        assert world.calls.index(f"sweep {PREFIX}") < world.calls.index("make image")
        assert await made.sweep(f"{PREFIX}-01-") == ()
        del world.calls[:]
    assert world.calls[0] == f"sweep {PREFIX}"
    assert world.calls[-1] == "identity.delete_project"


async def test_servers_alone_need_something_to_boot_from(world: World) -> None:
    async with project(FULL, REGION, ["create_network"]) as made:
        assert made
        assert made.image == ""
    assert "make image" not in world.calls


async def test_while_something_is_left_in_it_the_project_stays_for_the_next_run_to_find(world: World) -> None:
    async with project(FULL, REGION, ["create_network"]):
        world.left = ("network still there: 409",)
    assert "identity.delete_project" not in world.calls


async def test_what_cannot_be_removed_keeps_a_campaign_from_beginning(world: World) -> None:
    world.left = ("volume still there: in use",)
    with pytest.raises(ProveError, match="left cannot be removed") as caught:
        async with project(FULL, REGION, ["create_network"]):
            pass
    assert "in use" in caught.value.why


async def test_whatever_the_library_raises_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Site) -> None:
        raise RuntimeError("503:\n  no")

    monkeypatch.setattr(module.steps, "image", broken)
    with pytest.raises(ProveError, match="does not let") as caught:
        async with project(FULL, REGION, ["boot_server"]):
            pass
    assert caught.value.why == "RuntimeError: 503: no"


def test_a_function_is_waited_for_until_it_has_succeeded_since() -> None:
    progress = {"boot_server": [1.0, 0.0, 0.0, 12.5], "create_stack": [0.0, 3.0, 0.0, None]}
    names = ("boot_server", "create_stack", "create_volume")
    assert waiting(progress, names, since=12.0) == ("create_stack", "create_volume")
    assert waiting(progress, names, since=13.0) == names
