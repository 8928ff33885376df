"""The container of images: made as Glance's own account, which is written as glance_store reads it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fournines.cloud.secrets import Secret
from fournines.programs import glance_container as program
from fournines.services import quoting


@pytest.mark.parametrize("password", ["secret", "100%", "'quoted'", '"', "it's"])
def test_it_is_made_as_glances_account(password: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account, settings = tmp_path / "glance-swift.conf", tmp_path / "settings.json"
    account.write_text(
        f"[internal]\nuser = service:glance\nkey = {quoting.glance_reference(Secret(password, 'glance.keystone'))}\n"
        "user_domain_name = Default\n"
        "project_domain_name = Default\nauth_version = 3\nauth_address = https://198.18.0.100:5000/v3\n"
    )
    wanted = {"account": str(account), "reference": "internal", "region": "phx", "container": "glance"}
    settings.write_text(json.dumps(wanted))
    made: list[Any] = []

    class Connection:
        def __init__(self, **arguments: Any) -> None:
            made.append(arguments)

        def put_container(self, name: str) -> None:
            made.append(name)

    monkeypatch.setattr(program, "SETTINGS", settings)
    monkeypatch.setitem(sys.modules, "swiftclient", SimpleNamespace(Connection=Connection))
    program.main()
    login, container = made
    assert container == "glance"
    assert (login["authurl"], login["tenant_name"]) == ("https://198.18.0.100:5000/v3", "service")
    assert (login["user"], login["key"]) == ("glance", password)
    assert login["os_options"]["region_name"] == "phx"
    assert login["os_options"]["endpoint_type"] == "internalURL"
