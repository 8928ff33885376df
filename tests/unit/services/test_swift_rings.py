"""The rings as the hosts make them: spread by zone, alike everywhere, and hardly moved by one host more or less."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.services import registry, swift_rings
from fournines.services.render import template
from fournines.services.resource import File
from samples import cases

RINGS: dict[str, Any] = {"__name__": "rings"}
exec(template("swift/rings.py.j2", directory="/nonexistent", wanted="/nonexistent", made=swift_rings.MADE), RINGS)


def wanted(zones: str, **weights: float) -> dict[str, Any]:
    """A host for each letter, in the zone of that letter."""
    devices = [
        {"host": f"s{n}", "zone": zone, "device": "d1", "ip": "", "weight": weights.get(f"s{n}", 100.0)}
        for n, zone in enumerate(zones, 1)
    ]
    return {"part_power": 8, "replicas": min(3, len(devices)), "ports": {}, "devices": devices}


def load(ring: dict[str, Any]) -> Counter[str]:
    return Counter(ring["devices"][i]["host"] for row in RINGS["table"](ring) for i in row)


@settings(max_examples=25, deadline=None)
@given(st.text("abcd", min_size=1, max_size=9))
def test_replicas_are_in_as_many_zones_as_there_are(zones: str) -> None:
    ring = wanted(zones)
    for row in RINGS["table"](ring):
        devices = [ring["devices"][i] for i in row]
        assert len({d["zone"] for d in devices}) == min(3, len(set(zones)))
        assert len({d["host"] for d in devices}) == ring["replicas"]


@pytest.mark.parametrize("zones", ["abc", "abca", "abcabc", "aaa", "aab"])
def test_one_host_more_or_less_moves_one_replica_of_a_partition_at_most(zones: str) -> None:
    for zone in "abcd":
        less, more = wanted(zones), wanted(zones + zone)
        assert RINGS["displaced"](less, more) <= 1
        assert RINGS["displaced"](more, less) <= 1


def test_twice_the_hosts_at_once_would_put_data_out_of_reach() -> None:
    assert RINGS["displaced"](wanted("abc"), wanted("abcabc")) > 1


def test_a_single_host_becomes_three() -> None:
    assert RINGS["displaced"](wanted("a"), wanted("abc")) == 0


def test_the_number_of_partitions_is_for_good() -> None:
    with pytest.raises(ValueError, match="for good"):
        RINGS["displaced"](wanted("abc"), {**wanted("abc"), "part_power": 9})


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
