"""Boxes, labels and arrows as SVG. Lengths are pixels; text is 12 px unless it says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

#: Of a character of the drawings' typeface, on average and with some margin.
CHARACTER = 6.9
#: How much wider bold ones are.
BOLD = 1.1
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
        self._reach(x if anchor != "start" else x + wide(words, size, bold=bold), y + 4)
        weight = ' font-weight="600"' if bold else ""
        self._above.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{ink}" text-anchor="{anchor}"{weight}>'
            f"{escape(words)}</text>"
        )

    def arrow(self, stops: Sequence[tuple[float, float, float]]) -> None:
        """Down from the first stop to the last, in curves that leave and arrive upright. A stop: x, its top, its
        bottom; between the first and the last the arrow passes straight through."""
        x, _, y = stops[0]
        path = f"M{x:g} {y:g}"
        for i, (to, top, bottom) in enumerate(stops[1:], 2):
            last = i == len(stops)
            middle = (y + top) / 2
            path += f" C{x:g} {middle:g} {to:g} {middle:g} {to:g} {top - 5 if last else top:g}"
            path += "" if last else f" V{bottom:g}"
            x, y = to, bottom
        self._below.append(f'<path d="{path}" fill="none" stroke="{FAINT}" stroke-width="1.3" marker-end="url(#tip)"/>')

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


def wide(words: str, size: float = 12, *, bold: bool = False) -> float:
    return len(words) * CHARACTER * size / 12 * (BOLD if bold else 1.0)


def fitted(words: str, width: float, size: float = 12, *, bold: bool = False) -> str:
    """Cut in its middle so that it fits: names tell apart by their ends."""
    if wide(words, size, bold=bold) <= width:
        return words
    kept = max(2, int(width / wide("x", size, bold=bold)) - 1)
    return f"{words[: kept - kept // 2]}…{words[len(words) - kept // 2 :]}"
