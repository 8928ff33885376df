"""Which shared disk is mounted, from the first process's own mounts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fournines.agent.observer import luns, watch
from fournines.agent.observer.config import Rabbitmq

MOUNTS = """\
31 1 0:28 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/image
62 31 7:3 / /var/lib/mysql rw,noatime shared:40 - ext4 /dev/mapper/database rw,errors=remount-ro
63 31 0:29 / /run rw,nosuid shared:41 - tmpfs tmpfs rw,mode=755
"""
DATABASE = {"database": "/var/lib/mysql"}


def test_mounted_or_not() -> None:
    assert luns.parse(MOUNTS, DATABASE) == {"database": {"mounted": True, "read_only": False}}
    assert luns.parse(MOUNTS, {"bus": "/srv"}) == {"bus": {"mounted": False, "read_only": False}}


@pytest.mark.parametrize(("old", "new"), [("rw,errors", "ro,errors"), ("rw,noatime", "ro,noatime")])
def test_a_file_system_that_the_kernel_no_longer_writes_to(old: str, new: str) -> None:
    assert luns.parse(MOUNTS.replace(old, new), DATABASE)["database"]["read_only"]


async def test_the_first_process_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    monkeypatch.setattr(luns, "MOUNTS", path)
    assert await luns.look(DATABASE) == {"luns": {"database": {"mounted": True, "read_only": False}}}


async def test_a_broker_that_moves_is_asked_where_its_disk_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS.replace("/var/lib/mysql", "/var/lib/rabbitmq/mnesia"))
    monkeypatch.setattr(luns, "MOUNTS", path)
    asked: list[str] = []

    async def answers(address: str, _: Rabbitmq) -> dict[str, Any]:
        asked.append(address)
        return {"nodes": [], "queues": []}

    monkeypatch.setattr(watch, "rabbitmq_state", answers)
    moves = Rabbitmq("fournines", "x", lun="messaging", address="198.18.0.102")
    config: Any = SimpleNamespace(address="198.18.0.11", luns={"messaging": "/var/lib/rabbitmq/mnesia"})
    assert await watch.broker_state(config, moves) == {"nodes": [], "queues": []}
    assert await watch.broker_state(config, Rabbitmq("fournines", "x")) == {"nodes": [], "queues": []}
    assert asked == ["198.18.0.102", "198.18.0.11"]
    path.write_text(MOUNTS)
    assert (await watch.broker_state(config, moves))["elsewhere"] is True
    assert asked == ["198.18.0.102", "198.18.0.11"]
