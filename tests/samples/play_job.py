"""In the worker's place: plays a job of the kind that was ordered, without a host. `python play_job.py DIRECTORY`.

With "hold" among the hosts of a plan, or as the reason of an operation, it goes on until it is told to stop; with
"die" it ends without a result.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from fournines.web.process import started
from fournines.web.work import EVENTS, ORDER, PROCESS, RESULT, write

CHANGES = [
    {"kind": "add", "resource": "package:haproxy", "hosts": ["ctl1", "ctl2", "ctl3"], "diff": "not installed"},
    {
        "kind": "update",
        "resource": "file:/etc/haproxy/haproxy.cfg",
        "hosts": ["ctl1"],
        "diff": "content\n--- a\n+++ b\n@@ -1 +1 @@\n-timeout check 1s\n+timeout check <b>2s</b>\n",
    },
]
PLAN: dict[str, Any] = {
    "cloud": "acme",
    "empty": False,
    "world": "w",
    "summary": "3 to add, 1 to update, on 3 hosts in 1 stage.",
    "stages": [
        {"name": "haproxy", "rolling": "one", "waves": [["ctl1"], ["ctl2"]], "gate": [], "changes": CHANGES},
    ],
}
VERSIONS: dict[str, Any] = {
    "upgrade": "",
    "on": {
        "ctl1": {"release": "2025.1", "debian": "trixie", "reboot": "6.12.48 → 6.12.57", "problems": []},
        "ctl2": {"release": "2025.1", "debian": "trixie", "reboot": "", "problems": ["haproxy is held"]},
    },
    "packages": [
        {
            "package": "haproxy",
            "installed": "3.0.11-1+deb13u1",
            "candidate": "3.0.11-1+deb13u2",
            "remark": "security",
            "hosts": ["ctl1", "ctl2"],
        },
        {"package": "keystone", "installed": "2:27.0.0-3", "candidate": "=", "remark": "", "hosts": ["ctl1", "ctl2"]},
    ],
}
OBSERVED: dict[str, Any] = {
    "holds": False,
    "observed": [
        {
            "where": "phx",
            "what": "connections to the database, every pool full",
            "formula": "processes × (max_pool_size + max_overflow)",
            "predicted": 600,
            "seen": 41,
            "peak": 88,
            "holds": True,
        },
        {
            "where": "ctl1",
            "what": "memory, GiB",
            "formula": "processes × 130 MiB",
            "predicted": 2.5,
            "seen": 2.71,
            "peak": 2.71,
            "holds": False,
        },
    ],
}
FUNCTIONS = ("authenticate", "list_projects", "write_row")


def main(directory: Path) -> None:
    write(directory / PROCESS, started())
    order = json.loads((directory / ORDER).read_text())

    def tell(about: str, /, **what: Any) -> None:
        with (directory / EVENTS).open("a") as file:
            file.write(json.dumps({"at": time.time(), "type": about, **what}) + "\n")

    def stop(_number: int, _frame: object) -> None:
        write(directory / RESULT, {"state": "cancelled", "ended": time.time()})
        sys.exit(1)

    signal.signal(signal.SIGTERM, stop)
    arguments = order["arguments"]
    hosts = [*arguments.get("hosts", []), arguments.get("reason", "")]
    if "die" in hosts:
        return
    tell("text", text="asking 3 hosts")
    while "hold" in hosts:
        time.sleep(0.1)
    result = {
        "plan": lambda: {"plan": PLAN, "failures": {}},
        "apply": lambda: apply(tell),
        "prove": lambda: prove(tell),
        "drain": lambda: operated(tell, arguments),
        "reboot": lambda: operated(tell, arguments),
        "recover": lambda: recovered(arguments),
        "versions": lambda: VERSIONS,
        "observe": lambda: OBSERVED,
        "scale-remove": lambda: removed(tell, arguments),
        "upgrade-release": lambda: {
            "done": not arguments.get("dry_run"),
            "release": arguments["to"],
            "steps": [f"acme goes from 2025.1 to {arguments['to']}, by Debian forky"],
        },
        "restore": lambda: {"done": not arguments.get("dry_run"), "steps": ["  replace   the databases"]},
    }
    done = result.get(order["kind"], dict[str, Any])()
    write(directory / RESULT, {"state": "done", "result": done, "ended": time.time()})


def apply(tell: Any) -> dict[str, Any]:
    tell("stage", stage="haproxy", number=1, of=1, hosts=["ctl1", "ctl2", "ctl3"])
    for number, host in enumerate(("ctl1", "ctl2", "ctl3"), 1):
        tell("change", stage="haproxy", host=host, number=1, of=2, kind="add", key="package:haproxy")
        time.sleep(0.4 * number)
    tell("stage-done", stage="haproxy", seconds=2.4)
    return {"applied": True, "plan": PLAN}


def operated(tell: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    if not arguments["dry_run"]:
        apply(tell)
    return {"done": not arguments["dry_run"], "plan": PLAN}


def recovered(arguments: dict[str, Any]) -> dict[str, Any]:
    lost = {
        "kind": "majority",
        "region": "phx",
        "what": "no majority is left",
        "hosts": ["ctl1"],
        "evidence": ["mariadb: 1 of 3 members answer (ctl1)", "rabbitmq: 1 of 3 members answer (ctl1)"],
        "loses": ["what ctl2 and ctl3 acknowledged and ctl1 does not have: nothing, by its last view"],
        "keeps": ["/var/lib/mysql.before-20261128T020000Z on ctl1"],
        "choose": "" if arguments["gone"] else "--gone ctl2,ctl3, if they are lost for good and off",
        "next": "",
    }
    switches = [{"host": name, "by": "lab"} for name in arguments["gone"]]
    phases = [{"phase": "leave", **PLAN}] if switches else []
    done = bool(switches) and not arguments["dry_run"]
    found = {"findings": [lost], "decided": bool(switches), "switches": switches}
    return {"done": done, **found, "plan": {**PLAN, "empty": True, "stages": []}, "phases": phases}


def removed(tell: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    phases = [{"phase": name, **PLAN} for name in ("drain", "leave", "stop", "done")]
    for phase in phases if not arguments["dry_run"] else ():
        tell("text", text=f"{arguments['host']}: {phase['phase']}")
    return {"done": not arguments["dry_run"], "host": arguments["host"], "phases": phases}


def prove(tell: Any) -> dict[str, Any]:
    tell("fault", number=1, of=1, fault="host.power_off@vip", profile="lan")
    counts = {name: [0.0, 0.0, 0.0, None] for name in FUNCTIONS}
    for tick in range(12):
        for seen in counts.values():
            if tick in (5, 6):
                seen[2] += 1
            else:
                seen[0] += 5
                seen[3] = tick * 0.5
        tell("counts", functions=counts)
        tell("text", text="load runs" if tick < 5 else "struck" if tick < 8 else "healed, waits for full redundancy")
        time.sleep(0.1)
    seen = {"verdict": "pass", "reasons": [], "hosts": ["ctl1"], "roles": ["vip"]}
    tell("verdict", fault="host.power_off@vip", longest_gap_s=0.71, worst_wait_s=1.1, **seen)
    return {"verdict": "pass", "run": "20261128T000000", "faults": 1}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
