"""`check` on one change after the other to a sound cloud: `check_cases.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fournines.design import check_file

CLOUD = """\
cloud: acme
components: full
regions:
  phx:
    vips: {internal: 198.18.0.100, public: 198.18.1.100}
    networks: {management: 198.18.0.0/24, public: 198.18.1.0/24EXTRA}
    zones: {r1: {power: a, switch: s1}, r2: {power: b, switch: s2}, r3: {power: c, switch: s3}}
    hosts:
      c1: {zone: r1, address: 198.18.0.11, roles: [controller, compute]}
      c2: {zone: r2, address: 198.18.0.12, roles: [controller, compute]}
      c3: {zone: r3, address: 198.18.0.13, roles: [controller, compute]}
"""
CASES = YAML(typ="safe", pure=True).load(Path(__file__).with_name("check_cases.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_check_says(case: dict[str, Any], tmp_path: Path) -> None:
    text = CLOUD
    for old, new in {"EXTRA": "", **case.get("replace", {})}.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "cloud.yaml"
    path.write_text(text + case.get("after", "") + "\n")
    left = list(check_file(path)[1])
    for severity, where, *parts in case.get("says", []):
        found = [f for f in left if (f.severity, where in f.path) == (severity, True)
                 and all(p in f"{f.what}\n{f.why}\n{f.change}" for p in parts)]  # fmt: skip
        assert found, [(f.severity, f.path, f.what, f.change) for f in left]
        assert found[0].line > 1
        assert found[0].change
        left.remove(found[0])
    assert [(f.path, f.what) for f in left] == []
    assert not any("hunter2" in f"{f.what}{f.why}{f.change}" for f in check_file(path)[1])
