"""What `design` predicts, held against a cloud that runs."""

from __future__ import annotations

import json
from pathlib import Path

from lab.conftest import Run, client, healthy


def test_every_formula_holds(cloud_file: Path, fournines: Run) -> None:
    healthy(cloud_file, fournines)
    client(cloud_file)("project", "list")
    rows = json.loads(fournines("design", "observe", "--json", cloud_file).stdout)["rows"]
    assert [row["what"] for row in rows if not row["holds"]] == []
    seen = {(row["where"], row["what"]): row["seen"] for row in rows}
    assert seen["one", "connections to the database, every pool full"] >= 1  # Keystone's, which close when idle
    assert all(0.2 < value < 8 for (_, what), value in seen.items() if what == "memory, GiB")
    assert sum(what == "memory, GiB" for _, what in seen) == 3
