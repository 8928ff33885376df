"""The architecture document: everything is in it, drawings are well formed and nothing in them collides."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.cloud.model import Cloud
from fournines.design.document import Document, compose, html, markdown
from fournines.design.document.parts import Table
from fournines.services import load

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = ["three-controllers", "dedicated-tiers", "racks-and-computes"]
SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]


@pytest.fixture(scope="module", params=NAMES)
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return load(EXAMPLES / f"{request.param}.yaml")


@pytest.fixture(scope="module")
def document(cloud: Cloud) -> Document:
    return compose(cloud)


def test_every_host_service_and_network_is_in_it(cloud: Cloud, document: Document) -> None:
    page, text = html(document), markdown(document)
    for region in cloud.regions.values():
        assert region.name in page and region.name in text
        for network in region.networks.values():
            assert str(network.cidr) in page and str(network.cidr) in text
    for name in {s for h in cloud.hosts for s in h.services}:
        assert name in page and name in text
    for host in (h for h in cloud.hosts if "compute" not in h.roles):
        assert host.name in page


def test_the_page_opens_offline(document: Document) -> None:
    page = html(document)
    assert not re.findall(r"""(?:src|href)=["']?(?!#)\w""", page)
    assert "default-src 'none'" in page
    assert page.count("<svg") == len(document.drawings) >= 3


def test_tables_are_whole(document: Document) -> None:
    for table in (p for s in document.sections for p in s.parts if isinstance(p, Table)):
        assert {len(row) for row in table.rows} <= {len(table.columns)}
        assert all(column < len(table.columns) for column in table.right)


def test_markdown_points_at_its_drawings(document: Document) -> None:
    linked = set(re.findall(r"\]\(([^)]+)\.svg\)", markdown(document)))
    assert linked == {d.name for d in document.drawings}


def test_boxes_hold_one_another_or_stay_apart(document: Document) -> None:
    for drawing in document.drawings:
        root = ET.fromstring(drawing.svg)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        boxes = [_box(r) for r in root.iter(f"{SVG}rect") if "stroke" in r.attrib]
        assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
        for a, b in combinations(boxes, 2):
            pile = abs(a[0] - b[0]) <= 4 and abs(a[1] - b[1]) <= 3
            assert pile or _inside(a, b) or _inside(b, a) or _apart(a, b), (drawing.name, a, b)


def test_texts_do_not_run_into_one_another(document: Document) -> None:
    for drawing in document.drawings:
        root = ET.fromstring(drawing.svg)
        width = float(root.attrib["width"])
        lines: dict[float, list[tuple[float, float]]] = {}
        for text in root.iter(f"{SVG}text"):
            size, words = float(text.attrib["font-size"]), text.text or ""
            long = len(words) * 5.6 * size / 12  # a plain character; bold ones are shorter names
            left = float(text.attrib["x"]) - (long / 2 if text.attrib["text-anchor"] == "middle" else 0)
            lines.setdefault(float(text.attrib["y"]), []).append((left, left + long))
        for spans in lines.values():
            spans.sort()
            assert all(a[1] <= b[0] for a, b in pairwise(spans)), drawing.name
            assert spans[-1][1] <= width


def _box(rect: ET.Element) -> Box:
    x, y, w, h = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
    return x, y, w, h


def _inside(a: Box, b: Box) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[0] + a[2] <= b[0] + b[2] and a[1] + a[3] <= b[1] + b[3]


def _apart(a: Box, b: Box) -> bool:
    return a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]


def test_a_weak_design_is_called_one(tmp_path: Path) -> None:
    text = (EXAMPLES / "three-controllers.yaml").read_text()
    weak = re.sub(r"zone: rack\d, address", "zone: rack1, address", text) + "design: {target: 99.999}\n"
    (tmp_path / "cloud.yaml").write_text(weak)
    page = html(compose(load(tmp_path / "cloud.yaml")))
    assert "Single points of failure" in page and "The target is missed by authenticate in phx" in page


def test_the_same_cloud_gives_the_same_document(tmp_path: Path) -> None:
    """So that a review sees what has changed."""
    written: list[dict[str, str]] = []
    for seed in ("1", "2"):
        argv = [str(Path(sys.executable).with_name("fournines")), "design", "document"]
        argv += [str(EXAMPLES / "three-controllers.yaml"), "-o", str(tmp_path / seed)]
        subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
        written.append({path.name: path.read_text() for path in (tmp_path / seed).iterdir()})
    assert written[0] == written[1]


def test_the_command(tmp_path: Path) -> None:
    words = ["design", "document", str(EXAMPLES / "three-controllers.yaml"), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.output.strip() == str(tmp_path / "out/index.html")
    written = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"index.html", "index.md", "physical-phx.svg", "logical-phx.svg"} <= written
    (tmp_path / "taken").write_text("")
    refused = CliRunner().invoke(cli, [*words[:-1], str(tmp_path / "taken")])
    assert "cannot be written" in str(refused.exception)
