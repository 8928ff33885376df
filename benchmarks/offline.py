"""The plan of a cloud file of 10,000 hosts, without a connection."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figure import ROOT, Figure, fournines, measure

COMPUTES = 9_997


def figures() -> Iterable[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        cloud = Path(directory) / "cloud.yaml"
        text = (ROOT / "examples" / "three-controllers.yaml").read_text()
        text = text.replace("management: 198.18.0.0/24", "management: 198.18.0.0/18")
        text = text.replace("public: 198.18.1.0/24", "public: 198.19.0.0/24").replace("198.18.1.100", "198.19.0.100")
        computes = f"      cmp[0001-{COMPUTES}]: {{zone: rack1, address: 198.18.1.1+, roles: [compute]}}\n"
        cloud.write_text(text.rstrip() + "\n" + computes)
        yield measure("plan, 10,000 hosts", fournines("plan", str(cloud), "--offline"), target=10.0, runs=3)
