"""Data that cannot be read, histories that differ, brokers that do not form: what is found of it, and the stages."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from fournines.cloud.secrets import Secrets
from fournines.commands import recover as recovering
from fournines.engine import SshOptions, survey
from fournines.engine.events import Report, silent
from fournines.errors import PlanError
from fournines.health.snapshot import HostState, Queue, Rabbitmq
from fournines.operate.recover import rebuild
from fournines.operate.recover.evidence import Asked
from fournines.operate.recover.finding import Finding
from fournines.plan.desired import desired
from fournines.services import fernet, registry
from fournines.services.resource import File
from samples.rescue import NODES, OTHER, SERVICES, Site, evidence

STAMP = "20261129T040000Z"
#: As MariaDB 11.8 logs a page whose checksum is wrong, and galera-start what follows of it.
DAMAGED = [
    "2026-11-29  3:58:01 0 [ERROR] InnoDB: Database page corruption on disk or a failed read of file"
    " './keystone/project.ibd' page [page id: space=41, page number=3]. You may have to recover from a backup.",
    "mariadbd --wsrep-recover found no position (exit 1):",
]
BROKEN = {"primary": False, "answers": False, "unit": "activating/auto-restart", "cluster": "", "errors": DAMAGED}
WAITS = {"primary": False, "answers": False, "unit": "activating/start-pre", "state": ""}
#: As RabbitMQ 4.0 logs it when a node's cluster has forgotten it.
DISAGREES = (
    "Error description: {error,{inconsistent_cluster,\"Node rabbit@ctl1 thinks it's clustered with node rabbit@ctl3,"
    ' but rabbit@ctl1 disagrees"}}'
)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    return Site(monkeypatch, tmp_path)


async def looked(site: Site, **asked: Any) -> tuple[Finding, ...]:
    way = await recovering.planned(site.cloud, Asked(STAMP, **asked), SshOptions())
    return way.looked.findings


async def test_a_cloud_that_is_well_has_nothing_to_recover(site: Site) -> None:
    way = await recovering.planned(site.cloud, Asked(STAMP), SshOptions())
    assert way.empty
    assert not way.looked.findings


def acts(finding: Finding) -> list[tuple[str, str, str]]:
    """(stage, host, words or script's first line)"""
    return [
        (stage.name, c.host, " ".join(getattr(c.resource, "words", ())) or c.resource.key.partition(":")[2])
        for stage in finding.stages
        for c in stage.changes
    ]


async def test_a_node_that_cannot_read_its_data_takes_a_copy(site: Site) -> None:
    site.hosts["ctl2"].said = evidence(database=BROKEN)
    (found,) = await looked(site)
    assert (found.kind, found.where) == ("database", ("ctl2",))
    assert found.evidence[0].startswith("ctl2: 2026-11-29  3:58:01 0 [ERROR] InnoDB: Database page corruption")
    assert found.loses == ("nothing: ctl1, ctl3 hold every committed row",)
    assert found.keeps == (f"ctl2:/var/lib/mysql.kept-{STAMP}: its database as it was",)
    assert acts(found) == [
        ("databases", "ctl2", f"aside {STAMP}"),
        ("databases", "ctl2", "a data directory"),
        ("databases", "ctl2", "MariaDB starts"),
    ]
    assert [check.host for check in found.stages[0].gate] == ["ctl2"]


async def test_without_anybody_to_copy_from_nothing_is_moved(site: Site) -> None:
    for host in site.hosts.values():
        host.said = evidence(database=BROKEN)
    assert await looked(site) == ()


async def test_a_host_that_was_never_brought_up_is_left_to_apply(site: Site) -> None:
    site.hosts["ctl2"].said = evidence(cloud="", database=BROKEN | {"data": False, "errors": []})
    assert await looked(site) == ()


async def test_a_copy_is_taken_and_nothing_else_happens(site: Site) -> None:
    site.hosts["ctl2"].said = evidence(database=BROKEN)
    way = await recovering.planned(site.cloud, Asked(STAMP), SshOptions())
    await recovering.carry_out(
        way,
        SshOptions(),
        reporting=quiet,
        say=nothing,
        ending=nothing,
        confirmed=True,
        switched_off=False,
    )
    assert site.hosts["ctl2"].acts == [f"aside {STAMP}"]
    assert site.hosts["ctl1"].acts == []
    assert site.switched == []
    assert not way.phases


@contextmanager
def quiet() -> Generator[Report]:
    yield silent


def nothing(*_: object) -> None:
    pass


async def test_a_node_that_only_waits_is_left_alone(site: Site) -> None:
    site.hosts["ctl2"].said = evidence(database=WAITS | {"errors": DAMAGED})
    assert await looked(site) == ()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"free": 1 << 20}, "a copy of the database takes 400 MiB, 1 MiB are free"),
        ({"mount": True}, "a file system of its own"),
    ],
)
async def test_a_copy_that_cannot_be_kept_is_refused(site: Site, changed: dict[str, Any], why: str) -> None:
    site.hosts["ctl2"].said = evidence(database=BROKEN | changed)
    with pytest.raises(PlanError, match="no room to keep") as caught:
        await looked(site)
    assert why in caught.value.why


# Histories


def differ(site: Site) -> None:
    site.hosts["ctl1"].said = evidence(database=WAITS)
    site.hosts["ctl2"].said = evidence(database=WAITS | {"seqno": 4700})
    mine: dict[str, Any] = {"cluster": OTHER, "seqno": 12, "written": 1_795_881_600.0, "rows": {}}
    site.hosts["ctl3"].said = evidence(database=WAITS | mine)
    for name, rows in (("ctl1", 4), ("ctl2", 4), ("ctl3", 2)):
        site.hosts[name].rows = {"keystone.project": rows}


async def test_both_histories_are_shown_and_nobody_chooses_but_a_person(site: Site) -> None:
    differ(site)
    (found,) = await looked(site)
    assert found.kind == "histories"
    assert found.choose.startswith("--history HOST")
    assert not found.stages
    first, *_, last = found.evidence
    assert first.startswith("ctl1: MariaDB waits for other members, at 0f5b2f8e-cb1e-11f0-9d4f-3b6e0c6d1a55:4711")
    assert "rows: keystone.project 4" in first
    assert f"ctl3: MariaDB waits for other members, at {OTHER}:12; its tables were last written at 2026-" in last
    assert last.endswith("rows: keystone.project 2")


async def test_the_other_history_is_moved_aside(site: Site) -> None:
    differ(site)
    (found,) = await looked(site, history="ctl1")
    assert found.keeps == (f"ctl3:/var/lib/mysql.kept-{STAMP}: its database as it was",)
    assert {host for _, host, _ in acts(found)} == {"ctl3"}
    assert [check.host for check in found.stages[0].gate] == ["ctl1", "ctl2", "ctl3"]
    (found,) = await looked(site, history="ctl3")
    assert {host for _, host, _ in acts(found)} == {"ctl1", "ctl2"}


async def test_a_history_that_is_not_known_may_be_the_right_one(site: Site) -> None:
    differ(site)
    site.gone.add("ctl2")
    with pytest.raises(PlanError, match="a member of the database does not answer"):
        await looked(site, history="ctl1")


# Brokers


async def test_a_broker_that_the_others_have_forgotten_joins_as_a_new_one(site: Site) -> None:
    for name in ("ctl2", "ctl3"):
        site.hosts[name].said = evidence(broker={"members": NODES[1:]})
    site.hosts["ctl1"].said = evidence(broker={"runs": False, "unit": "activating/start", "errors": [DISAGREES]})
    (found,) = await looked(site)
    assert (found.kind, found.where) == ("broker", ("ctl1",))
    assert "thinks it's clustered" in found.evidence[0]
    assert found.keeps == (f"ctl1:/var/lib/rabbitmq/mnesia.kept-{STAMP}: what RabbitMQ has on disk",)
    assert [(stage, host) for stage, host, _ in acts(found)] == [
        ("broker-halt", "ctl1"),
        ("forget", "ctl2"),
        ("broker", "ctl1"),
        ("copies", "ctl1"),
    ]


async def test_a_broker_in_a_cluster_of_its_own_joins_the_majority(site: Site) -> None:
    site.hosts["ctl3"].said = evidence(broker={"members": ["rabbit@ctl3"]})
    (found,) = await looked(site)
    assert found.evidence == ("ctl3: it runs in a cluster of its own: rabbit@ctl3",)


async def test_a_broker_that_is_only_down_is_left_alone(site: Site) -> None:
    site.hosts["ctl1"].said = evidence(broker={"runs": False, "unit": "inactive/dead"})
    assert await looked(site) == ()


async def test_brokers_that_wait_for_one_another_begin_with_the_last_to_stop(site: Site) -> None:
    waits = {"runs": False, "unit": "activating/start", "errors": ["{timeout_waiting_for_tables,[rabbit@ctl1]}"]}
    for name, last in (("ctl1", NODES), ("ctl2", ["rabbit@ctl2"]), ("ctl3", NODES[1:])):
        site.hosts[name].said = evidence(broker=waits | {"last": last})
    (found,) = await looked(site)
    halt, start = found.stages
    assert halt.name == "broker-halt"
    assert start.waves == (("ctl2",), ("ctl3", "ctl1"))
    assert acts(found)[3] == ("broker", "ctl2", "force")
    assert len(found.keeps) == 3


async def test_queues_whose_copies_are_gone_go_on_with_what_is_left(site: Site) -> None:
    good = Queue("nova", "conductor", "quorum", "rabbit@ctl1", tuple(NODES), tuple(NODES))
    dead = replace(good, name="scheduler", online=("rabbit@ctl1",))
    broker = Rabbitmq(True, "", tuple(NODES), (), (), (good, dead))
    state = cast(HostState, _State(broker))
    site.states = {"ctl1": state}
    (found,) = await looked(site)
    assert found.what == "1 of 2 queues have lost most of their copies, and every broker runs"
    assert found.evidence == (
        "nova/scheduler: copies on rabbit@ctl1, rabbit@ctl2, rabbit@ctl3; rabbit@ctl1 of them there",
    )
    assert [stage.name for stage in found.stages] == ["queues", "copies"]


# Keys, rings, secrets


async def test_keys_are_put_back_from_the_secrets(site: Site) -> None:
    site.hosts["ctl2"].said["keys"] = {"fernet": 0, "credential": 2}
    fernet.keys(site.cloud)
    (found,) = await looked(site)
    assert (found.kind, found.where) == ("keys", ("ctl2",))
    assert found.loses == ("nothing: they are among the cloud's secrets",)
    assert found.next.startswith("fournines apply")


async def test_keys_that_nobody_has_any_more_cost_something(site: Site) -> None:
    for host in site.hosts.values():
        host.said["keys"] = {"fernet": 0, "credential": 0}
    tokens, credentials = await looked(site)
    assert tokens.loses == ("every token ends: users and services sign in once more",)
    assert "can never be read again" in credentials.loses[0]
    assert "fournines backup extract" in tokens.next


async def test_rings_are_made_again(site: Site) -> None:
    site.hosts["ctl3"].said["rings"] = ["object"]
    (found,) = await looked(site)
    assert (found.kind, found.where, found.evidence) == ("rings", ("ctl3",), ("ctl3: object",))


async def test_secrets_are_rebuilt_from_what_the_hosts_have(site: Site) -> None:
    """Of real values, in files as services render them; the key repositories have been rotated since."""
    real = replace(site.cloud, secrets=Secrets())
    keys = {f"/etc/keystone/fernet-keys/{index}": f"key-{index}" for index in (0, 4, 5)}
    for host, services in desired(real, registry()).items():
        files = {r.path: r.content for mine in services.values() for r in mine if isinstance(r, File)}
        site.hosts[host].texts = {p: t for p, t in files.items() if "-keys/" not in p} | keys
    path = recovering.secrets_file(site.cloud)
    path.unlink()
    way = await recovering.planned(site.cloud, Asked(STAMP), SshOptions())
    (found,) = way.looked.findings
    assert found.kind == "secrets"
    assert not way.empty
    assert way.looked.plan.empty
    assert any(line.startswith("tls.ca.key: the key of an authority") for line in found.loses)
    assert any(line.startswith("agent.heartbeat: the guards get new keys") for line in found.loses)
    assert not any(line.startswith(("keystone.database", "rabbitmq.cookie", "swift.hash")) for line in found.loses)
    written = Secrets.load(recovering.write_secrets(way.looked))
    for name in ("keystone.database", "rabbitmq.cookie", "keystone.admin", "tls.ca.certificate", "agent.state"):
        assert written.get(name) == real.secrets.get(name), name
    assert fernet.loads(written.get(fernet.SECRET)).files == {0: "key-0", 4: "key-4", 5: "key-5"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert not {name for name in written.names() if written.get(name) != real.secrets.get(name)} - {fernet.SECRET}


async def test_no_plan_is_made_with_new_secrets_for_a_cloud_that_has_others(site: Site, tmp_path: Path) -> None:
    cloud = replace(site.cloud, secrets=Secrets.load(tmp_path / "none.yaml"))
    with pytest.raises(PlanError, match="secrets are lost") as caught:
        await survey(cloud, SERVICES, site.hosts)
    assert "fournines recover" in caught.value.next
    for host in site.hosts.values():
        host.files.clear()  # a cloud that is new
    assert not (await survey(cloud, SERVICES, site.hosts)).plan.empty


def made(rendered: str) -> rebuild.Template:
    return rebuild.Template({"a.password": "aaaaaaaaaaaa", "b.password": "bbbbbbbbbbbb"}, {"h": {"/f": rendered}})


def test_lines_that_are_alike_are_told_apart_by_their_order() -> None:
    rendered = "[a]\npassword = aaaaaaaaaaaa\n[b]\npassword = bbbbbbbbbbbb\n"
    actual = "[a]\nnew = 1\npassword = first\n[b]\npassword = second\n"
    got = rebuild.rebuilt(made(rendered), {"h": {"/f": actual}})
    assert got.found == {"a.password": "first", "b.password": "second"}


def test_a_file_with_another_number_of_such_lines_tells_nothing() -> None:
    rendered = "password = aaaaaaaaaaaa\npassword = bbbbbbbbbbbb\n"
    got = rebuild.rebuilt(made(rendered), {"h": {"/f": "password = first\n"}})
    assert got.found == {}
    assert got.missing == ("a.password", "b.password")


def test_what_hosts_do_not_agree_on_is_said() -> None:
    template = rebuild.Template({"a": "aaaaaaaaaaaa"}, {h: {"/f": "x=aaaaaaaaaaaa"} for h in "hij"})
    got = rebuild.rebuilt(template, {"h": {"/f": "x=old"}, "i": {"/f": "x=new"}, "j": {"/f": "x=new"}})
    assert got.found == {"a": "new"}
    assert got.unclear == ("a",)


class _State:
    """Of an observer's word only what is asked here."""

    def __init__(self, rabbitmq: Rabbitmq) -> None:
        self.rabbitmq = rabbitmq
        self.galera = None
        self.age = 0.0
