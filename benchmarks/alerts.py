"""Every alert on a lab that is up: how long its fault takes to raise it, and whether it resolves after the heal.

CLOUD names the file of a lab with three controllers and two hosts of the role `monitoring`, such as
`examples/monitored-cloud.yaml`, with a webhook of Alertmanager's (it is said which). QUICK=1 leaves out what takes
longer than six minutes; ONLY=NoVipHolder,GuardSilent has the faults of these alone.

CALM=60 breaks nothing: `prove --calm 60m --busy` keeps clients asking and every core busy, and the alerts that fire all
the same are counted.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figure import ROOT, Figure, busy_since, cpu_ticks, fournines

if TYPE_CHECKING:
    from lab.alert_faults import Site


def figures() -> Iterable[Figure]:
    """Raises RuntimeError without a lab, or with an alert that does not fire or resolve."""
    sys.path.insert(0, str(ROOT / "tests"))  # the faults are the tests'
    from lab.alert_clients import HOOK_PORT
    from lab.alert_faults import Site
    from lab.alert_watch import exercise

    cloud = os.environ.get("CLOUD")
    if not cloud:
        raise RuntimeError("say which lab: CLOUD=cloud.yaml python -m benchmarks alerts")
    site = Site(Path(cloud).resolve())
    if minutes := os.environ.get("CALM"):
        yield _calm(site, float(minutes))
        return
    hook = f"http://{site.gateway}:{HOOK_PORT}/"
    if hook not in site.path.read_text():
        said = f'services: {{alertmanager: {{options: {{alertmanager.yml: {{webhook: {{url: "{hook}"}}}}}}}}}}'
        raise RuntimeError(f"{cloud} must have {said}")
    ticks, failed = cpu_ticks(), list[str]()
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    for name, seconds, resolved in exercise(site, quick=bool(os.environ.get("QUICK")), only=only):
        if seconds is None:
            failed.append(f"{name} does not fire")
        else:
            yield Figure(f"{name} fires", seconds, 0.0, None, busy_since(ticks), 0.0, "" if resolved else "stays")
        if not resolved:
            failed.append(f"{name} does not resolve")
    if failed:
        raise RuntimeError("; ".join(failed))


def _calm(site: Site, minutes: float) -> Figure:
    """Raises RuntimeError with the alerts that fired, or that still do before it has begun."""
    from lab.alert_clients import hook
    from lab.alert_watch import CALM, Watch

    watch = Watch(site)
    asked = fournines("prove", str(site.path), "--calm", f"{minutes:g}m", "--busy", "--yes", "--json")
    with hook(str(site.gateway)):
        if not watch.until(watch.well(), CALM):
            raise RuntimeError(f"before it has begun fire {', '.join(sorted(watch.now))}")
        ticks, began = cpu_ticks(), time.monotonic()
        done = subprocess.run(asked, check=False, cwd=ROOT, capture_output=True, text=True)
        lasted = time.monotonic() - began
    print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    fired, pending = (site.fired(math.ceil(lasted), state) for state in ("firing", "pending"))
    if fired:
        raise RuntimeError("; ".join(f"{name} fired for {seconds:g} s" for name, seconds in fired.items()))
    note = f"prove --calm: exit {done.returncode}; pending: {', '.join(sorted(pending)) or 'none'}"
    return Figure(f"no alert fires for {minutes:g} min", lasted, 0.0, None, busy_since(ticks), 0.0, note)
