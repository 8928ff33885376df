"""What a cloud takes, held against what is predicted of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fournines.design.capacity import BUS, DATABASE, SESSIONS, footprint
from fournines.design.usage import Usage, compared
from fournines.services import load
from fournines.services.rendered import Size

FULL = load(Path(__file__).parents[3] / "examples/full-cloud.yaml")
SIZE = Size(2, 24.0)
#: Of a lab at rest; ctl1 holds the VIP and the writer.
SEEN = (
    Usage("ctl1", SIZE, 6.42, (137, 161), 76, (135, 160)),
    Usage("ctl2", SIZE, 5.46, (1, 3), 75, (0, 12)),
    Usage("ctl3", SIZE, 6.41, (1, 3), 75, (0, 0)),
)


def test_every_quantity_that_hosts_show_is_compared() -> None:
    found = {(c.where, c.what): c for c in compared(FULL, SEEN)}
    assert set(found) == {
        *(("phx", what) for what in (DATABASE, SESSIONS, BUS)),
        *((name, "memory, GiB") for name in ("ctl1", "ctl2", "ctl3")),
    }
    assert (found["phx", DATABASE].seen, found["phx", DATABASE].peak) == (137, 161)  # the writer's alone
    assert (found["phx", SESSIONS].seen, found["phx", SESSIONS].peak) == (135, 160)  # the VIP holder's
    assert found["phx", BUS].seen == 226  # of all brokers
    assert all(c.holds for c in found.values())


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"resident": 7.5}, "memory, GiB"),
        ({"database": (10, 3000)}, DATABASE),
        ({"bus": 150}, BUS),
        ({"sessions": (3000, 3000)}, SESSIONS),
    ],
)
def test_a_formula_that_predicts_less_than_is_seen_does_not_hold(more: dict[str, Any], what: str) -> None:
    busy = (replace(SEEN[0], **more), *SEEN[1:])
    assert [c.what for c in compared(FULL, busy) if not c.holds] == [what]


def test_memory_is_predicted_for_the_size_that_a_host_has() -> None:
    large = replace(SEEN[0], size=Size(16, 64.0))
    predicted = next(c for c in compared(FULL, (large, *SEEN[1:])) if c.where == "ctl1").predicted
    assert predicted == footprint(FULL, FULL.host_by_name["ctl1"], large.size).memory > 10
