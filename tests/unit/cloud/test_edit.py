"""Hosts written into a cloud file and taken out of it: what else stands there stays as it is."""

from __future__ import annotations

import pytest

from fournines.cloud import edit
from fournines.errors import CloudFileError

TEXT = """\
cloud: acme   # ours
regions:
  phx:
    hosts:
      ctl1: {zone: rack1, address: 198.18.0.11, roles: [controller]}  # the oldest
      # bought in May
      ctl2:
        zone: rack2
        address: 198.18.0.12
        roles:
          - controller

      # the spare
      ctl3: {zone: rack3, address: 198.18.0.13, roles: [controller]}
      cmp[1-3]: {zone: rack1, address: 198.18.0.21+, roles: [compute]}
services: {}
"""
ENTRY = "{zone: rack1, address: 198.18.0.14, roles: [controller]}"


def test_a_host_is_the_last_of_its_region() -> None:
    lines = edit.with_host(TEXT, "phx", "ctl4", ENTRY, "f").splitlines()
    where = lines.index(f"      ctl4: {ENTRY}")
    assert lines[where - 1].startswith("      cmp[1-3]")
    assert lines[where + 1] == "services: {}"
    assert [*lines[:where], *lines[where + 1 :]] == TEXT.splitlines()


def test_at_the_end_of_a_file_without_a_last_line_break() -> None:
    text = TEXT.partition("services")[0].rstrip("\n")
    assert edit.with_host(text, "phx", "ctl4", ENTRY, "f") == f"{text}\n      ctl4: {ENTRY}\n"


def test_its_entry_goes_and_the_comments_of_others_stay() -> None:
    without = edit.without_host(TEXT, "phx", "ctl2", "f")
    assert "198.18.0.12" not in without
    assert "# bought in May\n\n      # the spare\n      ctl3" in without
    assert edit.without_host(edit.with_host(TEXT, "phx", "ctl4", ENTRY, "f"), "phx", "ctl4", "f") == TEXT


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (TEXT, "cmp2", "no entry of its own"),
        ("regions: {phx: {hosts: {ctl1: {zone: a}, ctl2: {zone: b}}}}", "ctl1", "lines of their own"),
        ("regions:\n  phx:\n    hosts:\n      ctl1: {zone: a}\n", "ctl1", "the only host"),
    ],
)
def test_what_cannot_be_edited_is_said(text: str, name: str, said: str) -> None:
    with pytest.raises(CloudFileError, match=said) as caught:
        edit.without_host(text, "phx", name, "f")
    assert caught.value.next


REASONS = {"single-copy": "two are lost", "quorum-size": 'on the "way" back'}


def test_what_is_accepted_is_added_at_the_end() -> None:
    text = edit.with_accepted(TEXT.rstrip("\n"), REASONS, "f")
    assert text == TEXT + 'accept:\n  single-copy: "two are lost"\n  quorum-size: "on the \\"way\\" back"\n'
    assert edit.with_accepted(text, REASONS, "f") == text


def test_what_is_accepted_already_keeps_its_reason() -> None:
    text = f"accept:\n    single-copy: |\n      a reason\n      of two lines\n# ours\n{TEXT}"
    lines = edit.with_accepted(text, REASONS, "f").splitlines()
    assert lines[:6] == [*text.splitlines()[:4], '    quorum-size: "on the \\"way\\" back"', "# ours"]


def test_accepted_on_one_line_is_left_to_the_operator() -> None:
    with pytest.raises(CloudFileError, match="does not stand on lines of its own") as caught:
        edit.with_accepted(TEXT + "accept: {shared-power: one feed}\n", REASONS, "f")
    assert "single-copy: two are lost" in caught.value.next
