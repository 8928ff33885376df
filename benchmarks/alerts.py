"""Every alert on a lab that is up: how long its fault takes to raise it, and whether it resolves after the heal.

CLOUD names the file of a lab with three controllers and two hosts of the role `monitoring`, such as
`examples/monitored-cloud.yaml`, with a webhook of Alertmanager's (it is said which). QUICK=1 leaves out what takes
longer than six minutes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figure import ROOT, Figure, busy_since, cpu_ticks


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
    hook = f"http://{site.gateway}:{HOOK_PORT}/"
    if hook not in site.path.read_text():
        said = f'services: {{alertmanager: {{options: {{alertmanager.yml: {{webhook: {{url: "{hook}"}}}}}}}}}}'
        raise RuntimeError(f"{cloud} must have {said}")
    ticks, failed = cpu_ticks(), list[str]()
    for name, seconds, resolved in exercise(site, quick=bool(os.environ.get("QUICK"))):
        if seconds is None:
            failed.append(f"{name} does not fire")
        else:
            yield Figure(f"{name} fires", seconds, 0.0, None, busy_since(ticks), 0.0, "" if resolved else "stays")
        if not resolved:
            failed.append(f"{name} does not resolve")
    if failed:
        raise RuntimeError("; ".join(failed))
