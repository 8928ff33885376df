"""A campaign as JUnit's XML, for what shows test results: a test case a fault and function. Pure."""

from __future__ import annotations

import math
from collections import Counter
from xml.etree import ElementTree

from fournines.prove.matrix import WHOLE, Cell, Row, runs
from fournines.prove.model import Campaign
from fournines.prove.report_text import seconds

#: Characters that XML 1.0 cannot hold, however they are written.
_FORBIDDEN = dict.fromkeys(
    [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}"
)


def junit(campaign: Campaign) -> str:
    """`failure`: the verdict is fail. `skipped`: not measured, not judged, or unknown, with the reason. A case's time
    is its worst wait."""
    every = list(runs(campaign))
    root = ElementTree.Element(
        "testsuites", _counts([c for row in every for c in row.cells], f"fournines prove {campaign.clouds}")
    )
    for row in every:
        _suite(root, row, campaign)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, row: Row, campaign: Campaign) -> None:
    name = f"{row.fault}{campaign.on(row.subject)}" + (f", run {row.run}" if row.run > 1 else "")
    suite = ElementTree.SubElement(
        root, "testsuite", {**_counts(row.cells, name), "timestamp": campaign.started_at[:19]}
    )
    for cell in row.cells:
        _case(suite, name, cell)


def _case(suite: ElementTree.Element, fault: str, cell: Cell) -> None:
    what = "writes, audit and recovery" if cell.function == WHOLE else cell.function
    case = ElementTree.SubElement(suite, "testcase", {"classname": _text(fault), "name": what})
    why = _text("; ".join(cell.reasons))
    if cell.state == "fail":
        ElementTree.SubElement(case, "failure", {"message": why})
    elif cell.state != "pass":
        ElementTree.SubElement(case, "skipped", {"message": f"unknown: {why}" if cell.state == "unknown" else why})
    if math.isfinite(cell.worst_wait_s):
        case.set("time", f"{cell.worst_wait_s:.3f}")
        figures = f"worst wait {seconds(cell.worst_wait_s)}, degraded {seconds(cell.degraded_s)}"
        ElementTree.SubElement(case, "system-out").text = figures


def _counts(cells: list[Cell] | tuple[Cell, ...], name: str) -> dict[str, str]:
    states = Counter(c.state for c in cells)
    skipped = len(cells) - states["pass"] - states["fail"]
    counts = {"tests": len(cells), "failures": states["fail"], "errors": 0, "skipped": skipped}
    return {"name": _text(name), **{key: str(n) for key, n in counts.items()}}


def _text(of_hosts: str) -> str:
    """Whatever a host said, as characters that XML can hold."""
    return of_hosts.translate(_FORBIDDEN)
