"""The dashboard in Chromium, on a server whose hosts are fakes; and what `fournines serve` costs while nobody looks."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from benchmarks.figure import ROOT, Figure, busy_since, cpu_ticks, fournines

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

T = TypeVar("T")
#: From the navigation until the page says how the cloud is, on a machine that is busy.
FIRST_PAINT = 0.5
#: A frame at 60 Hz, and what the page's scripts may hold.
FRAME, HEAP_MB = 0.016, 50.0
#: Of a core, and in memory, of a server that nobody looks at.
IDLE_SHARE, IDLE_MB, IDLE_S = 0.01, 150.0, 30.0
LOADS, CHANGES = 7, 30


def figures() -> Iterable[Figure]:
    """Raises RuntimeError without a browser."""
    sys.path.insert(0, str(ROOT / "tests"))  # the fakes are the tests'
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        raise RuntimeError("chromium and chromium-driver are not installed")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        yield from _first_paint(place / "few")
        yield from _frames(place / "many")
        yield _idle(place / "idle")


def _first_paint(place: Path) -> Iterator[Figure]:
    from samples.browser import chromium, emulate, note, shown_after
    from samples.dashboard import serving

    for load in (False, True):
        directory = place / ("busy" if load else "calm")
        (directory / "served").mkdir(parents=True)
        with serving(directory / "served") as site, chromium(directory / "profile") as chrome:
            emulate(chrome)
            note(chrome)
            _sign_in(chrome, site.url)
            taken: list[float] = []
            with _busy() if load else nullcontext():
                ticks = cpu_ticks()
                for _ in range(LOADS):
                    chrome.get(site.url + "/")
                    taken.append(until(lambda: shown_after(chrome)))
                busy = busy_since(ticks)
        name = "first paint, every core busy" if load else "first paint"
        yield Figure(name, statistics.median(taken), 0.0, FIRST_PAINT, busy, 0.0, f"worst {max(taken):.3f}")


def _frames(place: Path) -> Iterator[Figure]:
    from samples.browser import chromium, emulate, frames, heap, note
    from samples.dashboard import serving
    from samples.many import HOSTS, fail, many, speak

    (place / "served").mkdir(parents=True)
    with serving(place / "served", many(place)) as site, chromium(place / "profile") as chrome:
        speak(site)
        emulate(chrome)
        note(chrome)
        _sign_in(chrome, site.url)
        for view in ("map", "now"):
            chrome.execute_script("location.hash = arguments[0]", view)
            time.sleep(2)
            frames(chrome)
            ticks = cpu_ticks()
            for number in range(1, CHANGES + 1):
                fail(site, number)
                time.sleep(0.5)
            taken = sorted(frames(chrome))
            if len(taken) < CHANGES / 4:
                raise RuntimeError(f"{view}: only {len(taken)} frames were drawn")
            p95 = taken[int(len(taken) * 0.95)]
            note_ = f"p95 of {len(taken)} frames, median {statistics.median(taken):.4f}, worst {taken[-1]:.4f}"
            name = f"a frame of {view}, {HOSTS} hosts"
            yield Figure(name, p95, 0.0, FRAME, busy_since(ticks), heap(chrome), note_, HEAP_MB)


def _idle(place: Path) -> Figure:
    """The command itself, after somebody has read its document."""
    place.mkdir()
    cloud = Path(shutil.copy(ROOT / "examples" / "three-controllers.yaml", place / "cloud.yaml"))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    words = fournines("serve", str(cloud), "--listen", f"127.0.0.1:{port}")
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _greets(port))
        time.sleep(2)
        before, ticks = _cpu(process.pid), cpu_ticks()
        time.sleep(IDLE_S)
        used, busy = _cpu(process.pid) - before, busy_since(ticks)
        note = f"of a core: {used / IDLE_S:.2%} in {IDLE_S:g} s"
        return Figure(
            "serve, nobody looks", used, used, IDLE_SHARE * IDLE_S, busy, _resident(process.pid), note, IDLE_MB
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _greets(port: int) -> float | None:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return 1.0
    except OSError:
        return None


def _cpu(pid: int) -> float:
    """Seconds of CPU that it has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    """Megabytes in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _sign_in(chrome: Chrome, url: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    from samples.browser import shown_after

    chrome.get(url + "/")
    until(lambda: chrome.find_elements(By.NAME, "user") or None)
    chrome.find_element(By.NAME, "user").send_keys("ada")
    chrome.find_element(By.NAME, "password").send_keys("secret", Keys.ENTER)
    until(lambda: shown_after(chrome))


def until(found: Callable[[], T | None], within: float = 60.0) -> T:
    """What it finds at last. Raises RuntimeError."""
    deadline = time.monotonic() + within
    while (value := found()) is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing within {within:g} s")
        time.sleep(0.02)
    return value


@contextmanager
def _busy() -> Generator[None]:
    """A process a core that does nothing but count, of ordinary priority."""
    counting = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(counting) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
