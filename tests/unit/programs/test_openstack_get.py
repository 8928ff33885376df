"""OpenStack's APIs, asked as a service's own account: over HTTP, of a server that stands for them."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from fournines.cloud.secrets import Secret
from fournines.programs import openstack_get as program
from fournines.services import quoting
from samples.asked import Api

ACCOUNT = """
auth_url = {url}/v3
username = nova
user_domain_name = Default
project_name = service
project_domain_name = Default
password = {password}
"""
TOKEN = "POST /v3/auth/tokens"


@pytest.fixture
def config(tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "nova.conf"
    path.write_text("[keystone_authtoken]" + ACCOUNT.format(url=api.url, password="secret"))
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    monkeypatch.setattr(program, "direct", lambda: direct)
    api.answers[TOKEN] = (201, {"token": {"project": {"id": "p1"}}})
    return str(path)


@pytest.mark.parametrize("password", ["secret", "$money", "'quoted'", '"', "it's"])
def test_the_account_is_read_as_oslo_config_reads_it(tmp_path: Path, password: str) -> None:
    path = tmp_path / "nova.conf"
    written = quoting.oslo(Secret(password, "nova.keystone"))
    path.write_text("[keystone_authtoken]" + ACCOUNT.format(url="https://in", password=written))
    keystone, asked = program.account(str(path))
    assert keystone == "https://in/v3"
    assert asked["auth"]["identity"]["password"]["user"]["password"] == password


@pytest.mark.parametrize("password", ["secret", "$$money", "'quoted'"])
def test_swifts_is_taken_as_it_is(tmp_path: Path, password: str) -> None:
    path = tmp_path / "proxy-server.conf"
    path.write_text("[filter:authtoken]" + ACCOUNT.format(url="https://in", password=password))
    _, asked = program.account(str(path))
    assert asked["auth"]["identity"]["password"]["user"]["password"] == password


def test_each_url_is_asked_with_the_token_and_the_project(config: str, api: Api) -> None:
    api.answers |= {"GET /v1/AUTH_p1": (200, []), "GET /flavors": (204, None)}
    program.main([config, f"{api.url}/v1/AUTH_PROJECT", f"{api.url}/flavors"])
    token, *asked = api.asked
    assert token.body["auth"]["scope"] == {"project": {"name": "service", "domain": {"name": "Default"}}}
    assert [r.what for r in asked] == ["GET /v1/AUTH_p1", "GET /flavors"]
    assert {r.headers["x-auth-token"] for r in asked} == {"a-token"}
    assert {r.headers["x-openstack-nova-api-version"] for r in asked} == {"2.53"}


def test_what_is_refused_says_how(config: str, api: Api) -> None:
    api.answers["GET /flavors"] = (503, {"error": "no database"})
    with pytest.raises(SystemExit, match=r'flavors: 503 .*: {"error": "no database"}'):
        program.main([config, f"{api.url}/flavors"])
    api.answers[TOKEN] = (401, None)
    with pytest.raises(SystemExit, match="auth/tokens: 401"):
        program.main([config, f"{api.url}/flavors"])


def test_what_does_not_answer_says_so(config: str, api: Api) -> None:
    with pytest.raises(SystemExit, match=r"127\.0\.0\.1:1/: .*refused"):
        program.main([config, "http://127.0.0.1:1/"])


def test_none_of_a_list(config: str, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"{api.url}/services?host=cmp1"
    for found, said in (([], "ok"), ([{"id": 1}, {"id": 2}], "2 services")):
        api.answers["GET /services?host=cmp1"] = (200, {"services": found})
        program.main(["--none", "services", config, url])
        assert capsys.readouterr().out == f"{said}\n"
    assert api.changes() == []


def test_each_of_a_list_is_deleted(config: str, api: Api) -> None:
    api.answers |= {
        "GET /services?host=cmp1": (200, {"services": [{"id": 1}, {"id": 2}]}),
        "DELETE /services/1": (204, None),
        "DELETE /services/2": (409, {"error": "in use"}),
    }
    with pytest.raises(SystemExit, match="services/2: 409"):
        program.main(["--delete", "services", config, f"{api.url}/services?host=cmp1"])
    assert [what for what, _ in api.changes()] == ["DELETE /services/1", "DELETE /services/2"]


@pytest.mark.parametrize("words", [[], ["config"], ["--none", "key", "config"]])
def test_anything_else_is_answered_with_how_it_is_called(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="openstack-get CONFIG URL"):
        program.main(words)
