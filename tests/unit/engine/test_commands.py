"""`plan` and `apply` as typed: what is asked, printed, saved and refused. The hosts are fakes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner, Result

from fournines import commands, lab, services
from fournines.cli import apply as apply_command
from fournines.cli import plan as plan_command
from fournines.cli import reach
from fournines.cloud.model import Cloud, Host
from fournines.commands import clouds
from fournines.engine.connect import Connected
from fournines.engine.fake import FakeHost
from fournines.errors import HostError, LockedError, PlanError, UsageError
from samples import toy

THREE = {"h1": ["db"], "h2": ["db"], "h3": ["db"]}


class Site:
    """A cloud, its fake hosts, and the command line that reaches them."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = directory / "toy.yaml"
        self.path.touch()
        self.cloud = toy.cloud(THREE, source=self.path)
        self.hosts = toy.world(self.cloud)
        self.content = "one"
        self.connections = 0
        for module in (plan_command, apply_command):
            monkeypatch.setattr(module, "load_cloud", self._load)
        for module in (plan_command, apply_command, commands.apply):
            monkeypatch.setattr(module, "require_valid", lambda cloud: None)
        monkeypatch.setattr(services, "registry", lambda: toy.registry(toy.Toy("db", self.content)))
        monkeypatch.setattr(commands.plan, "registry", lambda: toy.registry(toy.Toy("db", self.content)))
        for module in (commands.plan, commands.apply):
            monkeypatch.setattr(module, "connect", self._connect)
        monkeypatch.delenv("FOURNINES_SUDO_PASSWORD", raising=False)

    def _load(self, path: Path) -> Cloud:
        assert path == self.path
        return self.cloud

    @asynccontextmanager
    async def _connect(self, hosts: Iterable[Host], options: object = None) -> AsyncIterator[Connected]:
        self.connections += 1
        found = Connected()
        for host in hosts:
            if self.fake(host.name).unreachable:
                found.failures[host.name] = HostError(f"{host.name} does not answer", where=host.name)
            else:
                found[host.name] = self.fake(host.name)
        yield found

    def fake(self, name: str) -> FakeHost:
        return cast(FakeHost, self.hosts[name])

    def plan(self, *words: str | Path) -> Result:
        return CliRunner().invoke(plan_command.command, [str(self.path), *map(str, words)])

    def apply(self, *words: str | Path, target: Path | None = None) -> Result:
        return CliRunner().invoke(apply_command.command, [str(target or self.path), *map(str, words)])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def test_plan_then_apply_then_nothing(site: Site) -> None:
    assert site.plan("--exit-code").exit_code == 2
    done = site.apply("--yes")
    assert done.exit_code == 0, done.output
    assert "db 2/4 file:/etc/db/main" in done.stderr
    again = site.plan("--exit-code")
    assert (again.exit_code, again.stdout) == (0, "Nothing to change.\n")
    assert site.apply("--yes").stdout == "Nothing to change.\n"


def test_nobody_is_there_to_answer(site: Site) -> None:
    refused = site.apply()
    assert isinstance(refused.exception, UsageError)
    assert "--yes" in refused.exception.next
    assert site.connections == 0


def test_dry_run_changes_nothing(site: Site) -> None:
    done = site.apply("--dry-run")
    assert done.exit_code == 0
    assert "+ file:/etc/db/main" in done.stdout
    assert not site.fake("h1").files


def test_json_is_one_document_and_needs_yes(site: Site) -> None:
    assert isinstance(site.apply("--json").exception, UsageError)
    document = json.loads(site.apply("--json", "--yes").stdout)
    assert document["applied"] is True
    assert [stage["name"] for stage in document["stages"]] == ["remember", "db"]
    planned = json.loads(site.plan("--json").stdout)
    assert planned["empty"] is True


def test_no_colour_codes_off_a_terminal(site: Site) -> None:
    assert "\x1b" not in site.plan().output


def test_only_some_hosts(site: Site) -> None:
    assert site.apply("--yes", "--hosts", "h1,h3").exit_code == 0
    assert not site.fake("h2").files
    assert site.fake("h3").files


def test_a_host_that_does_not_exist(site: Site) -> None:
    refused = site.plan("--hosts", "h11")
    assert isinstance(refused.exception, UsageError)
    assert "did you mean h1?" in refused.exception.next


def test_plan_names_a_dead_host_and_goes_on(site: Site) -> None:
    site.fake("h2").unreachable = True
    done = site.plan()
    assert done.exit_code == 1
    assert "h2 does not answer" in done.stderr
    assert "[h1 h3]" in done.stdout
    assert "this plan leaves out h2" in done.stderr


def test_no_answer_is_not_nothing_to_change(site: Site) -> None:
    for name in THREE:
        site.fake(name).unreachable = True
    done = site.plan()
    assert isinstance(done.exception, HostError)
    assert "Nothing to change" not in done.output


def test_apply_changes_nothing_when_a_host_is_dead(site: Site) -> None:
    site.fake("h2").unreachable = True
    refused = site.apply("--yes")
    assert isinstance(refused.exception, HostError)
    assert not site.fake("h1").files


def test_offline_asks_no_host(site: Site) -> None:
    done = site.plan("--offline")
    assert done.exit_code == 0
    assert "db on 3 hosts" in done.stdout
    assert site.connections == 0


def test_a_saved_plan_is_carried_out_as_it_is(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "change.plan"
    assert site.plan("-o", saved).exit_code == 0
    assert saved.stat().st_mode & 0o7777 == 0o600
    site.content = "what the services would want today"
    done = site.apply("--yes", target=saved)
    assert done.exit_code == 0, done.output
    assert site.fake("h1").files["/etc/db/main"][0] == b"one h1\n"


def test_a_saved_plan_is_refused_when_the_world_moved(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "change.plan"
    site.plan("-o", saved)
    site.fake("h2").files["/etc/db/main"] = b"by hand\n", 0o644
    refused = site.apply("--yes", target=saved)
    assert isinstance(refused.exception, PlanError)
    assert not site.fake("h1").files


def test_a_saved_plan_is_for_all_its_hosts(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "change.plan"
    site.plan("-o", saved)
    assert isinstance(site.apply("--yes", "--hosts", "h1", target=saved).exception, UsageError)


def test_a_plan_made_offline_is_not_carried_out(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "change.plan"
    site.plan("--offline", "-o", saved)
    refused = site.apply("--yes", target=saved)
    assert isinstance(refused.exception, PlanError)
    assert "without asking" in refused.exception.what


def test_a_plan_for_hosts_that_the_cloud_file_dropped(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "change.plan"
    site.plan("-o", saved)
    site.cloud = toy.cloud({"h1": ["db"]}, source=site.path)
    refused = site.apply("--yes", target=saved)
    assert isinstance(refused.exception, PlanError)
    assert refused.exception.where == "h2, h3"


def test_a_run_that_another_holds_changes_nothing(site: Site) -> None:
    site.fake("h3").holder = "ann@desk"
    refused = site.apply("--yes")
    assert isinstance(refused.exception, LockedError)
    assert refused.exception.why == "ann@desk"
    assert not site.fake("h1").files


def test_secrets_are_saved_before_the_first_change(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(type(site.cloud.secrets), "save", lambda secrets: order.append("saved"))
    site.fake("h1").before_step = lambda host, step: order.append("changed")
    site.apply("--yes", "--hosts", "h1")
    assert order[0] == "saved"
    assert "changed" in order


def test_the_sudo_password_is_read_and_not_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURNINES_SUDO_PASSWORD", "hunter2")
    options = reach.reach_of({"hosts": "", "ask_sudo_password": False, "accept_new_host_keys": True}).ssh()
    assert options.sudo_password == "hunter2"
    assert options.accept_new_host_keys
    assert "hunter2" not in repr(options)


def test_a_lab_of_the_same_name_gives_the_way_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = toy.cloud(THREE)
    monkeypatch.setattr(clouds, "load", lambda path: made)
    monkeypatch.setattr(lab, "access", lambda cloud: toy.cloud({"x": []}) if cloud is made else cloud)
    assert [host.name for host in clouds.load_cloud(tmp_path).hosts] == ["x"]
