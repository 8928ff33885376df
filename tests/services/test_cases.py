"""What each service wants of a host, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fournines.services.resource import File
from samples import cases


@pytest.mark.parametrize("path", cases.CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_case(path: Path, tmp_path: Path) -> None:
    case = cases.read(path)
    cloud = case.cloud(tmp_path)
    resources = case.resources(cloud)
    if os.environ.get("FOURNINES_UPDATE_CASES"):
        case.update(resources)
    contents = {r.path: r.content for r in resources if isinstance(r, File)}
    assert cases.keys(resources) == case.document["resources"]
    for name, expected in case.document["files"].items():
        assert contents[name] == expected, name
    assert case.resources(cloud) == resources, "rendering twice gives the same"
