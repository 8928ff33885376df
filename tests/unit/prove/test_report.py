"""The report is a pure function: what must be in it, what must never be, whatever the hosts said."""

from __future__ import annotations

import dataclasses
import math
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.prove import report_text
from fournines.prove.model import Campaign, Fault, FaultResult, Finding, Series, Sighting, Subject, Writes
from fournines.prove.pass_marks import worst_gap
from fournines.prove.report import render
from fournines.prove.report_table import table
from fournines.prove.report_timeline import COLUMNS, panels
from fournines.prove.report_view import Scale, view
from samples.campaign import OWN, PEER, campaign

VOID = {"meta", "link", "br", "img", "path"}
URLS = {"src", "href", "action", "data", "poster", "srcset", "xlink:href"}


class Page(HTMLParser):
    """Text, ids, links and the nesting of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.ids, self.urls, self.open, self.problems = "", set(), [], [], []
        self.feed(html)
        self.problems += [f"unclosed {tag}" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.add(value)
            if name in URLS:
                self.urls.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> out of place at {self.getpos()}")

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data


@pytest.fixture(scope="module")
def sample() -> Campaign:
    return campaign()


@pytest.fixture(scope="module")
def page(sample: Campaign) -> Page:
    return Page(render(sample))


def one(sample: Campaign, **changes: object) -> Campaign:
    """The sample's first fault alone, changed."""
    return dataclasses.replace(sample, results=(dataclasses.replace(sample.results[0], **changes),))


def test_is_well_formed(page: Page) -> None:
    assert page.problems == []


def test_same_campaign_same_bytes(sample: Campaign) -> None:
    assert render(sample) == render(sample)


def test_stays_small(sample: Campaign) -> None:
    assert len(sample.results) >= 19
    assert len(render(sample).encode()) < 1_000_000


def test_links_lead_nowhere_else(page: Page) -> None:
    outside = [u for u in page.urls if not u.startswith("#") and u != "data:,"]
    assert outside == []
    assert {u[1:] for u in page.urls if u.startswith("#")} <= page.ids


def test_style_and_script_fetch_nothing(sample: Campaign) -> None:
    html = render(sample)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|https?://", html)
    assert "default-src 'none'" in html


def test_every_fault_and_function_is_there(sample: Campaign, page: Page) -> None:
    for result in sample.results:
        assert str(result.fault) in page.text
        for figures in result.functions:
            assert figures.function.replace("_", " ") in page.text


def test_says_what_was_not_measured_and_why(page: Page) -> None:
    assert "network.loss@one" in page.text
    assert "no netem" in page.text


def test_says_when_the_machine_was_saturated(sample: Campaign, page: Page) -> None:
    assert "The machine was saturated" in page.text
    assert "saturated" not in Page(render(one(sample))).text


def test_a_gap_without_idle_time_is_said_even_long_after_the_heal(sample: Campaign) -> None:
    result = sample.results[0]
    functions = tuple(
        dataclasses.replace(f, whole=dataclasses.replace(f.whole, gap_returning=(40.0, 44.0))) for f in result.functions
    )
    for idle, said in ((0.01, True), (0.3, False)):
        samples = tuple((t / 2, idle if 80 <= t < 90 else 0.5) for t in range(100))
        html = render(one(sample, functions=functions, idle=samples))
        assert ("The machine was saturated" in html) is said


def test_reasons_stand_with_the_verdict(page: Page) -> None:
    head = page.text[: page.text.index("At a glance")]
    assert "Fail" in head
    assert "not redundant again within 60 s" in head


def test_baseline_is_set_beside(sample: Campaign) -> None:
    fault = view(sample).faults[0]
    assert fault.baseline is not None
    assert fault.ratio == pytest.approx(worst_gap(fault.baseline) / worst_gap(fault.result))
    theirs = {f.function: f.whole for f in fault.baseline.functions}
    assert all(row.theirs == theirs[row.figures.function] for row in fault.rows if not row.connection)


def test_a_peers_name_never_stands_alone(page: Page, sample: Campaign) -> None:
    """It is the peer's timers that were measured, not the peer."""
    words = page.text.replace(sample.command, "").replace("\n", " ")
    for said in re.findall(r"kolla-22.2.{0,10}", words):
        assert said.startswith("kolla-22.2 timers"), said


def test_the_headline_holds_for_every_row_of_its_tables(sample: Campaign) -> None:
    """The longest of all, whatever is tried seldom or came late, and whose it is."""
    base = sample.results[0]
    functions = tuple(
        dataclasses.replace(f, whole=dataclasses.replace(f.whole, longest_gap_s=5.54, gap_returning_s=7.77))
        if f.function == "authenticate_password"
        else f
        for f in base.functions
    )
    odd = one(sample, functions=functions, verdict="pass", reasons=())
    shown = view(dataclasses.replace(odd, verdict="pass"))
    (said,) = shown.headlines
    assert "longest gap between two successes 7.77 s (authenticate password, tried every 2 s)" in said.text
    for row in shown.faults[0].rows:
        assert max(row.seen.longest_gap_s, row.seen.gap_returning_s) <= 7.77
    longest = max(row.seen.worst_wait_s for row in shown.faults[0].rows)
    assert f"longest wait {report_text.seconds(longest)}" in said.text


def repeated(sample: Campaign) -> Campaign:
    """Three runs of one fault under either timing, of which one could not be measured."""
    first = sample.results[0]
    theirs = next(r for r in sample.results if r.subject == PEER and r.fault == first.fault)
    runs = [dataclasses.replace(r, run=n) for n in (1, 2, 3) for r in (first, theirs)]
    runs[4] = dataclasses.replace(runs[4], not_measured="ctl2 did not answer", verdict="unknown")
    return dataclasses.replace(sample, results=tuple(runs))


def test_all_runs_are_there_and_what_was_left_out_is_said(sample: Campaign) -> None:
    text = Page(render(repeated(sample))).text
    assert "All runs" in text
    assert "Left out: host.power_off@vip, lan timers, run 3: ctl2 did not answer" in text
    (row,) = view(repeated(sample)).faults
    assert [r.run for r in row.group.runs] == [1, 2]
    assert "Left out: `host.power_off@vip`, lan timers, run 3: ctl2 did not answer" in table(repeated(sample))


def test_the_table_says_median_and_worst(sample: Campaign) -> None:
    several = repeated(sample)
    worse = dataclasses.replace(
        several.results[2],
        functions=tuple(
            dataclasses.replace(f, whole=dataclasses.replace(f.whole, worst_wait_s=77.0))
            for f in several.results[2].functions
        ),
    )
    results = (*several.results[:2], worse, *several.results[3:])
    lines = table(dataclasses.replace(several, results=results)).splitlines()
    cells = dict(zip(*([c.strip() for c in line.split("|")] for line in (lines[0], lines[2])), strict=True))
    assert cells["runs"] == "2"
    assert cells["worst wait: worst"] == "77.0 s"
    assert cells["worst wait: median"] not in ("77.0 s", "–")
    assert " to " in cells["ratio"]


def test_baseline_alone_is_not_a_fault_of_ours(sample: Campaign) -> None:
    theirs = tuple(r for r in sample.results if r.subject == PEER)
    assert view(dataclasses.replace(sample, results=theirs)).faults == ()


def test_a_baseline_that_was_not_measured_says_why(sample: Campaign) -> None:
    ours = sample.results[0]
    theirs = dataclasses.replace(ours, subject=PEER, not_measured="ctl1 did not answer")
    both = dataclasses.replace(sample, results=(ours, theirs))
    assert view(both).faults[0].baseline is None
    assert "Not measured under kolla-22.2 timers: ctl1 did not answer" in Page(render(both)).text


def test_a_busy_run_is_compared_with_a_busy_one(sample: Campaign) -> None:
    quiet = sample.results[0]
    theirs = next(r for r in sample.results if r.subject == PEER and r.fault == quiet.fault)
    busy = dataclasses.replace(quiet, busy=True)
    assert view(dataclasses.replace(sample, results=(busy, theirs))).faults[0].baseline is None


@settings(deadline=None, max_examples=25)  # a page takes as long as the machine is busy
@given(st.text())
def test_whatever_a_host_says_is_escaped(noise: str) -> None:
    planted = f"<script>alert(1)</script><img src=x onerror=alert(1)>'\"&{noise}"
    sample = one(campaign(), reasons=(planted,), audit=(Finding(planted, False, planted),), hosts=(planted,))
    hostile = Subject(planted, planted)
    results = tuple(dataclasses.replace(r, subject=hostile) for r in sample.results)
    said = dataclasses.replace(sample, subjects=(hostile,), results=results)
    html = render(dataclasses.replace(said, command=planted, versions={planted: planted}))
    assert "<script>alert" not in html
    assert "<img" not in html


@pytest.mark.parametrize(
    "changes",
    [
        {"functions": (), "series": (), "writes": {}, "audit": ()},
        {"redundant": None, "redundant_again_s": None},
        {"vips": (), "idle": ()},
        {"writes": {"rows": Writes(5, 5, 0, 0, 1)}},
        {"hosts": (), "roles": ()},
    ],
)
def test_a_fault_with_little_to_tell(sample: Campaign, changes: dict[str, object]) -> None:
    assert Page(render(one(sample, **changes))).problems == []


def test_the_table_has_a_row_a_fault(sample: Campaign) -> None:
    lines = [line for line in table(sample).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + sum(r.subject == OWN for r in sample.results)
    assert len({line.count("|") for line in lines}) == 1
    assert "not measured: the kernel has no netem" in lines[-1]


def test_the_table_survives_pipes(sample: Campaign) -> None:
    odd = one(sample, not_measured="a | b")
    lines = [line for line in table(odd).splitlines() if line.startswith("|")]
    assert "a \\| b" in lines[-1]


def test_a_campaign_without_results(sample: Campaign) -> None:
    empty = Page(render(dataclasses.replace(sample, results=(), verdict="unknown")))
    assert "No fault could be measured" in empty.text


def flat(buckets: int, **changes: tuple[int, ...]) -> Series:
    nothing = (0,) * buckets
    series = Series("validate", 0.0, 0.1, (1,) * buckets, nothing, nothing, (5.0,) * buckets)
    return dataclasses.replace(series, **changes)


def drawn(sample: Campaign, series: Series, **changes: object) -> FaultResult:
    return dataclasses.replace(sample.results[0], series=(series,), **changes)


def test_a_single_failure_stays_visible_in_a_long_run(sample: Campaign) -> None:
    buckets = 20_000
    fail = tuple(int(i == 13_331) for i in range(buckets))
    lane = panels(drawn(sample, flat(buckets, fail=fail)))[-1].lanes[0]
    assert 'class="fail"' in lane.svg
    assert len(lane.data.split(";")) <= COLUMNS


def test_a_blink_does_not_widen_the_close_up(sample: Campaign) -> None:
    close = {}
    for end in (24.2, 25.0):
        outages = ((12.0, 13.0), (24.0, end))
        close[end] = panels(drawn(sample, dataclasses.replace(flat(900), outages=outages), injected=12.0, healed=32.0))[
            0
        ]
    assert (close[24.2].end, close[25.0].end) == (8.0, pytest.approx(1.15 * 13))


def test_what_heals_by_itself_has_no_heal(sample: Campaign) -> None:
    kill = Fault("service.kill", "keystone", "one", 0.0)
    result = drawn(sample, flat(1_000), injected=20.0, healed=20.1, redundant=80.0, fault=kill)
    assert [m.kind for m in panels(result)[-1].marks] == ["inject", "redundant"]
    assert "for 0 s" not in Page(render(dataclasses.replace(sample, results=(result,)))).text


def test_columns_keep_every_request(sample: Campaign) -> None:
    lane = panels(drawn(sample, flat(1_003)))[-1].lanes[0]
    counts = [int(c.split(",")[0]) if "," in c else 1 for c in lane.data.split(";")]
    assert sum(counts) == 1_003


def test_two_servers_of_one_vip_are_a_clash(sample: Campaign) -> None:
    seen = (
        Sighting(0.0, "internal", ("ctl1",), ("ctl1",)),
        Sighting(12.4, "internal", ("ctl1", "ctl2"), ("ctl1", "ctl2")),
        Sighting(12.9, "internal", ("ctl2",), ("ctl2",)),
    )
    ((_, tenures),) = panels(drawn(sample, flat(600), vips=seen))[-1].vips
    assert [(t.holders, t.clash) for t in tenures] == [("ctl1", False), ("ctl1 + ctl2", True), ("ctl2", False)]
    assert sum(t.width for t in tenures) == pytest.approx(100, abs=0.1)


def test_marks_stand_where_they_happened(sample: Campaign) -> None:
    result = drawn(sample, flat(1_000), injected=20.0, healed=40.0, redundant=80.0)
    assert [(m.kind, m.at) for m in panels(result)[-1].marks] == [("inject", 20), ("heal", 40), ("redundant", 80)]


@given(st.floats(0.001, 1e4), st.floats(0.001, 1e4))
def test_scale_keeps_order(a: float, b: float) -> None:
    scale = Scale(0.1, 100.0)
    assert (scale.percent(a) <= scale.percent(b)) or a > b
    assert 0 <= scale.percent(a) <= 100


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0 s"),
        (0.004, "0 s"),
        (0.005, "0.01 s"),
        (0.654, "0.65 s"),
        (14.23, "14.2 s"),
        (358.4, "358 s"),
        (math.inf, "never"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_seconds(value: float | None, said: str) -> None:
    assert report_text.seconds(value) == said


@pytest.mark.parametrize(("value", "said"), [(0, "0 s"), (-2.0, "−2 s"), (1.25, "+1.25 s")])
def test_offsets(value: float, said: str) -> None:
    assert report_text.offset(value) == said
