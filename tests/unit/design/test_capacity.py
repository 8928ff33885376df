"""Limits are arithmetic over what is rendered."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.cloud.model import Cloud
from fournines.design.capacity import BUS_CONNECTIONS, SIZE, Capacity, Limit, capacity
from fournines.errors import UsageError
from fournines.services import load, registry
from fournines.services.rendered import Rendered, Size, in_bytes, rendered
from fournines.services.resource import File

EXAMPLES = Path(__file__).parents[3] / "examples"
FULL = load(EXAMPLES / "full-cloud.yaml")


def of(asked: int | None = None, size: Size = SIZE) -> Capacity:
    (found,) = capacity(FULL, asked, size)
    return found


def limit(found: Capacity, start: str) -> Limit:
    (one,) = [x for x in found.limits if x.name.startswith(start)]
    return one


def test_addresses_run_out_exactly_where_the_network_ends() -> None:
    found = of(250)
    addresses = limit(found, "addresses")
    assert addresses.reached is not None
    assert not limit(of(addresses.reached), "addresses").met
    assert limit(of(addresses.reached + 1), "addresses").met


def test_every_limit_says_where_it_is_from() -> None:
    for x in of(1000).limits:
        assert x.source and x.formula and x.beyond and x.most > 0
        assert x.then >= x.now or x.reached is None


def test_pools_follow_the_size_of_the_controllers() -> None:
    small, large = (limit(of(None, Size(c, m)), "connections to the database") for c, m in ((4, 16.0), (32, 128.0)))
    assert small.then < large.then
    assert small.most == large.most == float(_rendered("mariadb").option("max_connections"))


def test_the_bus_carries_what_hypervisors_add() -> None:
    one, two = (limit(of(n), "connections to the bus").then for n in (100, 200))
    processes = [_rendered(name, "cmp1").on_the_bus for name in FULL.host_by_name["cmp1"].services]
    assert two - one == 100 * BUS_CONNECTIONS * sum(processes) > 0
    assert limit(of(100), "reports").then > 0


def _rendered(name: str, host: str = "ctl1") -> Rendered:
    return next(r for r in rendered(FULL, FULL.host_by_name[host], Size(8, 32.0)) if r.service.name == name)


def test_what_is_read_from_files() -> None:
    keystone = _rendered("keystone")
    assert keystone.processes == Size(8, 32.0).workers(2) == 4
    assert keystone.pool == 25
    assert _rendered("memcached").argument("-m") == 256
    assert in_bytes(_rendered("mariadb").option("innodb_buffer_pool_size")) == 256 * 1024**2


def test_workers_count_as_the_host_does() -> None:
    script = next(r for s in registry().values() if s.name == "keystone" for r in s.desired(FULL, FULL.hosts[0])
                  if isinstance(r, File) and r.path.endswith("/workers"))  # fmt: skip
    for word in ("nproc) / 2", "/ 6291456", "n < 8"):
        assert word in script.content  # Size.workers is this script in Python
    assert [Size(c, m).workers(1) for c, m in ((2, 4), (4, 24), (16, 24), (64, 512))] == [1, 2, 4, 8]


def test_sizes() -> None:
    assert [in_bytes(t) for t in ("1024", "16G", "4K", "x")] == [1024, 16 * 1024**3, 4096, 0.0]


def test_nonsense_is_refused() -> None:
    for bad in ((-1, Size(1, 1.0)), (1, Size(0, 1.0)), (1, Size(1, 0.0))):
        with pytest.raises(UsageError):
            capacity(FULL, *bad)


def test_the_command() -> None:
    file = str(EXAMPLES / "full-cloud.yaml")
    shown = CliRunner().invoke(cli, ["design", "capacity", file, "--hosts", "1000"], catch_exceptions=False)
    assert shown.exit_code == 0 and "first met: addresses" in shown.output and "over" in shown.output
    document = CliRunner().invoke(cli, ["design", "capacity", "--json", file], catch_exceptions=False).output
    assert json.loads(document)["regions"][0]["hypervisors"] == 2


def test_the_database_lets_in_what_all_pools_amount_to() -> None:
    largest = limit(of(None, Size(64, 512.0)), "connections to the database")
    assert largest.now <= largest.most
    for service in ("gnocchi", "horizon", "nova", "keystone"):
        assert f"{service} " in largest.formula
    memory = limit(of(), "memory")
    assert f"{int(largest.most):,} database connections × 0.25 MiB" in memory.formula


def test_the_first_limit_is_the_one_that_is_exceeded() -> None:
    made = of()
    addresses = limit(made, "addresses")
    assert made.first == addresses
    over = replace(limit(made, "connections to the database"), now=13_000.0, most=2_000.0)
    full = replace(made, limits=(addresses, over))
    assert full.first == over
    assert full.verdict == f"exceeded already: {over.name}, 13,000 of at most 2,000"


def test_the_kernel_knows_every_neighbour(tmp_path: Path) -> None:
    assert "gc_thresh" not in _sysctl(load(EXAMPLES / "racks-and-computes.yaml"))
    path = tmp_path / "cloud.yaml"
    hosts = "      n[0001-5000]: {zone: rack1, address: 10.0.16.1+, roles: [compute], addresses: {public: null}}\n"
    small = (EXAMPLES / "three-controllers.yaml").read_text()
    small = small.replace("198.18.0.0/24", "10.0.0.0/16").replace("198.18.0.", "10.0.0.")
    path.write_text(re.sub(r"(    hosts:\n)", r"\1" + hosts, small))
    made = load(path)
    assert "net.ipv4.neigh.default.gc_thresh3 = 16384" in _sysctl(made)
    (found,) = capacity(made)
    neighbours = limit(found, "neighbours")
    assert neighbours.most == 16384
    assert not neighbours.met


def _sysctl(cloud: Cloud) -> str:
    base = registry()["base"].desired(cloud, cloud.hosts[0])
    return next(r.content for r in base if isinstance(r, File) and r.path.endswith("60-fournines.conf"))
