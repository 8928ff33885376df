"""Boxes, labels and arrows as SVG. Lengths are pixels; text is 12 px unless it says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

#: Of a character of the drawings' typeface, on average and with some margin.
CHARACTER = 6.9
INK, FAINT, LINE, PAPER = "#1f2933", "#52606d", "#9aa5b1", "#ffffff"
#: Fills that print, and that stay apart for those who see few colours (after Okabe and Ito), as light tints.
TINTS = ("#d6e9f8", "#fde8c8", "#d5efe3", "#f6d9e6", "#efe9b8", "#dfe3e8", "#f9d6c9", "#d9d6f2")


@dataclass(frozen=True)
class Rect:
    """Upper left corner, width, height."""

    x: float
    y: float
    w: float
    h: float


@dataclass
class Canvas:
    """Grows with what is put on it. `above`: drawn over everything else."""

    width: float = 0.0
    height: float = 0.0
    _below: list[str] = field(default_factory=list[str])
    _above: list[str] = field(default_factory=list[str])

    def box(self, at: Rect, fill: str = PAPER, stroke: str = LINE) -> None:
        self._reach(at.x + at.w, at.y + at.h)
        self._below.append(
            f'<rect x="{at.x:g}" y="{at.y:g}" width="{at.w:g}" height="{at.h:g}" rx="5" fill="{fill}" '
            f'stroke="{stroke}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 12,
        ink: str = INK,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """`y`: of the baseline."""
        self._reach(x if anchor != "start" else x + len(words) * CHARACTER * size / 12, y + 4)
        weight = ' font-weight="600"' if bold else ""
        self._above.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{ink}" text-anchor="{anchor}"{weight}>'
            f"{escape(words)}</text>"
        )

    def arrow(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Down from one box to another, in a curve that leaves and arrives upright."""
        (x1, y1), (x2, y2) = start, end
        middle = (y1 + y2) / 2
        self._below.append(
            f'<path d="M{x1:g} {y1:g} C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2 - 5:g}" fill="none" '
            f'stroke="{FAINT}" stroke-width="1.3" marker-end="url(#tip)"/>'
        )

    def _reach(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def svg(self, says: str) -> str:
        w, h = round(self.width + 12), round(self.height + 12)
        tip = (
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="6" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto">'
            f'<path d="M0 0L10 5L0 10z" fill="{FAINT}"/></marker></defs>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
            f'aria-label="{escape(says)}" font-family="system-ui, sans-serif">{tip}'
            f'<rect width="{w}" height="{h}" fill="{PAPER}"/>' + "".join(self._below + self._above) + "</svg>\n"
        )


def fitted(words: str, width: float, size: float = 12) -> str:
    """Cut so that it fits."""
    most = max(3, int(width / (CHARACTER * size / 12)))
    return words if len(words) <= most else words[: most - 1] + "…"
