"""What a backup says of itself, what is refused, and which are removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fournines.cloud.model import Cloud, ServiceConfig
from fournines.engine.transport import Completed, ManagedHost
from fournines.errors import BackupError
from fournines.operate import backup, copies, sealed
from fournines.operate.restore import stops
from samples import cases

KEY = sealed.new_key()
GOOD = backup.Manifest(
    cloud="acme",
    release="2025.1",
    taken="2026-11-28T15:00:00+00:00",
    key=sealed.fingerprint(KEY),
    parts={"database.phx": backup.Part(10, "ab", "ctl3")},
    rows={"phx": {"keystone.user": 9}},
)


def _loads(text: str, **more: str) -> backup.Manifest:
    return backup.loads(text, "here", **more)


def test_a_manifest_survives_being_written() -> None:
    assert _loads(backup.dumps(GOOD, KEY), key=KEY, cloud="acme") == GOOD


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d | {"format": backup.FORMAT + 1}, "this fournines knows"),
        (lambda d: d | {"cloud": "other"}, "of cloud other"),
        (lambda d: d | {"taken": "1999-01-01"}, "changed after"),
        (lambda d: d | {"parts": [1]}, "damaged"),
        (lambda d: {k: v for k, v in d.items() if k != "cloud"}, "damaged"),
        (lambda d: d | {"more": 1}, "damaged"),
        (lambda d: {k: v for k, v in d.items() if k != "format"}, "damaged"),
        (lambda d: [d], "damaged"),
        (lambda d: {k: v for k, v in d.items() if k != "signature"}, "changed after"),
    ],
)
def test_what_is_not_ours_is_refused_with_what_to_do(change: Any, what: str) -> None:
    text = json.dumps(change(json.loads(backup.dumps(GOOD, KEY))))
    with pytest.raises(BackupError) as error:
        _loads(text, key=KEY, cloud="acme")
    assert what in str(error.value)


def test_another_key_is_told_from_damage() -> None:
    with pytest.raises(BackupError, match="another key") as error:
        _loads(backup.dumps(GOOD, KEY), key=sealed.new_key())
    assert "--key" in error.value.next


def test_what_is_no_backup_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="is not a backup"):
        backup.read(tmp_path)
    (tmp_path / backup.MANIFEST).write_bytes(b"\xff\x00")
    with pytest.raises(BackupError, match="damaged"):
        backup.read(tmp_path)


def _lay(directory: Path, days: int, *, verified: bool = True, cloud: str = "acme") -> Path:
    path = directory / backup.directory_name(cloud, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days))
    path.mkdir()
    manifest = replace(GOOD, cloud=cloud, rows=GOOD.rows if verified else {})
    (path / backup.MANIFEST).write_text(backup.dumps(manifest, KEY))
    return path


def test_retention_keeps_the_newest_verified_and_what_is_newer(tmp_path: Path) -> None:
    paths = [_lay(tmp_path, day, verified=day != 2) for day in range(5)]
    other = _lay(tmp_path, 0, cloud="acme-2")
    listed = backup.found(tmp_path, "acme")
    assert [f.path for f in listed] == paths
    assert [f.path for f in backup.superfluous(listed, 2)] == paths[:3]
    assert [f.path for f in backup.superfluous(listed, 3)] == paths[:1]
    assert backup.superfluous(listed, 9) == []
    assert other in [f.path for f in backup.found(tmp_path)]


def test_a_damaged_one_in_a_list_hides_no_other(tmp_path: Path) -> None:
    first, second = _lay(tmp_path, 1), _lay(tmp_path, 2)
    (first / backup.MANIFEST).write_text("{")
    listed = backup.found(tmp_path)
    assert [bool(f.problem) for f in listed] == [True, False]
    assert listed[1].path == second


class _Node:
    """A host whose MariaDB is copied and asked; `said`: what database-copy is told to answer."""

    host = "ctl3"

    def __init__(self, content: bytes, said: Mapping[str, Any], status: int = 0) -> None:
        self.content, self.said, self.status, self.got = content, said, status, b""

    async def pour(self, script: str, stdin: Any, take: Any, *, timeout: float) -> Completed:
        if script.endswith("take"):
            take(self.content)
        elif script.startswith("exec"):
            self.got = b"".join(stdin)
            take(json.dumps(self.said).encode())
        return Completed(self.status, "", "no space left")


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    made = cases.Case(Path("none"), {"cloud": {"components": "compute"}}).cloud(tmp_path)
    made.secrets.save()
    return made


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    galera = {name: SimpleNamespace(state="Synced") for name in ("ctl1", "ctl2", "ctl3")}
    region = SimpleNamespace(region=SimpleNamespace(name="phx"), galera=galera, writers=("ctl1",))

    async def look(*_: object) -> object:
        return SimpleNamespace(regions=(region,))

    monkeypatch.setattr(copies, "look", look)


def _hosts(node: _Node) -> dict[str, ManagedHost]:
    return dict.fromkeys(("ctl1", "ctl2", "ctl3"), cast(ManagedHost, node))


SOUND = {"rows": {"keystone.user": 9}, "position": "uuid:7", "wrong": []}


async def test_a_backup_is_taken_verified_and_verified_again(cloud: Cloud, seen: None, tmp_path: Path) -> None:
    node, content = _Node(b"rows" * 900_000, SOUND), b"rows" * 900_000
    made = await copies.take(cloud, _hosts(node), tmp_path / "b", KEY, lambda _: None)
    assert node.got == content, "what is verified is what was written"
    assert made.manifest.verified
    assert made.manifest.parts["database.phx"].source == "ctl3"
    assert content[:64] not in (made.path / "database.phx.sealed").read_bytes()
    again = backup.read(made.path, key=KEY, cloud=cloud.name)
    assert again == made.manifest
    stored = copies.Stored(made.path, again, KEY)
    await copies.verify(stored, _hosts(node), {"phx": "ctl3"}, lambda _: None)
    node.said = SOUND | {"rows": {"keystone.user": 8}}
    with pytest.raises(BackupError, match="not what was taken") as error:
        await copies.verify(stored, _hosts(node), {"phx": "ctl3"}, lambda _: None)
    assert "9 rows then, 8 now" in error.value.why


async def test_damage_is_found_before_a_host_is_asked(cloud: Cloud, seen: None, tmp_path: Path) -> None:
    node = _Node(b"rows", SOUND)
    made = await copies.take(cloud, _hosts(node), tmp_path / "b", KEY, lambda _: None)
    file = made.path / "database.phx.sealed"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    node.got = b""
    with pytest.raises(BackupError, match="damaged"):
        await copies.verify(made, _hosts(node), {"phx": "ctl3"}, lambda _: None)
    assert node.got == b""


@pytest.mark.parametrize(
    ("said", "status"), [(SOUND | {"wrong": ["keystone.user is empty"]}, 0), (SOUND, 1)], ids=["unsound", "failed"]
)
async def test_what_fails_leaves_nothing_behind(
    cloud: Cloud, seen: None, tmp_path: Path, said: dict[str, Any], status: int
) -> None:
    with pytest.raises(BackupError) as error:
        await copies.take(cloud, _hosts(_Node(b"rows", said, status)), tmp_path / "b", KEY, lambda _: None)
    assert error.value.next
    assert list((tmp_path / "b").iterdir()) == []


async def test_what_is_beside_the_database_comes_back(cloud: Cloud, seen: None, tmp_path: Path) -> None:
    cloud.source.parent.joinpath(f"{cloud.name}.secrets.yaml").write_text("a: b\n")
    made = await copies.take(cloud, _hosts(_Node(b"rows", SOUND)), tmp_path / "b", KEY, lambda _: None)
    names = copies.extract(made, tmp_path / "out")
    assert f"cloud/{cloud.name}.secrets.yaml" in names
    assert (tmp_path / "out/cloud/cloud.yaml").read_bytes() == cloud.source.read_bytes()
    assert (tmp_path / "out" / f"cloud/{cloud.name}.secrets.yaml").stat().st_mode & 0o077 == 0
    with pytest.raises(BackupError, match="exists"):
        copies.extract(made, tmp_path / "out")


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(BackupError, match="cannot be read"):
        copies.key_of(file, make=False)
    key = copies.key_of(file, make=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert copies.key_of(file, make=True) == key
    file.chmod(0o644)
    with pytest.raises(BackupError, match="open to other users"):
        copies.key_of(file, make=False)
    file.chmod(0o600)
    file.write_text("abc")
    with pytest.raises(BackupError, match="no backup key"):
        copies.key_of(file, make=False)


def test_the_writer_is_copied_only_where_there_is_no_other() -> None:
    def region(states: dict[str, str]) -> Any:
        galera = {name: SimpleNamespace(state=state) for name, state in states.items()}
        return SimpleNamespace(region=SimpleNamespace(name="phx"), galera=galera, writers=("ctl1",))

    assert copies.source(region({"ctl1": "Synced", "ctl2": "Synced", "ctl3": "Joined"})) == "ctl2"
    assert copies.source(region({"ctl1": "Synced"})) == "ctl1"
    with pytest.raises(BackupError, match="in step"):
        copies.source(region({"ctl1": "Joined"}))


def test_a_restore_stops_what_writes_and_nothing_else(cloud: Cloud) -> None:
    stopping = stops(cloud)
    units = set(stopping.units["ctl1"])
    assert {"keystone.service", "nova-api.service", "neutron-rpc-server.service"} <= units
    assert not {u for u in units if u.startswith(("mariadb", "fournines", "haproxy", "rabbitmq", "keepalived"))}


def test_a_restore_takes_what_a_cluster_runs_from_the_cluster_first(cloud: Cloud) -> None:
    passive = replace(cloud, services={**cloud.services, "keystone": ServiceConfig(passive=True)})
    script = stops(passive).script("ctl1").splitlines()
    assert "--name fournines-keystone --delete" in script[1]
    assert script[-1].startswith("systemctl stop ") and "keystone.service" in script[-1]
    assert "crm_attribute" not in stops(cloud).script("ctl1")
