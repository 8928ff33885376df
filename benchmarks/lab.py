"""The way of `make demo`: image, lab, first apply, and apply again with nothing to change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figure import ROOT, Figure, fournines, measure


def figures() -> Iterable[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        cloud = Path(directory) / "cloud.yaml"
        text = (ROOT / "examples" / "three-controllers.yaml").read_text().replace("cloud: acme", "cloud: benchmark")
        # A network of its own: the lab of the example may be up.
        cloud.write_text(text.replace("198.18.0.", "198.18.250.").replace("198.18.1.", "198.18.251."))
        try:
            yield measure("image build", fournines("lab", "image", "--rebuild"), target=None)
            yield measure("lab up, 3 hosts", fournines("lab", "up", str(cloud)), target=None)
            yield measure("first apply, 3 hosts", fournines("apply", str(cloud), "--yes"), target=None)
            yield measure("nothing to change, 3 hosts", fournines("apply", str(cloud), "--yes"), target=2.0, runs=5)
        finally:
            measure("lab down", fournines("lab", "down", "benchmark"))
