"""Runs the benchmarks: a table on stderr as they end, one JSON document on stdout."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict

from benchmarks import agents, alerts, design, hosts, lab, monitoring, offline, page, shown
from benchmarks.figure import Figure

SUITES = {"plan": offline.figures, "design": design.figures, "hosts": hosts.figures, "lab": lab.figures}
#: Of what is there already, or with a browser: run when named.
ASKED_FOR = {
    "agents": agents.figures,
    "alerts": alerts.figures,
    "monitoring": monitoring.figures,
    "page": page.figures,
    "shown": shown.figures,
}


def main(words: list[str]) -> int:
    if unknown := set(words) - {*SUITES, *ASKED_FOR}:
        print(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join([*SUITES, *ASKED_FOR])}", file=sys.stderr
        )
        return 64
    taken: list[Figure] = []
    print(f"{'':32}{'seconds':>9}{'own cpu':>9}{'target':>9}{'machine':>9}{'peak':>9}", file=sys.stderr)
    failed = False
    for name, suite in {**SUITES, **ASKED_FOR}.items():
        if name in (words or SUITES):
            try:
                taken += _shown(suite())
            except RuntimeError as error:
                print(f"{name} failed: {error}", file=sys.stderr)
                failed = True
    document = {
        "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "figures": [asdict(figure) for figure in taken],
    }
    print(json.dumps(document, indent=2))
    return int(failed or any(f.missed for f in taken))


def _shown(figures: Iterable[Figure]) -> Iterable[Figure]:
    for f in figures:
        target = f"{f.target:.3g}" if f.target else ""
        row = f"{f.name:32}{f.seconds:9.2f}{f.cpu_seconds:9.2f}{target:>9}{f.cpu_busy:9.0%}{f.peak_mb:6.0f} MB"
        print(f"{row}  {f.note}".rstrip(), file=sys.stderr, flush=True)
        yield f


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
