"""The program on the hosts, without nft or systemd: what is loaded, remembered, refused, undone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fournines.programs import firewall

RULES = "table inet fournines {\n    chain rules_abc {\n    }\n}\n"


class World:
    """Files of one host, what nft holds, and what was started."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("SETTINGS", "WANTED", "CONFIRMED", "OPERATORS"):
            monkeypatch.setattr(firewall, name, directory / name)
        monkeypatch.setattr(firewall, "nft", self._nft)
        monkeypatch.setattr(firewall.subprocess, "run", self._run)
        monkeypatch.setattr(firewall, "client", lambda: self.client)
        self.client = "198.18.0.5"
        self.loaded = ""
        self.refuses = False
        self.ran: list[str] = []
        firewall.WANTED.write_text(RULES)
        self.settings()

    def settings(self, *, learn: bool = True, ssh: tuple[str, ...] = ()) -> None:
        firewall.SETTINGS.write_text(json.dumps({"learn": learn, "ssh": ssh}))

    def _nft(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        if words[0] == "list":
            return subprocess.CompletedProcess(words, 0 if f"chain {words[-1]} " in self.loaded else 1, "", "")
        if self.refuses:
            return subprocess.CompletedProcess(words, 1, "", "syntax error")
        self.loaded = text
        return subprocess.CompletedProcess(words, 0, "", "")

    def _run(self, words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.ran.append(" ".join(words))
        return subprocess.CompletedProcess(words, 0, "", "")

    @property
    def armed(self) -> bool:
        """Whether the rules will be undone."""
        return bool(self.ran) and self.ran[-1].startswith("systemd-run")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_rules_stay_once_they_are_confirmed(world: World) -> None:
    assert firewall.check("abc") == "other rules"
    firewall.apply("abc")
    assert "chain rules_abc" in world.loaded
    assert "add element inet fournines operators { 198.18.0.5 }" in world.loaded
    assert world.armed
    assert firewall.check("abc") == "not confirmed"
    firewall.confirm("abc")
    assert not world.armed
    assert firewall.check("abc") == "ok"


def test_rules_that_were_not_confirmed_are_undone_and_not_loaded_at_boot(world: World) -> None:
    firewall.apply("abc")
    firewall.confirm("abc")
    firewall.WANTED.write_text(RULES.replace("abc", "def"))
    firewall.apply("def")
    firewall.undo()
    assert "chain rules_abc" in world.loaded
    with pytest.raises(SystemExit, match="Apply again"):
        firewall.confirm("def")
    firewall.main("load", "")
    assert "chain rules_abc" in world.loaded


def test_without_any_that_were_confirmed_there_are_none(world: World) -> None:
    firewall.apply("abc")
    firewall.undo()
    assert "chain" not in world.loaded
    firewall.main("load", "")
    assert "chain" not in world.loaded


def test_rules_that_nft_refuses_change_nothing(world: World) -> None:
    world.refuses = True
    with pytest.raises(SystemExit, match="syntax error"):
        firewall.apply("abc")
    assert not world.armed


def test_who_would_lock_himself_out_is_refused(world: World) -> None:
    world.settings(ssh=("10.0.0.0/8", "2001:db8::/32"))
    with pytest.raises(SystemExit, match=r"198\.18\.0\.5"):
        firewall.apply("abc")
    assert not world.loaded
    world.client = "10.1.2.3"
    firewall.apply("abc")
    assert world.loaded


def test_other_rules_than_those_of_the_plan_are_refused(world: World) -> None:
    with pytest.raises(SystemExit, match="other rules"):
        firewall.apply("def")


def test_operators_are_remembered_the_latest_ones(world: World) -> None:
    for n in range(firewall.MOST_OPERATORS + 2):
        world.client = f"198.18.0.{n}"
        firewall.learn()
    world.client = "198.18.0.5"
    firewall.learn()
    assert firewall.operators() == [
        "198.18.0.2",
        "198.18.0.3",
        "198.18.0.4",
        *(f"198.18.0.{n}" for n in (6, 7, 8, 9, 5)),
    ]


@pytest.mark.parametrize(("client", "learn"), [("198.18.0.5", False), ("2001:db8::1", True), ("", True)])
def test_nobody_is_remembered_where_the_file_says_who_they_are(world: World, client: str, learn: bool) -> None:
    world.settings(learn=learn)
    world.client = client
    firewall.learn()
    assert firewall.operators() == []
    firewall.apply("abc")
    firewall.confirm("abc")
    assert firewall.check("abc") == "ok"


def test_a_new_operator_is_a_change(world: World) -> None:
    firewall.apply("abc")
    firewall.confirm("abc")
    world.client = "198.18.0.6"
    assert firewall.check("abc") == "198.18.0.6 is a new operator"


def test_the_client_is_found_in_whichever_process_sshd_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo hides it from its children."""
    said = subprocess.check_output(
        ["env", "SSH_CONNECTION=198.18.0.7 1 198.18.0.1 22", "sh", "-c",
         "env -u SSH_CONNECTION python3 -c 'from fournines.programs.firewall import client; print(client())'; :"],
        text=True,
        env={"PYTHONPATH": str(Path(firewall.__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert said.strip() == "198.18.0.7"
