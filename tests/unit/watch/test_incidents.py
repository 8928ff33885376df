"""Incidents on disk: nothing that was written is lost, and what is kept is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.logs.collect import Journal, Logs
from fournines.logs.entries import Entry
from fournines.watch import incidents
from fournines.watch.incidents import Incidents, NoSuchIncidentError, entries_of, kept, logs_line

AT = 1_795_835_524.0  # 2026-11-28T03:12:04Z


@pytest.fixture
def store(tmp_path: Path) -> Incidents:
    made = Incidents(tmp_path)
    id = made.begin(AT, "phx", "acme")
    made.note(id, AT, "out", function="validate", connection="fresh")
    made.note(id, AT, "agents", sentence="acme does not serve the VIP: 1 problem.", problems=[])
    made.note(id, AT + 4, "ended", interrupted=False, bad={"validate": 4}, unknown={}, figures=None)
    return made


def test_an_incident_is_what_was_noted(store: Incidents) -> None:
    [found] = store.all()
    assert (found.began, found.ended, found.functions, found.bad) == (AT, AT + 4, ("validate",), {"validate": 4})
    assert found.sentence == "acme does not serve the VIP: 1 problem."
    assert store.begin(AT, "phx", "acme") == f"{found.id}-2"


def test_a_moment_finds_it_to_the_minute(store: Incidents) -> None:
    assert store.at(AT + 2) and store.at(AT - 4) and store.at(AT + 50)
    assert store.at(AT + 3600) is None
    with pytest.raises(NoSuchIncidentError):
        store.require("20200101T000000Z")
    for name in ("../now", ".", "", "x/y"):
        assert store.find(name) is None


def test_a_kill_at_any_byte_loses_at_most_the_last_line(store: Incidents, tmp_path: Path) -> None:
    [path] = (tmp_path / "incidents").iterdir()
    whole, lines = path.read_bytes(), len(store.all()[0].lines)
    for length in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:length])
        cut = store.find(path.stem)
        assert cut is not None
        complete = whole[:length].count(b"\n")
        assert complete <= len(cut.lines) <= complete + 1
        assert list(cut.lines) == list(store.find(path.stem).lines)[: len(cut.lines)]  # type: ignore[union-attr]
        store.note(path.stem, AT + 9, "well", function="validate", connection="fresh", lasted_s=4)
        assert store.find(path.stem).lines[-1]["at"] == AT + 9  # type: ignore[union-attr]
    assert lines == 4


def test_the_oldest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Incidents(tmp_path)
    for n in range(6):
        store.begin(AT + n, "phx", "acme")
    monkeypatch.setattr(incidents, "MOST_INCIDENTS", 3)
    store.prune()
    assert [i.began for i in store.all()] == [AT + 5, AT + 4, AT + 3]
    monkeypatch.setattr(incidents, "MOST_BYTES", 10)
    store.prune()
    assert [i.began for i in store.all()] == [AT + 5]  # never the newest


def entry(at: float, level: str = "INFO", text: str = "x") -> Entry:
    return Entry(at, "ctl1", "keystone", level, text)


def test_errors_and_what_is_near_are_kept_of_logs_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents, "MOST_LOG_BYTES", 81 * 4)
    every = [entry(n) for n in range(100)] + [entry(1, "ERROR"), entry(99, "WARNING")]
    found, left = kept(every, about=50.0)
    assert [(e.time, e.level) for e in found] == [(1, "ERROR"), (49, "INFO"), (50, "INFO"), (99, "WARNING")]
    assert left == 98


def test_logs_come_back_as_they_were(store: Incidents) -> None:
    [listed] = store.all()
    logs = Logs((Journal("ctl1", (entry(AT, "ERROR", "lost\x1b[2J"),), AT - 100, 0.0, cut=False),))
    store.note(listed.id, AT + 60, "logs", **logs_line(logs, AT - 30, AT + 30, about=AT))
    found = store.find(listed.id)
    assert found and entries_of(found) == [entry(AT, "ERROR", "lost\x1b[2J")]
    assert store.all()[0].of("logs") == []  # a list does not read them
