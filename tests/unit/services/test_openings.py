"""Who may reach what: the same answer for the firewall and for the architecture document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fournines.cloud.model import Cloud
from fournines.design.document import ports
from fournines.design.document.parts import Table
from fournines.services import firewall
from fournines.services.openings import openings, reached, sources
from samples import cases

COMPUTES: dict[str, Any] = {
    "components": "full",
    "regions": {
        "phx": {
            "networks": {"tenant": "198.18.2.0/24"},
            "hosts": {"cmp[1-2]": {"zone": "rack1", "address": "198.18.0.31+", "roles": ["compute"]}},
        }
    },
}


def made(directory: Path, **more: Any) -> Cloud:
    return cases.Case(Path("none"), {"cloud": {**COMPUTES, **more}}).cloud(directory)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return made(tmp_path)


def names(cloud: Cloud, service: str, number: int, to: str = "hosts") -> set[str]:
    """Hosts that come to this port, of all its openings."""
    found = [o for o in openings(cloud, "phx") if (o.service, o.port.number, o.to) == (service, number, to)]
    assert found
    return {h.name for o in found for h in sources(cloud, "phx", o.service, o.port.source)}


def test_every_port_is_declared(cloud: Cloud) -> None:
    declared = {o.numbers for o in openings(cloud, "phx")}
    assert {"443", "3306", "4567", "4789", "5672", "5900-6899", "6200", "6201", "6202"} <= declared
    assert {"6379", "26379", "8873", "9200", "9201", "11211", "25672"} <= declared


@pytest.mark.parametrize(
    ("service", "number", "to"),
    [("mariadb", 3306, "internal VIP"), ("mariadb", 4567, "hosts"), ("memcached", 11211, "hosts"),
     ("valkey", 6379, "hosts"), ("rabbitmq", 25672, "hosts"), ("rabbitmq", 15672, "hosts"),
     ("swift_storage", 6200, "hosts"), ("agent", 9201, "hosts"), ("keystone", 5000, "hosts")],
)  # fmt: skip
def test_computes_come_to_no_database_cache_or_member(cloud: Cloud, service: str, number: int, to: str) -> None:
    assert names(cloud, service, number, to) == {"ctl1", "ctl2", "ctl3"}


def test_computes_come_to_the_apis_and_the_bus(cloud: Cloud) -> None:
    everyone = {h.name for h in cloud.hosts}
    assert names(cloud, "keystone", 5000, "internal VIP") == everyone
    assert names(cloud, "rabbitmq", 5672) == everyone
    assert names(cloud, "nova_compute", 5900) == {"ctl1", "ctl2", "ctl3"}


def test_a_vip_is_on_the_load_balancers_only(cloud: Cloud) -> None:
    for opening in openings(cloud, "phx"):
        if opening.to != "hosts":
            assert reached(cloud, cloud.host_by_name["cmp1"], opening) is None
            assert reached(cloud, cloud.host_by_name["ctl1"], opening) is not None


def test_one_compute_more_changes_no_other_compute(tmp_path: Path, cloud: Cloud) -> None:
    regions = {**COMPUTES["regions"]["phx"]}
    regions["hosts"] = {"cmp[1-3]": {"zone": "rack1", "address": "198.18.0.31+", "roles": ["compute"]}}
    larger = made(tmp_path, regions={"phx": regions})
    for name in ("cmp1", "cmp2"):
        assert firewall.rules(larger, larger.host_by_name[name]) == firewall.rules(cloud, cloud.host_by_name[name])
    before, after = (firewall.rules(c, c.host_by_name["ctl1"])[0] for c in (cloud, larger))
    assert "198.18.0.31-198.18.0.32" in before
    assert "198.18.0.31-198.18.0.33" in after


def test_ranges_of_one_host_may_overlap(tmp_path: Path) -> None:
    """nft refuses {6379, 5900-6899}."""
    regions = {"phx": {"hosts": {"ctl1": {"roles": ["controller", "compute"]}}}}
    both = cases.Case(Path("none"), {"cloud": {"components": "full", "regions": regions}}).cloud(tmp_path)
    text, _ = firewall.rules(both, both.host_by_name["ctl1"])
    (untracked,) = {line.strip() for line in text.splitlines() if "tcp dport {" in line}
    assert "5900-6899" in untracked
    assert " 6379," not in untracked


def test_the_document_s_table_is_the_firewall_s(cloud: Cloud) -> None:
    text, _ = firewall.rules(cloud, cloud.host_by_name["ctl1"])
    rows = {row[3:5] for part in ports.parts(cloud) if isinstance(part, Table) for row in part.rows}
    for opening in openings(cloud, "phx"):
        on_it = reached(cloud, cloud.host_by_name["ctl1"], opening) is not None
        if on_it and opening.numbers and opening.port.source:
            assert f"{opening.port.protocol} dport {opening.numbers} accept" in text, opening
            assert any(numbers == opening.numbers and opening.port.protocol in kind for kind, numbers in rows), opening
