"""Journals of several hosts become one; what is missing from the answer is said."""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import datetime
from pathlib import Path

import pytest

from fournines.cli import logs as command
from fournines.cli import trace
from fournines.engine.fake import FakeHost
from fournines.engine.transport import Completed
from fournines.errors import HostError, UsageError
from fournines.logs.collect import Logs, Query, collect, follow, script
from fournines.logs.entries import Entry, parse, printable, requests
from fournines.logs.times import moment

NEUTRON = "neutron-server.service"
A, B, C, OTHER = (f"req-{n * 8}-{n * 4}-{n * 4}-{n * 4}-{n * 12}" for n in "abc0")


def line(at: float, message: object, unit: str = "nova-api.service", priority: str = "6") -> str:
    said = {"__REALTIME_TIMESTAMP": f"{at * 1e6:.0f}", "MESSAGE": message, "PRIORITY": priority, "_SYSTEMD_UNIT": unit}
    return json.dumps(said)


class Host(FakeHost):
    """Has a journal, and a clock that may be off."""

    def __init__(self, name: str, lines: list[str], ahead: float = 0.0, begins: float = 1.0) -> None:
        super().__init__(name)
        self.lines, self.ahead, self.begins, self.asked = lines, ahead, begins, list[str]()

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        self.asked.append(script)
        if script.startswith("date"):
            return Completed(0, f"{time.time() + self.ahead:.9f}\n", "")
        pattern = re.search(r"--grep=([^' ]+)", script)
        matched = [text for text in self.lines if not pattern or re.search(pattern[1], text)]
        return Completed(0, "".join(f"{text}\n" for text in [f"{self.begins:.6f}", *matched]), "")


def test_hosts_are_put_into_one_order() -> None:
    a = Host("ctl1", [line(100, "first"), line(102, "third")])
    b = Host("ctl2", [line(101, "second", "haproxy.service", "3")])
    found = asyncio.run(collect({"ctl1": a, "ctl2": b}, Query(90, 110)))
    assert [(e.host, e.unit, e.level, e.message) for e in found.entries] == [
        ("ctl1", "nova-api", "INFO", "first"),
        ("ctl2", "haproxy", "ERROR", "second"),
        ("ctl1", "nova-api", "INFO", "third"),
    ]
    assert command.remarks(found, Query(90, 110)) == []


def test_a_clock_that_is_off_moves_the_lines_and_the_question() -> None:
    host = Host("ctl1", [line(1000 + 60, "x")], ahead=60.0)
    query = Query(999, 1001)
    found = asyncio.run(collect({"ctl1": host}, query))
    assert [round(e.time, 1) for e in found.entries] == [1000.0]
    since = re.search(r"--since=@(\d+)", host.asked[1])
    assert since and abs(int(since[1]) - 1059) <= 1
    assert "60.00 s ahead of ours" in command.remarks(found, query)[0]


def test_what_keeps_the_answer_from_being_whole_is_said() -> None:
    late = Host("ctl1", [line(50 + i, str(i)) for i in range(5)], begins=40.0)
    query = Query(10, 100, most=3)
    found = asyncio.run(collect({"ctl1": late}, query))
    assert [e.message for e in found.entries] == ["2", "3", "4"]
    whole = Logs(found.journals, {"ctl2": HostError("ctl2 does not answer within 10 s", where="ctl2")})
    said = "\n".join(command.remarks(whole, query))
    assert "ctl2 does not answer" in said
    assert "ctl1: its journal begins only at" in said
    assert "ctl1: only the last 3 lines" in said


def test_a_journal_that_cannot_be_read_is_no_empty_one() -> None:
    class Broken(Host):
        async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
            return Completed(0, "1.0\n", "") if script.startswith("date") else Completed(127, "", "sh: no journalctl")

    found = asyncio.run(collect({"ctl1": Broken("ctl1", [])}, Query(0, 1)))
    assert "no journalctl" in found.failures["ctl1"].why


def test_a_request_is_followed_to_the_calls_that_were_made_for_it() -> None:
    ctl1 = Host("ctl1", [line(100, f"2026-11-28 03:12:00.000 7 INFO nova.api [None {A} u p] POST /servers")])
    ctl2 = Host(
        "ctl2",
        [
            line(101, f"2026-11-28 03:12:01.000 9 INFO neutron.wsgi [{A} {B} u p] GET /ports", NEUTRON),
            line(102, f"2026-11-28 03:12:02.000 9 ERROR neutron.db [None {B} u p] deadlock", NEUTRON),
            line(103, f"2026-11-28 03:12:02.000 9 INFO x [None {OTHER} u p] another request"),
        ],
    )
    found, ids = asyncio.run(follow({"ctl1": ctl1, "ctl2": ctl2}, A, Query(0, 200)))
    assert ids == {A, B}
    assert [e.time for e in found.entries] == [100, 101, 102]
    shown = "\n".join(trace.show(A, ids, found))
    assert f"{A}: 3 lines, 1 of them errors, in 2.000 s" in shown
    assert "neutron-server on ctl2: 2" in shown
    assert "another request" not in shown


def test_requests_beside_one_another_in_a_message_are_not_one() -> None:
    entry = Entry(0, "ctl1", "nova-api", "INFO", f"[None {A} u p] waits for {C}")
    assert requests([entry], frozenset({A})) == {A}


@pytest.mark.parametrize(
    ("message", "level", "text"),
    [
        ("2026-11-28 03:12:00.123 77 WARNING nova.x [-] slow", "WARNING", "nova.x [-] slow"),
        ("2026-11-28 03:12:00.123 77 TRACE nova.x   File", "ERROR", "nova.x   File"),
        ([104, 195, 40], "INFO", "h\ufffd("),
        (None, "INFO", "(too long to be shown)"),
    ],
)
def test_the_services_own_word_for_how_bad_it_is_counts(message: object, level: str, text: str) -> None:
    entry = next(parse("ctl1", [line(1, message)]))
    assert (entry.level, entry.message) == (level, text)


def test_a_line_that_was_cut_is_left_out() -> None:
    assert [e.message for e in parse("ctl1", [line(1, "whole"), line(2, "cut")[:-9], "", "[]"])] == ["whole"]


def test_what_is_logged_does_not_reach_the_terminal_as_a_sequence() -> None:
    assert printable("a\x1b[2Jb\nc") == "a\\x1b[2Jb\\x0ac"


def test_a_pattern_is_one_word_of_the_shell() -> None:
    assert "'--grep=x; rm -rf /'" in script(Query(0, 1, pattern="x; rm -rf /"))


def test_moments() -> None:
    now = datetime(2026, 11, 28, 15, 0, 0).astimezone().timestamp()
    assert moment("now", now) == now
    assert moment("90s", now) == now - 90
    assert moment("-2h", now) == now - 7200
    assert moment("03:12", now) == datetime(2026, 11, 28, 3, 12).astimezone().timestamp()
    assert moment("16:00", now) == datetime(2026, 11, 27, 16, 0).astimezone().timestamp(), "the last one"
    assert (
        moment("2026-11-28T03:12:04.5+00:00", now) == datetime.fromisoformat("2026-11-28T03:12:04.5+00:00").timestamp()
    )
    assert moment("@17.5", now) == 17.5


@pytest.mark.parametrize("text", ["yesterday", "25:00", "", "@x", "2026-13-01", "9" * 400 + "d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="moment"):
        moment(text, 1e9)


def test_a_window_ends_after_it_begins_and_a_pattern_is_one() -> None:
    with pytest.raises(UsageError, match="not before"):
        command.window("1m", "2m")
    with pytest.raises(UsageError, match="no regular expression"):
        command.checked("(")


def test_files_are_for_nobody_else(tmp_path: Path) -> None:
    query = Query(0, 200)
    found = asyncio.run(collect({"ctl1": Host("ctl1", [line(100, "x")])}, query))
    command.write(tmp_path / "out", found, query)
    made = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "out").iterdir()}
    assert made == {"ctl1.log": 0o600, "all.log": 0o600, "logs.json": 0o600}
    assert json.loads((tmp_path / "out/logs.json").read_text())["hosts"]["ctl1"]["lines"] == 1
