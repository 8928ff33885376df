"""Which lists a transaction uses: cycles between transactions must be possible, deadlocks must not."""

from __future__ import annotations

import itertools

from fournines.prove.load.rows import AT_ONCE, BLOCKS, PER_BLOCK, WRITE, lists_of


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
