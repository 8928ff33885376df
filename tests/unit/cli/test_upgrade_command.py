"""`versions` and `upgrade` as typed: what they show, and what they refuse before a host is asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fournines.cli import upgrade as command
from fournines.cli import versions as shown
from fournines.cloud import versions
from fournines.cloud.model import Cloud
from fournines.cloud.versions import Upgrade, Versions
from fournines.commands import versions as looking
from fournines.commands.upgrade import Upgrading
from fournines.commands.versions import Seen
from fournines.engine.packages import Kernel, Packages, Prepared, State
from fournines.errors import CloudFileError, UsageError
from fournines.operate.upgrade import Asked, Move
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples/three-controllers.yaml"
SINCE = "2026-11-28T15:00:00Z"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(EXAMPLE, tmp_path / "cloud.yaml"))


@pytest.fixture
def cloud(file: Path) -> Cloud:
    return load(file)


def run(made: Any, *words: str | Path) -> Result:
    return CliRunner().invoke(made, [str(word) for word in words])


def look(packages: Mapping[str, State], **more: Any) -> Packages:
    installed = {name: state.installed for name, state in packages.items() if state.installed}
    return Packages(packages, installed, lists=1_795_878_000.0, **more)


CACHE = State("1.0-1", "1.1-1", ("1.1-1", "1.0-1"), frozenset({"1.1-1"}))
SAME = State("3.0-1", "3.0-1", ("3.0-1",))
OTHER = State("9.1", "9.2", ("9.2", "9.1"), frozenset({"9.2"}))


def seen(cloud: Cloud, hosts: int = 300, **differs: Packages) -> Seen:
    names = [f"ctl{n}" for n in range(1, hosts + 1)]
    looks = {name: look({"memcached": CACHE, "haproxy": SAME, "openssl": OTHER}) for name in names} | differs
    return Seen(cloud, {name: ["memcached", "haproxy", "keystone"] for name in looks}, looks)


def lines(made: Seen, *, everything: bool = False) -> list[str]:
    return list(shown.lines(made, everything=everything))


def test_three_hundred_hosts_that_agree_are_one_line(cloud: Cloud) -> None:
    assert lines(seen(cloud)) == [
        "package    installed  candidate            hosts",
        "haproxy    3.0-1      =                    [ctl[1-300]]",
        "memcached  1.0-1      1.1-1      security  [ctl[1-300]]",
        "",
        "[ctl[1-300]] 1 other packages can be upgraded, 1 of them for security",
        "[ctl[1-300]] its package sources were asked on 2026-11-28",
        "[ctl[1-300]] OpenStack 2025.1, Debian unknown",
        "no lock: a host that is added gets what its package sources have; fournines upgrade writes one",
    ]


def test_who_differs_has_a_line_of_its_own(cloud: Cloud) -> None:
    locked = replace(
        cloud, versions=Versions({"memcached": "1.1-1"}, SINCE, Upgrade({"memcached": "1.1-1"}, "me", "rack1"))
    )
    done = look(
        {"memcached": replace(CACHE, installed="1.1-1", held=True), "keystone": State("", "")},
        problems=("dpkg is locked by process 7 (apt)",),
        kernel=Kernel("6.1", "6.2", reboot=True),
    )
    text = lines(seen(locked, 3, ctl4=done))
    assert "memcached  1.0-1      1.1-1      security, locked 1.1-1  [ctl[1-3]]" in text
    assert "memcached  1.1-1      =          held                    [ctl4]" in text
    assert "keystone   absent     none                               [ctl4]" in text
    assert "[ctl4] wants a reboot: 6.1 → 6.2" in text
    assert "[ctl4] dpkg is locked by process 7 (apt)" in text
    assert "an upgrade of 1 packages has not ended, held after zone rack1: me began it" in text
    assert "locked: 1 packages, since 2026-11-28T15:00:00Z" in text


def test_packages_that_nobody_declares_are_shown_on_request(cloud: Cloud) -> None:
    assert any(line.startswith("openssl") for line in lines(seen(cloud), everything=True))


def test_the_same_as_a_document(cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(made: Cloud, *_: object, refresh: bool) -> Seen:
        return seen(replace(made, versions=Versions({"haproxy": "3.0-1"}, SINCE)), 2)

    monkeypatch.setattr(looking, "seen", found)
    said = json.loads(run(shown.command, file, "--json").output)
    assert said["locked"] == {"haproxy": "3.0-1"}
    assert said["upgrade"] is None
    assert said["hosts"]["ctl2"]["packages"]["memcached"] == {
        "installed": "1.0-1",
        "candidate": "1.1-1",
        "upgradable": True,
        "security": True,
        "held": False,
        "declared": True,
        "locked": "",
    }
    assert not said["hosts"]["ctl1"]["packages"]["openssl"]["declared"]


def upgrading(cloud: Cloud, *, later: bool) -> Upgrading:
    hosts = cloud.hosts
    target = {"memcached": "1.1-1"}
    lock = Versions({}, SINCE, Upgrade(target, "me", "rack1" if later else ""))
    moves = [Move(h.zone.name, (h,), drained=True) for h in hosts]
    prepared = {
        h.name: Prepared((("memcached", "1.0-1", "1.1-1"), ("libnew", "", "1")), ("memcached.service",)) for h in hosts
    }
    now, then = (moves[:1], moves[1:]) if later else (moves, [])
    made = replace(cloud, versions=lock)
    return Upgrading(made, True, tuple(now), tuple(then), prepared, (), {}, frozenset())


@pytest.mark.parametrize("later", [False, True])
def test_what_would_happen_is_shown_first(
    cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch, *, later: bool
) -> None:
    asked: list[Asked] = []
    done: list[Upgrading] = []

    async def planned(made: Cloud, wish: Asked, *_: object) -> Upgrading:
        asked.append(wish)
        return upgrading(made, later=later)

    async def upgrade_all(found: Upgrading, *_: object) -> None:
        done.append(found)

    monkeypatch.setattr(command.upgrading, "planned", planned)
    monkeypatch.setattr(command.upgrading, "upgrade_all", upgrade_all)
    text = run(command.command, file, "--dry-run", "--security").output.splitlines()
    assert asked == [Asked(security=True)]
    assert done == []
    assert text[:3] == [
        "libnew  absent → 1  [ctl[1-3]]",
        "memcached  1.0-1 → 1.1-1  [ctl[1-3]]",
        "restart memcached.service  [ctl[1-3]]",
    ]
    assert text[3].startswith("in this order: ctl1 (zone rack1, drained)")
    assert (len(text) == 5 and "then held, until --continue: ctl2" in text[4]) == later
    said = run(command.command, file, "--yes", *(("--canary", "rack1") if later else ()))
    assert len(done) == 1
    assert ("Held after zone rack1. Next: fournines upgrade" in said.output) == later
    document = json.loads(run(command.command, file, "--dry-run", "--json").output)
    assert document["done"] is False
    assert document["held"] == ("rack1" if later else "")
    assert document["hosts"]["ctl1"]["restarts"] == ["memcached.service"]


@pytest.mark.parametrize("words", [(), ("--canary", "rack1"), ("--abandon",), ("--json",)])
def test_nobody_is_asked_where_nobody_can_answer(words: tuple[str, ...], file: Path) -> None:
    error = run(command.command, file, *words).exception
    assert isinstance(error, UsageError)
    assert "nobody is here" in error.what


@pytest.mark.parametrize("made", [command.command, shown.command])
def test_some_hosts_only_is_refused(made: Any, file: Path) -> None:
    assert isinstance(run(made, file, "--hosts", "ctl1").exception, UsageError)


def test_a_damaged_lock_is_named_before_anything_else(file: Path, cloud: Cloud) -> None:
    path = versions.beside(file, cloud.name)
    path.write_text("{")
    error = run(command.command, file, "--yes").exception
    assert isinstance(error, CloudFileError)
    assert error.where == str(path)
