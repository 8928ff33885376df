"""The rings as the hosts make them: spread by zone, alike everywhere, and hardly moved by one host more or less."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.programs import swift_rings as program
from fournines.services import registry
from fournines.services.resource import File
from samples import cases


def wanted(zones: str, **weights: float) -> dict[str, Any]:
    """A host for each letter, in the zone of that letter."""
    devices = [
        {"host": f"s{n}", "zone": zone, "device": "d1", "ip": "", "weight": weights.get(f"s{n}", 100.0)}
        for n, zone in enumerate(zones, 1)
    ]
    return {"part_power": 8, "replicas": min(3, len(devices)), "ports": {}, "devices": devices}


def load(ring: dict[str, Any]) -> Counter[str]:
    return Counter(ring["devices"][i]["host"] for row in program.table(ring) for i in row)


@settings(max_examples=25, deadline=None)
@given(st.text("abcd", min_size=1, max_size=9))
def test_replicas_are_in_as_many_zones_as_there_are(zones: str) -> None:
    ring = wanted(zones)
    for row in program.table(ring):
        devices = [ring["devices"][i] for i in row]
        assert len({d["zone"] for d in devices}) == min(3, len(set(zones)))
        assert len({d["host"] for d in devices}) == ring["replicas"]


@pytest.mark.parametrize("zones", ["abc", "abca", "abcabc", "aaa", "aab"])
def test_one_host_more_or_less_moves_one_replica_of_a_partition_at_most(zones: str) -> None:
    for zone in "abcd":
        less, more = wanted(zones), wanted(zones + zone)
        assert program.displaced(less, more) <= 1
        assert program.displaced(more, less) <= 1


def test_twice_the_hosts_at_once_would_put_data_out_of_reach() -> None:
    assert program.displaced(wanted("abc"), wanted("abcabc")) > 1


def test_a_single_host_becomes_three() -> None:
    assert program.displaced(wanted("a"), wanted("abc")) == 0


def test_the_number_of_partitions_is_for_good() -> None:
    with pytest.raises(ValueError, match="for good"):
        program.displaced(wanted("abc"), {**wanted("abc"), "part_power": 9})


class RingData:
    """In place of Swift's: writes what it is given."""

    def __init__(self, columns: list[Any], devices: list[dict[str, Any]], part_shift: int) -> None:
        self.columns, self.devices, self.part_shift = columns, devices, part_shift

    def save(self, path: str) -> None:
        said = {"columns": [list(c) for c in self.columns], "devices": self.devices, "part_shift": self.part_shift}
        Path(path).write_text(json.dumps(said))


@pytest.fixture
def swift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "DIRECTORY", tmp_path)
    monkeypatch.setattr(program, "WANTED", tmp_path / program.WANTED.name)
    monkeypatch.setitem(sys.modules, "swift.common.ring", SimpleNamespace(RingData=RingData))
    return tmp_path


def make(folder: Path, zones: str) -> None:
    ring = {**wanted(zones), "ports": {"object": 6200, "account": 6202}}
    (folder / program.WANTED.name).write_text(json.dumps(ring))
    program.main()


def test_rings_are_written_with_digests_of_all_that_a_check_compares(swift: Path) -> None:
    make(swift, "abca")
    names = [line.split()[1] for line in (swift / program.DIGESTS).read_text().splitlines()]
    assert names == ["fournines-rings.json", "object.ring.gz", "account.ring.gz"]
    subprocess.run(["sha256sum", "--check", "--status", program.DIGESTS], cwd=swift, check=True)
    ring = json.loads((swift / "object.ring.gz").read_text())
    assert len(ring["columns"]) == 3
    assert {len(column) for column in ring["columns"]} == {256}
    assert ring["part_shift"] == 24
    assert [(d["id"], d["meta"], d["zone"], d["port"]) for d in ring["devices"]] == [
        *((0, "s1", 1, 6200), (1, "s2", 2, 6200)),
        *((2, "s3", 3, 6200), (3, "s4", 1, 6200)),
    ]
    assert (swift / "object.ring.gz").stat().st_mode & 0o777 == 0o644


def test_too_many_at_once_are_refused_and_the_rings_stay(swift: Path) -> None:
    make(swift, "abc")
    before = (swift / "object.ring.gz").read_text()
    with pytest.raises(SystemExit, match="add or remove one storage host at a time"):
        make(swift, "abcabc")
    assert (swift / "object.ring.gz").read_text() == before
    make(swift, "abca")
    assert (swift / "object.ring.gz").read_text() != before


def test_load_follows_weight() -> None:
    even = load(wanted("abcabc"))
    assert max(even.values()) < 1.25 * min(even.values())
    heavy = load(wanted("abcabc", s4=300.0))
    assert heavy["s4"] > 2 * heavy["s1"]


def test_all_hosts_of_a_region_make_the_same_rings(tmp_path: Path) -> None:
    cloud = cases.Case(Path("none"), {"cloud": {"components": ["swift"]}}).cloud(tmp_path)
    said = {
        r.content
        for host in cloud.hosts
        for service in ("swift", "swift_storage")
        for r in registry()[service].desired(cloud, host)
        if isinstance(r, File) and r.path.endswith("rings.json")
    }
    [document] = said
    assert [d["zone"] for d in json.loads(document)["devices"]] == ["rack1", "rack2", "rack3"]
