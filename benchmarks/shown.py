"""A power-off, on the page in Chromium: seconds from the switch to the frame that shows it, on a lab that is up.

CLOUD names its file; ROUNDS says how many power-offs, in turn of whoever holds the VIP and of the others. Beside it,
how old what the page shows was whenever it had drawn a state, of all states of all rounds.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figure import ROOT, Figure, busy_since, cpu_ticks
from benchmarks.page import until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

#: From the event to the page, p99.
SHOWN = 1.0
#: That the cloud may take to be well again, before the next.
HEALED = 240.0
#: Notes the frame in which the page says that a host does not answer (`shown`), and how old each state was when it was
#: drawn (`ages`, s): since its hosts' newest word came to the server.
_NOTE = """
window.seen = { host: null, shown: null, ages: [] };
const painted = (then) => requestAnimationFrame(() => {
  const after = new MessageChannel();
  after.port1.onmessage = then;
  after.port2.postMessage(0);
});
const named = () => [...document.querySelectorAll(".findings li b")].flatMap((b) => b.textContent.split(/[:,\\s]+/));
new MutationObserver(() => {
  if (!seen.host || seen.shown || !named().includes(seen.host)) return;
  seen.shown = -1;
  painted(() => { seen.shown = Date.now() / 1000; });
}).observe(document, { childList: true, subtree: true, characterData: true });
const Source = window.EventSource;
window.EventSource = class extends Source {
  constructor(...words) {
    super(...words);
    this.addEventListener("status", (event) => {
      const { at, age } = JSON.parse(event.data);
      painted(() => { seen.ages.push(Date.now() / 1000 - at + age); });
    });
  }
};
"""
_UNWELL = "return !document.querySelector('.sentence.ok') || !!document.querySelector('.stale')"


def figures() -> Iterable[Figure]:
    """Raises RuntimeError without a lab or a browser."""
    sys.path.insert(0, str(ROOT / "tests"))
    from fournines import lab
    from fournines.services import load
    from samples.browser import chromium
    from samples.served import break_glass, served

    path = os.environ.get("CLOUD")
    if not path:
        raise RuntimeError("say which lab: CLOUD=cloud.yaml python -m benchmarks shown")
    cloud = load(Path(path).resolve())
    if not lab.exists(cloud.name):
        raise RuntimeError(f"the lab {cloud.name} is not up: fournines lab up {path} --apply")
    with ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(served(cloud))
        chrome = stack.enter_context(chromium(Path(profile)))
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _NOTE})
        break_glass(chrome, url, cloud)
        ticks = cpu_ticks()
        took = [_round(chrome, cloud.name, number) for number in range(int(os.environ.get("ROUNDS", "10")))]
        busy = busy_since(ticks)
        ages = sorted(chrome.execute_script("return seen.ages"))
    note = ", ".join(f"{seconds:.2f}" for seconds in took)
    yield Figure("power-off to its frame, worst", max(took), 0.0, SHOWN, busy, 0.0, f"of {len(took)}: {note}")
    p99 = ages[int(len(ages) * 0.99)]
    yield Figure("age of what is shown, p99", p99, 0.0, SHOWN, busy, 0.0, f"of {len(ages)}, median {_median(ages):.2f}")


def _round(chrome: Chrome, cloud: str, number: int) -> float:
    """Seconds from the switch to the frame."""
    from fournines import lab

    until(lambda: _well(chrome), HEALED)
    holder, *others = _endpoints(chrome)
    victim = holder if number % 2 == 0 or not others else others[number // 2 % len(others)]
    chrome.execute_script("seen.host = arguments[0]; seen.shown = null", victim)
    off = time.time()
    lab.power(cloud, victim, "off")
    try:
        shown = until(lambda: ((at := _shown(chrome)) and at > 0 and at) or None, 30)
    finally:
        lab.power(cloud, victim, "on")
        chrome.execute_script("seen.host = null")
    return shown - off


def _shown(chrome: Chrome) -> float | None:
    return chrome.execute_script("return seen.shown")


def _well(chrome: Chrome) -> bool | None:
    """Healthy, with every host heard: for three seconds, for the first look after a boot may be too early."""
    for _ in range(3):
        if chrome.execute_script(_UNWELL):
            return None
        time.sleep(1)
    return True


def _endpoints(chrome: Chrome) -> list[str]:
    """Those that may hold the VIP, its holder first."""
    rows: Any = chrome.execute_script(
        "return fetch('/v1/status').then((a) => a.json()).then((s) => s.regions[0])",
    )
    holders = [str(name) for name in rows["vip_holders"]]
    return [*holders, *(str(name) for name in rows["voters"] if name not in holders)]


def _median(values: Sequence[float]) -> float:
    return values[len(values) // 2]
