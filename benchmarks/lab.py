"""The way of `make demo`: image, lab, first apply, and apply again with nothing to change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figure import ROOT, Figure, fournines, measure


def figures() -> Iterable[Figure]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:  # an image is too big for a /tmp in memory
        cloud = Path(directory) / "cloud.yaml"
        text = (ROOT / "examples" / "three-controllers.yaml").read_text().replace("cloud: acme", "cloud: benchmark")
        # A network of its own: the lab of the example may be up.
        cloud.write_text(text.replace("198.18.0.", "198.18.250.").replace("198.18.1.", "198.18.251."))
        try:
            elsewhere = ["env", f"FOURNINES_HOME={directory}/home"]  # the machine's own image may be in use
            yield measure("image build", [*elsewhere, *fournines("lab", "image", str(cloud))], target=None)
            yield measure("lab up, 3 hosts", fournines("lab", "up", str(cloud)), target=None)
            yield measure("first apply, 3 hosts", fournines("apply", str(cloud), "--yes"), target=None)
            yield measure("nothing to change, 3 hosts", fournines("apply", str(cloud), "--yes"), target=2.0, runs=5)
        finally:
            measure("lab down", fournines("lab", "down", "benchmark"))
