"""Computes in cells and aggregates: judged by Nova's tables, made through a server that stands for its API."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import nova_hosts as program
from samples.asked import Api, Database

ACTION = "POST /v2.1/os-aggregates/{}/action"


@pytest.fixture
def wanted(
    tmp_path: Path, api: Api, database: Database, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> dict[str, Any]:
    """Three computes, one of which is a project's own; Nova has it so, and an aggregate of the operator's."""
    config = tmp_path / "nova.conf"
    config.write_text(
        "[database]\nconnection = cell\n[api_database]\nconnection = api\n[keystone_authtoken]\nusername = nova\n"
        "user_domain_name = Default\nproject_name = service\nproject_domain_name = Default\npassword = a$$b\n"
    )
    document = {
        "identity": f"{api.url}/v3",
        "compute": f"{api.url}/v2.1",
        "hosts": ["cmp1", "cmp2", "cmp3"],
        "aggregates": {
            "rack1": {"zone": "rack1", "project": "", "hosts": ["cmp1", "cmp2"]},
            "project-blue": {"zone": "", "project": "blue", "hosts": ["cmp3"]},
        },
    }
    settings = tmp_path / "nova-hosts.json"
    settings.write_text(json.dumps(document))
    monkeypatch.setattr(program, "CONFIG", config)
    monkeypatch.setattr(program, "SETTINGS", settings)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    monkeypatch.setattr(program, "direct", lambda: direct)
    program.configuration.cache_clear()
    request.addfinalizer(program.configuration.cache_clear)
    api.answers |= {
        "POST /v3/auth/tokens": (201, {}),
        "GET /v3/projects?domain_id=default&name=blue": (200, {"projects": [{"id": "p1"}]}),
        "POST /v2.1/os-aggregates": (200, {"aggregate": {"id": 7}}),
        **{ACTION.format(number): (200, {}) for number in (1, 2, 7)},
    }
    mapped(database, "cmp1", "cmp2", "cmp3")
    database.table("compute_nodes", "host, deleted", ("cmp1", 0), ("cmp2", 0), ("cmp3", 0))
    database.table("aggregates", "id, name", (1, "rack1"), (2, "project-blue"), (3, "fast"))
    database.table("aggregate_metadata", "aggregate_id, `key`, value", *METADATA)
    database.table("aggregate_hosts", "aggregate_id, host", *MEMBERS)
    return document


METADATA = [
    (1, "fournines", "zone"),
    (1, "availability_zone", "rack1"),
    (2, "fournines", "blue"),
    (2, "filter_tenant_id", "p1"),
    (3, "ssd", "true"),
]
MEMBERS = [(1, "cmp1"), (1, "cmp2"), (2, "cmp3"), (3, "cmp1")]


def mapped(database: Database, *hosts: str) -> None:
    database.table("host_mappings", "host", *((host,) for host in hosts))


@pytest.fixture
def managed(monkeypatch: pytest.MonkeyPatch, database: Database) -> list[tuple[str, ...]]:
    """What Nova's own tool is told; to discover hosts maps all three."""
    told: list[tuple[str, ...]] = []

    def manage(*command: str) -> int:
        told.append(command)
        if "discover_hosts" in command:
            mapped(database, "cmp1", "cmp2", "cmp3")
        return 0

    monkeypatch.setattr(program, "manage", manage)
    return told


def different(wanted: dict[str, Any]) -> list[str]:
    return list(program.differences(wanted))


def test_as_it_must_be(wanted: dict[str, Any], database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["check", hashlib.sha256(program.SETTINGS.read_bytes()).hexdigest()])
    program.main(["check", "0" * 64])
    assert capsys.readouterr().out == "ok\nanother document\n"
    assert set(database.urls) == {"api"}


def test_differences(wanted: dict[str, Any], database: Database) -> None:
    mapped(database, "cmp1", "cmp3")
    assert different(wanted) == ["cmp2 is in no cell"]
    mapped(database, "cmp1", "cmp2", "cmp3")
    database.table("aggregate_hosts", "aggregate_id, host", *MEMBERS[1:])
    assert different(wanted) == ["hosts of rack1"]
    database.table("aggregate_metadata", "aggregate_id, `key`, value", *METADATA[1:3])
    assert different(wanted) == ["aggregate rack1", "metadata of project-blue"]
    database.table("aggregate_metadata", "aggregate_id, `key`, value", *METADATA, (3, "fournines", "zone"))
    assert different(wanted) == ["hosts of rack1", "aggregate fast too many"]


def test_nothing_to_do_changes_nothing(
    wanted: dict[str, Any], api: Api, managed: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    program.main(["apply"])
    assert capsys.readouterr().out == "ok\n"
    assert api.changes() == []
    assert managed == [("placement", "sync_aggregates")]
    user = api.asked[0].body["auth"]["identity"]["password"]["user"]
    assert user["password"] == "a$b", "as oslo.config reads it"


def test_aggregates_are_made(wanted: dict[str, Any], api: Api, database: Database) -> None:
    for name, columns in (("aggregates", "id, name"), ("aggregate_hosts", "aggregate_id, host")):
        database.table(name, columns)
    del wanted["aggregates"]["rack1"]
    mapped(database, "cmp3")
    program.arrange(wanted, program.Api(wanted))
    metadata = {"fournines": "blue", "filter_tenant_id": "p1"}
    assert api.changes() == [
        ("POST /v2.1/os-aggregates", {"aggregate": {"name": "project-blue"}}),
        (ACTION.format(7), {"set_metadata": {"metadata": metadata}}),
        (ACTION.format(7), {"add_host": {"host": "cmp3"}}),
    ]


def test_a_host_leaves_its_zone_before_it_comes_into_another(
    wanted: dict[str, Any], api: Api, managed: list[tuple[str, ...]]
) -> None:
    del wanted["aggregates"]["rack1"]
    wanted["aggregates"]["rack2"] = {"zone": "rack2", "project": "", "hosts": ["cmp1", "cmp2"]}
    api.answers["DELETE /v2.1/os-aggregates/1"] = (200, None)
    program.arrange(wanted, program.Api(wanted))
    assert [(what, body and next(iter(body))) for what, body in api.changes()] == [
        (ACTION.format(1), "remove_host"),
        (ACTION.format(1), "remove_host"),
        ("DELETE /v2.1/os-aggregates/1", None),
        ("POST /v2.1/os-aggregates", "aggregate"),
        (ACTION.format(7), "set_metadata"),
        (ACTION.format(7), "add_host"),
        (ACTION.format(7), "add_host"),
    ]


def test_a_project_that_is_not_there(wanted: dict[str, Any], api: Api, managed: list[tuple[str, ...]]) -> None:
    wanted["aggregates"]["project-red"] = {"zone": "", "project": "red", "hosts": []}
    api.answers["GET /v3/projects?domain_id=default&name=red"] = (200, {"projects": []})
    with pytest.raises(SystemExit, match="no project red in the default domain"):
        program.arrange(wanted, program.Api(wanted))


def test_what_the_api_refuses_is_said(wanted: dict[str, Any], api: Api, managed: list[tuple[str, ...]]) -> None:
    api.answers["POST /v3/auth/tokens"] = (401, {"error": "wrong password"})
    with pytest.raises(SystemExit, match=r"auth/tokens: 401: .*wrong password"):
        program.main(["apply"])


def test_computes_are_discovered_once_all_have_reported(
    wanted: dict[str, Any], database: Database, managed: list[tuple[str, ...]]
) -> None:
    mapped(database)
    program.discover(wanted)
    assert managed == [("cell_v2", "discover_hosts")]
    program.discover(wanted)
    assert len(managed) == 1


def test_who_has_not_reported_is_said_in_the_end(
    wanted: dict[str, Any], database: Database, managed: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "REPORTS", 0.0)
    monkeypatch.setattr(program.time, "sleep", lambda _: None)
    mapped(database, "cmp1", "cmp2")
    database.table("compute_nodes", "host, deleted", ("cmp1", 0), ("cmp2", 0), ("cmp3", 1))
    with pytest.raises(SystemExit, match="no compute service has reported from cmp3"):
        program.main(["apply"])
    assert ("cell_v2", "discover_hosts") not in managed


def test_anything_else_is_answered_with_how_it_is_called(wanted: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match="nova-hosts check SHA256"):
        program.main(["check"])
