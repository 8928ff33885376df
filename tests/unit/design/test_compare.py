"""Two designs side by side."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli

THREE = (Path(__file__).parents[3] / "examples/three-controllers.yaml").read_text()
MORE = """\
      ctl4: {zone: rack4, address: 198.18.0.14, roles: [controller]}
      ctl5: {zone: rack5, address: 198.18.0.15, roles: [controller]}
"""


@pytest.fixture
def designs(tmp_path: Path) -> dict[str, Path]:
    zones = "    hosts:\n"
    five = THREE.replace(
        zones, f"      rack4: {{power: pdu-d, switch: tor-4}}\n      rack5: {{power: pdu-e, switch: tor-5}}\n{zones}"
    )
    texts = {
        "three": THREE,
        "five": five + MORE,
        "one-rack": re.sub(r"zone: rack\d, address", "zone: rack1, address", THREE),
        "slow": THREE.replace("profile: lan", "profile: kolla-22.2") + "design: {failures: {host: {mttf: 3y}}}\n",
    }  # fmt: skip
    files = {name: tmp_path / f"{name}.yaml" for name in texts}
    for name, text in texts.items():
        files[name].write_text(text)
    return files


def rows(designs: dict[str, Path], one: str, other: str) -> dict[tuple[str, str], tuple[str, str, str]]:
    words = ["design", "compare", "--json", str(designs[one]), str(designs[other])]
    output = CliRunner().invoke(cli, words, catch_exceptions=False).output
    return {(r["group"], r["name"]): (r["one"], r["other"], r["better"]) for r in json.loads(output)["rows"]}


def find(found: dict[tuple[str, str], tuple[str, str, str]], group: str, name: str) -> tuple[str, str, str]:
    (row,) = [v for (g, n), v in found.items() if g.startswith(group) and n.startswith(name)]
    return row


def test_three_against_five(designs: dict[str, Path]) -> None:
    found = rows(designs, "three", "five")
    assert find(found, "Cost", "hosts") == ("3", "5", "one")
    assert find(found, "Minutes", "authenticate")[2] == "other"
    assert find(found, "Smallest", "of 2")[1:] == ("0", "other")


def test_one_rack_against_three(designs: dict[str, Path]) -> None:
    found = rows(designs, "one-rack", "three")
    assert find(found, "Smallest", "single points of failure")[:2] == (
        "power feed pdu-a, zone rack1, switch tor-1", "none",
    )  # fmt: skip
    assert find(found, "Minutes", "authenticate")[2] == "other"


def test_choices_that_differ_are_named(designs: dict[str, Path]) -> None:
    found = rows(designs, "three", "slow")
    assert find(found, "Choices", "timing") == ("lan", "kolla-22.2", "")
    assert find(found, "Choices", "host fails")[:2] == ("after 1 y, for 4 h", "after 3 y, for 4 h")
    assert not [k for k in rows(designs, "three", "three") if k[0] == "Choices"]


def test_on_the_terminal(designs: dict[str, Path]) -> None:
    shown = CliRunner().invoke(cli, ["design", "compare", str(designs["three"]), str(designs["five"])])
    assert shown.exit_code == 0 and "three.yaml" in shown.output and "Minutes a year without" in shown.output
