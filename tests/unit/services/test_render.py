from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from fournines.services import render

_NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
_SECTIONS = st.dictionaries(
    _NAMES, st.dictionaries(_NAMES, st.integers() | st.booleans() | st.none(), max_size=4), max_size=4
)


def test_ini() -> None:
    ours = {"a": {"x": 1, "y": True, "many": ["p", "q"], "gone": None}}
    text = render.ini(ours, {"a": {"x": 2}, "b": {"z": False}})
    assert text == render.HEADER + "\n[a]\nx = 2\ny = true\nmany = p\nmany = q\n\n[b]\nz = false\n"


def test_the_words_for_true_and_false_are_the_formats_own() -> None:
    assert "y = ON\n" in render.ini({"a": {"y": True}}, {}, true="ON", false="OFF")


def test_flat() -> None:
    assert render.flat({"-l": "10.0.0.1", "-v": None}, {"": {"-m": 64}}, " ") == f"{render.HEADER}-l 10.0.0.1\n-m 64\n"


def test_stanzas() -> None:
    ours = {"defaults": {"mode": "http", "option x": True, "option y": True, "bind": ["a", "b"]}}
    text = render.stanzas(ours, {"defaults": {"option y": None, "mode": "tcp"}, "frontend own": {"option z": False}})
    assert text == render.HEADER + "\ndefaults\n    mode tcp\n    option x\n    bind a\n    bind b\n\nfrontend own\n"


def test_blocks() -> None:
    text = render.blocks({"vrrp_instance x": {"nopreempt": True, "unicast_peer": ["1", "2"], "left": None}}, {})
    assert text == (
        render.HEADER + "\nvrrp_instance x {\n    nopreempt\n    unicast_peer {\n        1\n        2\n    }\n}\n"
    )


@given(_SECTIONS, _SECTIONS)
def test_the_operators_options_win_and_nothing_else_is_lost(ours: render.Sections, theirs: render.Sections) -> None:
    merged = render.overlay(ours, theirs)
    for section, options in theirs.items():
        assert merged[section] == {**ours.get(section, {}), **options}
    for section in ours.keys() - theirs.keys():
        assert merged[section] == ours[section]


@given(_SECTIONS)
def test_none_removes(ours: render.Sections) -> None:
    nothing = {section: dict.fromkeys(options) for section, options in ours.items()}
    assert " = " not in render.ini(ours, nothing)


def test_a_variable_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render.template("rabbitmq/epmd.conf.j2")


@pytest.mark.parametrize(("seconds", "shown"), [(0.15, "150ms"), (1, "1000ms"), (0.0004, "0ms")])
def test_ms(seconds: float, shown: str) -> None:
    assert render.ms(seconds) == shown
