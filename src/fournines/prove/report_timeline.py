"""Timelines: one lane a function, drawn as SVG that stretches to any width.

A lane has two storeys. Below: successes, as high as they were slow (log scale). Above: what failed (solid) and what
ended unknown (hollow). Behind both: degraded time, and darker the time in which no success came. So a lane reads
without colours, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fournines.prove.model import FaultResult, FunctionFigures, Series, Span
from fournines.prove.report_text import offset, plural, seconds

HEIGHT = 24
TROUBLE = 9  # height of the upper storey
COLUMNS = 200  # at most: more could not be told apart on a page
LEAD_S = 2.0  # shown before the injection, close up
CLOSE_UP_S = 8.0  # at least shown after it
BLINK_S = 0.5  # an outage so short does not widen the close-up
TICKS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Window:
    """What a panel shows, in campaign seconds."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start

    def percent(self, time: float) -> float:
        return round(100 * (time - self.start) / self.length, 3)

    def holds(self, time: float) -> bool:
        return self.start <= time <= self.end


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line: `kind` is inject, heal or redundant, `at` a percentage of the panel's width."""

    kind: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """One or more buckets side by side, drawn as one."""

    ok: int
    fail: int
    unknown: int
    max_ms: float


@dataclass(frozen=True, slots=True)
class Lane:
    """`data`: what the tooltip says of each column; `start` and `step` place them, in seconds from the injection."""

    function: str
    wait: str
    says: str
    svg: Markup
    start: float
    step: float
    data: str


@dataclass(frozen=True, slots=True)
class Tenure:
    """Who held a VIP: left edge and width as percentages. `clash`: more than one host served it."""

    at: float
    width: float
    holders: str
    clash: bool


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    lanes: tuple[Lane, ...]
    vips: tuple[tuple[str, tuple[Tenure, ...]], ...]
    idle: Markup
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    start: float  # seconds from the injection
    end: float


def panels(result: FaultResult) -> tuple[Panel, ...]:
    """The seconds around the injection close up, then the whole run; only the latter if that is short. Empty when
    nothing was recorded."""
    if not result.series:
        return ()
    whole = _whole(result)
    close = _close_up(result, whole)
    if close.length > 0.6 * whole.length:
        return (_panel("The whole run", result, whole),)
    return (_panel("Around the injection", result, close), _panel("The whole run", result, whole))


def _whole(result: FaultResult) -> Window:
    starts = [s.start for s in result.series]
    return Window(min(starts), max(s.start + s.width * len(s.ok) for s in result.series))


def _close_up(result: FaultResult, whole: Window) -> Window:
    """To a little after the end of the last outage worth the name that began before the heal; before redundancy was
    back, where nothing has to be healed."""
    until = result.healed if result.fault.duration else result.redundant or result.ended
    outages = (span for series in result.series for span in series.outages)
    struck = [end for begin, end in outages if result.injected <= begin < until and end - begin >= BLINK_S]
    after = max([CLOSE_UP_S, *(1.15 * (end - result.injected) for end in struck)])
    return Window(max(whole.start, result.injected - LEAD_S), min(whole.end, result.injected + after))


def _panel(title: str, result: FaultResult, window: Window) -> Panel:
    figures = {f.function: f for f in result.functions}
    lanes = tuple(
        _lane(s, figures[s.function], window, result.injected) for s in result.series if s.function in figures
    )
    return Panel(
        title=title,
        lanes=lanes,
        vips=tuple((vip, _tenures(vip, result, window)) for vip in dict.fromkeys(s.vip for s in result.vips)),
        idle=_idle(result.idle, window),
        marks=_marks(result, window),
        ticks=_ticks(window, result.injected),
        start=round(window.start - result.injected, 3),
        end=round(window.end - result.injected, 3),
    )


def _tenures(vip: str, result: FaultResult, window: Window) -> tuple[Tenure, ...]:
    seen = [s for s in result.vips if s.vip == vip]
    until = [*(s.at for s in seen[1:]), math.inf]
    return tuple(
        Tenure(
            at=window.percent(max(s.at, window.start)),
            width=round(100 * (min(end, window.end) - max(s.at, window.start)) / window.length, 3),
            holders=" + ".join(s.holders),
            clash=len(s.serving) > 1,
        )
        for s, end in zip(seen, until, strict=True)
        if s.holders and s.at < window.end and end > window.start
    )


def _idle(samples: Sequence[tuple[float, float]], window: Window) -> Markup:
    """The machine's idle share as an area; empty when it was not sampled."""
    inside = [(at, share) for at, share in samples if window.holds(at)]
    if len(inside) < 2:
        return Markup("")
    x = [window.percent(at) for at, _ in inside]
    line = "".join(f"L{a:.4g} {HEIGHT * (1 - share):.3g}" for a, (_, share) in zip(x, inside, strict=True))
    return Markup(
        '<svg viewBox="0 0 100 {h}" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="idle" d="M{left} {h}{line}L{right} {h}z"/></svg>'
    ).format(h=HEIGHT, left=f"{x[0]:.4g}", right=f"{x[-1]:.4g}", line=line)


def _marks(result: FaultResult, window: Window) -> tuple[Mark, ...]:
    moments = [("inject", result.injected, "inject")]
    if result.fault.duration:  # others heal by themselves
        moments.append(("heal", result.healed, "heal"))
    if result.redundant is not None:
        moments.append(("redundant", result.redundant, "redundant"))
    return tuple(
        Mark(kind, window.percent(at), f"{text} {offset(round(at - result.injected, 1))}")
        for kind, at, text in moments
        if window.holds(at)
    )


def _ticks(window: Window, origin: float) -> tuple[Tick, ...]:
    step = next((t for t in TICKS_S if window.length / t <= 9), TICKS_S[-1])
    first = math.ceil((window.start - origin) / step)
    last = math.floor((window.end - origin) / step)
    return tuple(Tick(window.percent(origin + n * step), offset(n * step)) for n in range(first, last + 1))


def _lane(series: Series, figures: FunctionFigures, window: Window, origin: float) -> Lane:
    first = max(0, math.floor((window.start - series.start) / series.width))
    last = min(len(series.ok), math.ceil((window.end - series.start) / series.width))
    # A column is never narrower than the time between two probes: else it would look as if every other one failed.
    group = max(1, math.ceil((last - first) / COLUMNS), round(figures.interval_s / series.width))
    columns = [_merge(series, i, min(i + group, last)) for i in range(first, last, group)]
    start, step = series.start + first * series.width, group * series.width
    return Lane(
        function=series.function,
        wait=seconds(figures.whole.worst_wait_s),
        says=_says(series, figures, origin),
        svg=_svg(columns, {"degraded": figures.whole.degraded, "outage": series.outages}, start, step, window),
        start=round(start - origin, 3),
        step=round(step, 3),
        data=";".join(_encode(c) for c in columns),
    )


def _merge(series: Series, begin: int, end: int) -> Column:
    return Column(
        ok=sum(series.ok[begin:end]),
        fail=sum(series.fail[begin:end]),
        unknown=sum(series.unknown[begin:end]),
        max_ms=max(series.max_ms[begin:end]),
    )


def _says(series: Series, figures: FunctionFigures, origin: float) -> str:
    """What the lane shows, for those who do not see it."""
    begin, end = series.gap
    span = f", from {offset(begin - origin)} to {offset(end - origin)}" if end > begin else ""
    seen = figures.whole
    return (
        f"{series.function.replace('_', ' ')}: worst wait {seconds(seen.worst_wait_s)}, degraded for "
        f"{seconds(seen.degraded_s)}, longest gap between successes {seconds(seen.longest_gap_s)}{span}. "
        f"{plural(seen.fail, 'request')} failed, {seen.unknown} unknown."
    )


def _encode(column: Column) -> str:
    """`` nothing was due · `12` one success in 12 ms · `3,1,0,950` successes, failures, unknowns, greatest ms."""
    counts = (column.ok, column.fail, column.unknown)
    if not any(counts):
        return ""
    latency = f"{column.max_ms:.0f}"
    return latency if counts == (1, 0, 0) else f"{column.ok},{column.fail},{column.unknown},{latency}"


def _svg(
    columns: Sequence[Column], shades: Mapping[str, Sequence[Span]], start: float, step: float, window: Window
) -> Markup:
    """One unit of x is a column. Shapes only: text would be stretched with them. `shades`: class -> spans."""
    left, width = (window.start - start) / step, window.length / step

    def shade(spans: Sequence[Span]) -> str:
        inside = [(max(a, window.start), min(b, window.end)) for a, b in spans if a < window.end and b > window.start]
        edges = [((a - start) / step, (b - start) / step) for a, b in inside]
        return "".join(f"M{a:.2f} 0h{b - a:.2f}v{HEIGHT}H{a:.2f}z" for a, b in edges)

    fail = _bars([c.fail > 0 for c in columns], 0, TROUBLE)
    unknown = _bars([c.unknown > 0 and not c.fail for c in columns], 0, 3) + _bars(
        [c.unknown > 0 and not c.fail for c in columns], TROUBLE - 3, 3
    )
    behind = [(kind, shade(spans)) for kind, spans in shades.items()]
    paths = [*behind, ("ok", _silhouette(columns)), ("fail", fail), ("unknown", unknown)]
    body = Markup("").join(Markup('<path class="{}" d="{}"/>').format(kind, d) for kind, d in paths if d)
    return Markup('<svg viewBox="{} 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>').format(
        f"{left:.3g}", f"{width:.5g}", HEIGHT, body
    )


def _silhouette(columns: Sequence[Column]) -> str:
    """The successes' skyline: `V` and `h` only, equal neighbours as one step."""
    steps: list[list[int]] = []
    for column in columns:
        top = HEIGHT - _height(column.max_ms) if column.ok else HEIGHT
        if steps and steps[-1][0] == top:
            steps[-1][1] += 1
        else:
            steps.append([top, 1])
    if all(top == HEIGHT for top, _ in steps):
        return ""
    return f"M0 {HEIGHT}" + "".join(f"V{top}h{run}" for top, run in steps) + f"V{HEIGHT}z"


def _height(ms: float) -> int:
    """1 ms and less: 2 of the lower storey's 14; 10 s and more: all of it."""
    return round(2 + 12 * min(1.0, max(0.0, math.log10(max(ms, 1.0)) / 4)))


def _bars(present: Sequence[bool], top: int, height: int) -> str:
    """Neighbours as one bar."""
    path: list[str] = []
    run = 0
    for x, here in enumerate([*present, False]):
        if here:
            run += 1
        elif run:
            path.append(f"M{x - run} {top}h{run}v{height}h-{run}z")
            run = 0
    return "".join(path)
