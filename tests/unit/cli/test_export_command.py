"""`fournines export`: what other tools take, and that the documents are in step with the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from fournines import lab
from fournines.cli.export import command
from fournines.cloud.model import Cloud
from fournines.errors import FourninesError
from fournines.services import load
from fournines.services.tls import ca_certificate

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(w) for w in words], catch_exceptions=False)


@pytest.mark.parametrize(
    ("words", "file"), [("schema", "cloud.schema.json"), ("reference", "cloud-file.md")], ids=["schema", "reference"]
)
def test_the_document_is_in_step_with_the_code(words: str, file: str) -> None:
    written = (ROOT / "docs" / file).read_text(encoding="utf-8")
    assert written == run(words).stdout, f"run: fournines export {words} > docs/{file}"


def test_every_service_has_a_page_that_is_in_step_with_it(tmp_path: Path) -> None:
    run("services", EXAMPLES / "full-cloud.yaml", tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    written = {path.name: path.read_text() for path in (ROOT / "docs/services").iterdir()}
    assert written == made, "run: fournines export services examples/full-cloud.yaml docs/services"


def test_the_runbook_is_in_step_with_the_alerts() -> None:
    names = ("monitored-cloud", "pacemaker-vip", "active-passive-two-nodes", "mariadb-replica")
    clouds = [EXAMPLES / f"{name}.yaml" for name in names]
    written = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    words = " ".join(f"examples/{c.name}" for c in clouds)
    assert written == run("alerts", *clouds).stdout, f"run: fournines export alerts {words} > docs/alerts.md"


def test_every_key_of_the_file_is_explained_or_named_after_its_part() -> None:
    schema = json.loads(run("schema").stdout)
    parts = {"top": schema, **schema["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, entry in part["properties"].items()
        if "description" not in entry and "$ref" not in entry and key != "regions"
    ]
    assert silent == []
    assert all(part["additionalProperties"] is False for part in parts.values())


@pytest.fixture
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    def unchanged(cloud: Cloud) -> Cloud:
        return cloud

    monkeypatch.setattr(lab, "access", unchanged)


@pytest.mark.usefixtures("no_lab")
def test_the_inventory_has_a_group_for_all_that_hosts_have_in_common() -> None:
    inventory = YAML(typ="safe").load(run("ansible-inventory", EXAMPLES / "racks-and-computes.yaml").stdout)["all"]
    assert len(inventory["hosts"]) == 163
    assert inventory["hosts"]["ctl1"] == {
        "ansible_host": "10.20.0.11",
        "ansible_user": "operator",
        "ansible_become": True,
        "ansible_ssh_private_key_file": str(Path.home() / ".ssh" / "harbour"),
    }
    groups = {name: set(group["hosts"]) for name, group in inventory["children"].items()}
    assert groups["role_controller"] == groups["service_mariadb"] == {"ctl1", "ctl2", "ctl3"}
    assert len(groups["zone_quay_a1"]) == 41
    assert len(groups["region_quay"]) == len(groups["service_agent"]) == 163


@pytest.mark.usefixtures("no_lab")
def test_the_inventory_carries_ports_and_known_hosts(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    text = (EXAMPLES / "three-controllers.yaml").read_text()
    path.write_text(text + "ssh: {port: 2222, known_hosts: /etc/hosts.pub}\n")
    host = YAML(typ="safe").load(run("ansible-inventory", path).stdout)["all"]["hosts"]["ctl1"]
    assert host["ansible_port"] == 2222
    assert host["ansible_ssh_common_args"] == "-o UserKnownHostsFile=/etc/hosts.pub"


def test_clouds_yaml_needs_an_administrator(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text((EXAMPLES / "three-controllers.yaml").read_text())
    with pytest.raises(FourninesError, match="no administrator yet"):
        run("clouds.yaml", path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cloud.yaml"]


def test_clouds_yaml_of_an_applied_cloud(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text((EXAMPLES / "three-controllers.yaml").read_text())
    cloud = load(path)
    password = cloud.secrets.get("keystone.admin")
    authority = ca_certificate(cloud)
    cloud.secrets.save()
    entry = YAML(typ="safe").load(run("clouds.yaml", path).stdout)["clouds"]["acme"]
    assert entry["auth"]["password"] == password
    assert entry["auth"]["auth_url"].startswith("https://198.18.1.100:5000")
    assert Path(entry["cacert"]).read_text() == authority
