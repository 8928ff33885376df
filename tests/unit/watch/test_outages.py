"""What begins and what ends, from the seconds of all functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from fournines.watch.outages import CALM_S, Began, Ended, Judged, Out, Outages, Transition, Well
from fournines.watch.seconds import State

KEYS = (("validate", "fresh"), ("validate", "kept"), ("publish", "kept"))
_STATES: Mapping[str, State] = {"g": "good", "b": "bad", "u": "unknown"}


def run(*seconds: str) -> list[Transition]:
    """A word a second, a letter a key."""
    outages = Outages(KEYS)
    found: list[Transition] = []
    for second, word in enumerate(seconds):
        for key, letter in zip(KEYS, word, strict=True):
            found += outages.see(key, second, _STATES[letter])
    found += outages.stop()
    return [t for t in found if not isinstance(t, Judged)]


WELL = ["ggg"] * (CALM_S + 1)


def test_an_outage_of_one_kind_of_connection() -> None:
    assert run(*WELL, "gbg", "gbg", *WELL) == [
        Began(11),
        Out(("validate", "kept"), 11),
        Well(("validate", "kept"), 11, 13),
        Ended(11, 13, {"validate": 2}, {}),
    ]


def test_functions_that_go_out_together_are_one_incident() -> None:
    found = run(*WELL, "bbg", "bbb", "ggb", *WELL)
    assert [t for t in found if isinstance(t, (Began, Ended))] == [
        Began(11),
        Ended(11, 14, {"validate": 2, "publish": 2}, {}),
    ]


def test_what_goes_out_again_while_a_host_comes_back_is_the_same_incident() -> None:
    found = run(*WELL, "bgg", *["ggg"] * (CALM_S - 2), "ggb", *WELL)
    assert len([t for t in found if isinstance(t, Began)]) == 1
    assert len([t for t in run(*WELL, "bgg", *WELL, "ggb", *WELL) if isinstance(t, Began)]) == 2


def test_unknown_seconds_end_nothing() -> None:
    found = run(*WELL, "bgg", "ugg", "ugg", "bgg", *WELL)
    assert found[-1] == Ended(11, 15, {"validate": 2}, {"validate": 2})


def test_a_watch_that_stops_ends_what_goes_on() -> None:
    assert run(*WELL, "bgg")[-2:] == [Well(("validate", "fresh"), 11, 12), Ended(11, 12, {"validate": 1}, {})]


@given(st.lists(st.text(alphabet="gbu", min_size=3, max_size=3), max_size=60))
def test_every_second_is_counted_once_and_every_begin_has_its_end(words: Sequence[str]) -> None:
    outages = Outages(KEYS)
    found: list[Transition] = []
    for second, word in enumerate(words):
        for key, letter in zip(KEYS, word, strict=True):
            found += outages.see(key, second, _STATES[letter])
    found += outages.stop()
    judged = [(t.function, t.second) for t in found if isinstance(t, Judged)]
    assert sorted(judged) == sorted((f, s) for s in range(len(words)) for f in ("validate", "publish"))
    whole = [t for t in found if isinstance(t, (Began, Ended))]
    assert [type(t) for t in whole] == [Began, Ended] * (len(whole) // 2)
    single = [t for t in found if isinstance(t, (Out, Well))]
    for key in KEYS:
        own = [t for t in single if t.key == key]
        assert [type(t) for t in own] == [Out, Well] * (len(own) // 2)
    bad = sum(1 for t in found if isinstance(t, Judged) and t.state == "bad")
    assert sum(sum(t.bad.values()) for t in found if isinstance(t, Ended)) == bad
