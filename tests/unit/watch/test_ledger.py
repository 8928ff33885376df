"""Seconds that are kept: what is counted, for how long, and what a crash may cost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fournines.watch.availability import YEAR_S, measured
from fournines.watch.ledger import DAY_S, KEPT_DAYS, KEPT_MINUTES_DAYS, Counts, Ledger, append, read
from fournines.watch.seconds import State

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()


def fill(ledger: Ledger, start: float, states: str, function: str = "validate") -> None:
    words: dict[str, State] = {"g": "good", "b": "bad", "u": "unknown"}
    for n, letter in enumerate(states):
        ledger.add(start + n, function, words[letter])
    ledger.flush(start + len(states), force=True)


def test_seconds_add_up_over_several_writings(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, NOON, "ggbbu")
    fill(ledger, NOON + 5, "ggg")
    assert ledger.since(NOON - 60, NOON + 60) == {"validate": Counts(5, 2, 1)}
    assert ledger.since(NOON + 600, NOON + 1200) == {}


def test_while_something_is_out_it_is_written_soon(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.flush(NOON)
    ledger.add(NOON, "validate", "good")
    ledger.flush(NOON, force=True)
    ledger.add(NOON + 1, "validate", "good")
    ledger.flush(NOON + 6)
    assert ledger.since(0, NOON + 60)["validate"] == Counts(1)
    ledger.add(NOON + 2, "validate", "bad")
    ledger.flush(NOON + 6)
    assert ledger.since(0, NOON + 60)["validate"] == Counts(2, 1)


@pytest.mark.parametrize("kept", range(40))
def test_a_crash_at_any_byte_costs_one_line(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.jsonl"
    append(path, {"n": 1})
    whole = path.stat().st_size
    append(path, {"n": 2, "text": "x" * 20})
    with path.open("r+b") as file:
        file.truncate(min(whole + kept, path.stat().st_size))
    append(path, {"n": 3})
    numbers = [line["n"] for line in read(path)]
    assert numbers in ([1, 3], [1, 2, 3])


def test_days_become_a_line_and_old_ones_go(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for days in (KEPT_DAYS + 1, 300, KEPT_MINUTES_DAYS + 1, 3, 0):
        fill(ledger, NOON - days * DAY_S, "gggb")
    before = ledger.since(NOON - YEAR_S, NOON + 60)
    ledger.fold(NOON)
    ledger.fold(NOON)  # again: nothing counts twice
    assert ledger.since(NOON - YEAR_S, NOON + 60) == before == {"validate": Counts(12, 4)}
    assert len(list((tmp_path / "minutes").iterdir())) == 2
    assert len(list(read(tmp_path / "days.jsonl"))) == 3


def test_figures(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, NOON, "g" * 3000 + "b" * 60 + "u" * 40 + "g" * 400)
    [found] = measured(ledger, NOON + 3500, {})
    assert found.percent == pytest.approx(100 * 3400 / 3460)
    assert (found.minutes, found.budget) == (1.0, pytest.approx(52.56))
    assert found.burn["1 h"] == pytest.approx(60 / 3460 / 0.0001)
    [found] = measured(ledger, NOON + 3500 + 2 * 86_400, {"validate": 99.9})
    assert found.burn["1 h"] is None
    assert found.burn["3 d"] == pytest.approx(60 / 3460 / 0.001)
    assert found.seconds.unknown == 2 * 86_400 + 40
    assert found.budget == pytest.approx(525.6)


def test_where_nobody_watched_there_are_no_figures(tmp_path: Path) -> None:
    assert measured(Ledger(tmp_path), NOON, {}) == ()
