"""Debian's order of versions, against dpkg's own."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.services.debian import newer, order

VERSIONS = st.from_regex(r"([0-9]:)?[0-9]([0-9a-c.+~]|-[0-9a]){0,6}(-[0-9a~+.]{1,4})?", fullmatch=True)


@pytest.mark.parametrize(
    ("older", "than"),
    [
        ("1.6.38-1", "1.6.38-1+deb13u1"),
        ("1.0~rc1-1", "1.0-1"),
        ("1.9", "1.10"),
        ("2:1.0", "10:0.1"),
        ("1.0-1", "1:0.5-1"),
        ("1.0", "1.0-0.1"),
        ("1.2", "1.2a"),
        ("1.2a", "1.2+"),
    ],
)
def test_which_is_newer(older: str, than: str) -> None:
    assert newer(than, older)
    assert not newer(older, than)
    assert not newer(older, older)


def test_what_is_no_version_raises_nothing() -> None:
    assert order("") < order("absent")


@pytest.mark.skipif(not shutil.which("dpkg"), reason="asks dpkg")
@settings(max_examples=60, deadline=None)
@given(one=VERSIONS, other=VERSIONS)
def test_dpkg_has_the_same_order(one: str, other: str) -> None:
    words = ["dpkg", "--compare-versions", one, "gt", other]
    assert newer(one, other) == (subprocess.run(words, check=False, capture_output=True).returncode == 0)
