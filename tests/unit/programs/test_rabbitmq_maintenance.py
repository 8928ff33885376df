from __future__ import annotations

from pathlib import Path

import pytest

from fournines.cloud import maintenance
from fournines.cloud.maintenance import Maintenance
from fournines.programs import rabbitmq_maintenance as program


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    commands: list[tuple[str, ...]] = []

    def record(*words: str) -> None:
        commands.append(words)

    monkeypatch.setattr(program, "tool", record)
    return commands


@pytest.mark.parametrize(
    ("said", "drained"),
    [
        (maintenance.dumps({"ctl1": Maintenance(True, "x", "2026-11-28T15:00:00Z")}), True),
        (maintenance.dumps({"ctl1": Maintenance(False, "x", "2026-11-28T15:00:00Z")}), False),
        (maintenance.dumps({"ctl2": Maintenance(True, "x", "2026-11-28T15:00:00Z")}), False),
        ("{", False),
        ("[]", False),
        ('{"ctl1": 1}', False),
    ],
)
def test_a_node_that_starts_is_drained_where_its_host_is(
    said: str, drained: bool, tmp_path: Path, ran: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "maintenance.json"
    path.write_text(said)
    assert program.wanted(path, "ctl1") is drained
    monkeypatch.setattr(program, "wanted", lambda: drained)
    monkeypatch.setattr("sys.argv", ["rabbitmq-maintenance", "boot"])
    program.main()
    assert [words[:2] for words in ran] == ([("rabbitmq-upgrade", "drain"), ("rabbitmqctl", "eval")] if drained else [])


def test_without_the_file_it_is_not(tmp_path: Path) -> None:
    assert not program.wanted(tmp_path / "none", "ctl1")


def test_revive(ran: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["rabbitmq-maintenance", "revive"])
    program.main()
    assert ran == [("rabbitmq-upgrade", "revive")]
