"""Which lists a transaction uses: cycles between transactions must be possible, deadlocks must not."""

from __future__ import annotations

import itertools
from typing import Any

import pymysql
import pytest

from fournines.prove.load.attempt import Attempt
from fournines.prove.load.rows import AT_ONCE, BLOCKS, PER_BLOCK, WRITE, RegisterProbes, lists_of
from fournines.prove.load.spec import Database


def test_lists_are_always_locked_in_ascending_order_and_are_there() -> None:
    for number in range(3 * PER_BLOCK * BLOCKS):
        one, other = lists_of(number)
        assert 0 <= one < other < BLOCKS * AT_ONCE
    assert "ORDER BY id FOR UPDATE" in WRITE


def test_transactions_of_one_moment_share_one_list_or_both() -> None:
    """Two that append to the same two lists can be in opposite orders; with one list a transaction they could not."""
    pairs = [set(lists_of(n)) for n in range(PER_BLOCK)]
    shared = {len(a & b) for a, b in itertools.combinations(pairs, 2)}
    assert shared == {0, 1, 2}


def test_reads_stay_short() -> None:
    appended = [key for n in range(PER_BLOCK) for key in lists_of(n)]
    assert max(appended.count(key) for key in set(appended)) <= PER_BLOCK * 2 // AT_ONCE


async def test_a_register_that_is_not_there_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a restore of the database; an error of another kind stays one."""
    made, rows = list[str](), dict[int, str]()

    async def execute(_self: object, _attempt: Attempt, statement: str, args: tuple[Any, ...] = ()) -> Any:
        word = statement.split(maxsplit=1)[0]
        if "information_schema" in statement:
            return [(1,)] if made else []
        if word == "CREATE":
            made.append(statement)
        elif not made:
            raise pymysql.ProgrammingError(1146, "Table 'probe.watch' doesn't exist")
        elif word == "INSERT":
            rows.setdefault(1, "")
        elif word == "UPDATE":
            rows[1] = args[0]
        return [(rows[1],)] if word == "SELECT" else []

    monkeypatch.setattr(RegisterProbes, "_execute", execute)
    probes = RegisterProbes(Database("127.0.0.1", 3306, "probe", "secret", "probe", 1.0, 1.0))
    await probes.write_row(Attempt("fresh", 0.0, "w-1"))
    read = Attempt("kept", 0.0)
    await probes.read_row(read)
    assert (read.value, len(made)) == ("w-1", 1)

    await probes.start()
    assert len(made) == 1  # one that is there is not made again, which would be a warning of the database's
    assert rows == {1: "w-1"}

    async def broken(*_: object) -> Any:
        raise pymysql.ProgrammingError(1064, "syntax")

    monkeypatch.setattr(RegisterProbes, "_execute", broken)
    with pytest.raises(pymysql.ProgrammingError):
        await probes.read_row(read)
