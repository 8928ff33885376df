from __future__ import annotations

import pytest

from fournines.cloud import maintenance
from fournines.cloud.maintenance import Maintenance

NEW, OLD = "2026-11-28T15:00:01Z", "2026-11-28T15:00:00Z"
DRAINED = Maintenance(True, "new disks: “§”", OLD, "boot")


def test_it_is_read_as_it_was_written() -> None:
    entries = {"ctl2": DRAINED, "ctl1": Maintenance(False, "", NEW)}
    assert maintenance.parse(maintenance.dumps(entries)) == entries
    assert list(maintenance.parse(maintenance.dumps(entries))) == ["ctl1", "ctl2"]


def test_keys_of_another_release_are_ignored() -> None:
    said = f'{{"ctl1": {{"drained": true, "reason": "x", "since": "{OLD}", "later": 1}}}}'
    assert maintenance.parse(said) == {"ctl1": Maintenance(True, "x", OLD)}


@pytest.mark.parametrize("text", ["", "[]", "1", '{"ctl1": 1}', '{"ctl1": {"drained": true}}', '{"ctl1": [true]}'])
def test_what_is_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        maintenance.parse(text)


def test_of_several_copies_the_newest_entry_counts() -> None:
    undrained = Maintenance(False, "new disks", NEW)
    for copies in ([{"ctl1": DRAINED}, {"ctl1": undrained}, {}], [{"ctl1": undrained}, {"ctl1": DRAINED}]):
        assert maintenance.newest(copies) == {"ctl1": undrained}
