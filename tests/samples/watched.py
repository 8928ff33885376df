"""What a watch, its handlers and some backups would have left beside a cloud: a quiet year with one bad night."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fournines.operate.backup import MANIFEST, Manifest, Part, dumps
from fournines.watch.act import ACTIONS, STATE
from fournines.watch.decide import Condition
from fournines.watch.incidents import Incidents
from fournines.watch.ledger import Ledger, append, replace_file
from fournines.watch.now import FILE

FUNCTIONS = ("validate", "token", "read_row", "write_row", "publish", "list_servers")
AGENT = Condition("daemon.down", "ctl3", "nova-compute", "nova-compute of ctl3 is failed")
FLAPPING = Condition("host.unreachable", "ctl2", "", "ctl2 does not answer")


def fill(state: Path) -> str:
    """`state`: the cloud's folder. The id of the incident."""
    folder, now = state / "watch" / "phx", time.time()
    _seconds(folder, now)
    _handlers(folder, now)
    _backups(state / "backups")
    return _incident(folder, now - 7200)


def _seconds(folder: Path, now: float) -> None:
    ledger = Ledger(folder)
    for n, function in enumerate(FUNCTIONS):
        for second in range(3600):
            ledger.add(now - 3600 + second, function, "bad" if second < 7 * n else "good")
    ledger.flush(now, force=True)
    said = {"at": now + 3600, "functions": dict.fromkeys(FUNCTIONS, "good"), "unready": [], "incident": ""}
    replace_file(folder / FILE, said)  # of the future, so that this watch seems to run


def _incident(folder: Path, began: float) -> str:
    store = Incidents(folder)
    id = store.begin(began, "phx", "acme")
    healthy = "acme is healthy: 3 hosts, ctl1 holds the VIPs, ctl2 takes the writes."
    problem = {"what": "is declared dead by its peers", "where": "ctl2", "next": "power it on", "region": "phx"}
    writer = {"what": "nobody takes the writes", "where": "", "next": "wait", "region": "phx"}
    store.note(id, began, "agents", sentence=healthy, problems=[])
    for at, function in enumerate(("write_row", "read_row")):
        store.note(id, began + 0.1 * at, "out", function=function, connection="kept")
    store.note(id, began + 0.6, "agents", sentence="acme: nobody takes the writes.", problems=[problem, writer])
    store.note(id, began + 1.4, "agents", sentence="acme: ctl2 is dead, ctl1 takes the writes.", problems=[problem])
    store.note(id, began + 1.5, "action", handler="flapping-host", text="ctl2 was drained")
    for function in ("write_row", "read_row"):
        store.note(id, began + 2.0, "well", function=function, connection="kept", lasted_s=2)
    entries: list[list[Any]] = [
        [began + 0.3, "ctl1", "haproxy", "WARNING", "Server mariadb/ctl2 is DOWN, reason: Layer4 timeout."],
        [began + 0.4, "ctl3", "mariadb", "ERROR", "WSREP: declaring node with index 1 suspected <b>timeout PT1S</b>"],
        [began + 1.2, "ctl1", "fournines-observer", "INFO", "takes the writes"],
    ]
    worst = {"": {"longest_gap_s": 1.62, "worst_wait_s": 1.9, "fail": 4, "unknown": 1}}
    store.note(
        id,
        began + 3,
        "ended",
        interrupted=False,
        bad={"write_row": 2, "read_row": 2},
        unknown={},
        figures={"write_row": worst, "read_row": worst},
    )
    hosts = {name: {"begins": began - 86_400, "clock_ahead_s": 0.0, "cut": False} for name in ("ctl1", "ctl3")}
    failures = {"ctl2": "ctl2 does not answer"}
    store.note(id, began + 60, "logs", hosts=hosts, failures=failures, left_out=0, entries=entries)
    return id


def _handlers(folder: Path, now: float) -> None:
    stopped = [["flapping-host", asdict(FLAPPING), "drain did not help within 120 s"]]
    replace_file(
        folder / STATE,
        {"stopped": stopped, "starts": [], "handled": [], "beginnings": [], "since": []},
    )
    lines: list[tuple[float, str, Condition, str, str, str]] = [
        (7000, "compute-agent", AGENT, "restart", "begins", ""),
        (6990, "compute-agent", AGENT, "restart", "ok", "nova-compute of ctl3 was restarted"),
        (6870, "compute-agent", AGENT, "", "remark", "restart helped"),
        (6869, "compute-agent", AGENT, "notify", "ok", "told operators"),
        (900, "flapping-host", FLAPPING, "drain", "failed", "drain could not be carried out: ctl2 does not answer"),
    ]
    for ago, handler, condition, do, outcome, text in lines:
        line = {"at": now - ago, "handler": handler, "condition": asdict(condition), "do": do, "outcome": outcome}
        append(folder / ACTIONS, {**line, "text": text})


def _backups(directory: Path) -> None:
    parts = {"database-phx": Part(181_403_648, "0" * 64, "ctl3"), "state": Part(40_960, "1" * 64)}
    rows = {"phx": {"keystone.user": 41, "nova.instances": 1204}}
    for day, counted in (("27", rows), ("28", {})):
        manifest = Manifest("acme", "2025.1", f"2026-11-{day}T02:00:00+00:00", "k", parts, {}, counted)
        path = directory / f"acme-202611{day}T020000Z"
        path.mkdir(parents=True)
        (path / MANIFEST).write_text(dumps(manifest, "0" * 64))
        assert json.loads((path / MANIFEST).read_text())["cloud"] == "acme"
