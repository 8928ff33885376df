"""The architecture document in Chromium: of 3, 30 and 300 hosts, every word of every drawing can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium import webdriver

from fournines.design.document import compose, html
from fournines.services import load
from samples.browser import asked_and_logged, contrast, emulate, luminance, style
from samples.clouds import tiered

pytestmark = pytest.mark.browser

EXAMPLES = Path(__file__).parents[2] / "examples"
CLOUDS = {
    3: (EXAMPLES / "three-controllers.yaml").read_text().replace("components: core", "components: full")
    .replace("networks:\n", "networks:\n      tenant: 198.18.2.0/24\n      external: 198.18.3.0/24\n"),
    30: tiered(regions=1, racks=4, computes=14),
    300: tiered(regions=2, racks=8, computes=134),
}  # fmt: skip

#: Of each drawing: texts that run into another or over the edge of the smallest box around their middle (at last the
#: drawing's own), and arrows through a text. Two pixels are a glyph's overhang.
COLLISIONS = """
const found = [];
for (const svg of document.querySelectorAll('figure svg')) {
  const name = svg.getAttribute('aria-label').slice(0, 60);
  const inner = r => ({left: r.left + 2, right: r.right - 2, top: r.top + 2, bottom: r.bottom - 2});
  const boxes = [...svg.querySelectorAll('rect')].map(r => r.getBoundingClientRect());
  const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, inner(t.getBoundingClientRect())]);
  texts.forEach(([words, t], i) => {
    const x = (t.left + t.right) / 2, y = (t.top + t.bottom) / 2;
    const around = boxes.filter(b => b.left <= x && x <= b.right && b.top <= y && y <= b.bottom && b.width > 20)
      .sort((a, b) => a.width * a.height - b.width * b.height)[0];
    if (!around || t.left < around.left || t.right > around.right || t.top < around.top || t.bottom > around.bottom)
      found.push(`${name}: "${words}" leaves its box`);
    for (const [other, o] of texts.slice(i + 1))
      if (t.left < o.right && o.left < t.right && t.top < o.bottom && o.top < t.bottom)
        found.push(`${name}: "${words}" runs into "${other}"`);
  });
  for (const path of svg.querySelectorAll('path[marker-end]')) {
    const toScreen = path.getScreenCTM(), long = path.getTotalLength();
    for (let at = 0; at <= long; at += 4) {
      const p = path.getPointAtLength(at).matrixTransform(toScreen);
      const hit = texts.find(([, t]) => t.left < p.x && p.x < t.right && t.top < p.y && p.y < t.bottom);
      if (hit) { found.push(`${name}: an arrow runs through "${hit[0]}"`); break; }
    }
  }
}
return found;
"""


@pytest.fixture(scope="module", params=CLOUDS, ids=lambda hosts: f"{hosts} hosts")
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("document")
    (directory / "cloud.yaml").write_text(CLOUDS[request.param])
    cloud = load(directory / "cloud.yaml")
    assert len(cloud.hosts) == request.param
    (directory / "index.html").write_text(html(compose(cloud)), encoding="utf-8")
    return (directory / "index.html").as_uri()


def test_asks_nobody_for_anything_and_logs_nothing(chrome: webdriver.Chrome, address: str) -> None:
    emulate(chrome)
    assert asked_and_logged(chrome, address) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(chrome: webdriver.Chrome, address: str, scheme: str) -> None:
    emulate(chrome, scheme=scheme)
    chrome.get(address)
    assert chrome.execute_script(COLLISIONS) == []
    paper = style(chrome, "body", "backgroundColor")
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    for selector in ("body", "header p", "nav a", "td", "figcaption"):
        assert contrast(style(chrome, selector, "color"), paper) >= 4.5, selector
    assert contrast(style(chrome, "th", "color"), style(chrome, "th", "backgroundColor")) >= 4.5
    fills = chrome.execute_script(
        "return [...document.querySelectorAll('svg text')].map(t => getComputedStyle(t).fill)"
    )
    assert min(contrast(fill, "rgb(214, 217, 242)") for fill in set(fills)) >= 4.5  # the darkest tint


@pytest.mark.parametrize("width", [360, 1280])
def test_fits_its_window(chrome: webdriver.Chrome, address: str, width: int) -> None:
    emulate(chrome, width=width)
    chrome.get(address)
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    sizes = "return [...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)"
    assert min(chrome.execute_script(sizes)) >= 11


def test_drawings_fit_the_paper(chrome: webdriver.Chrome, address: str) -> None:
    emulate(chrome, width=1031, scheme="dark", media="print")  # A4 landscape less its margins, at 96 dpi
    chrome.get(address)
    assert luminance(style(chrome, "body", "backgroundColor")) > 0.9
    wide = "return Math.max(...[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().right))"
    assert chrome.execute_script(wide) <= 1031
