"""A host's memory and what is late at its port: what the kernel is told, and what it says, without a lab."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from fournines.errors import LabError
from fournines.lab import cgroup, delay, ended_for_memory, limit_memory

V1 = {
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.usage_in_bytes": "900\n",
    "memory.stat": "cache 400\ntotal_inactive_file 300\ntotal_active_file 100\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
}
V2 = {
    "memory.max": "max\n",
    "memory.current": "900\n",
    "memory.stat": "anon 500\ninactive_file 300\nactive_file 100\n",
    "memory.events": "low 0\noom 1\noom_kill 2\n",
}


@pytest.fixture(params=["v1", "v2"])
def limit(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that limits the memory of host ctl1 of lab acme."""
    unified, memory = tmp_path / "unified", tmp_path / "memory"
    group = unified / "fournines" / "acme" / "hosts" / "ctl1"
    kept, files = (memory / "fournines:acme:hosts:ctl1", V1) if request.param == "v1" else (group, V2)
    for directory in (group, kept):
        directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (kept / name).write_text(content)
    monkeypatch.setattr(cgroup, "mount", lambda: unified)
    found = {"memory": memory} if request.param == "v1" else {}
    monkeypatch.setattr(cgroup, "_version_1_controller", found.get)
    host = type("Host", (), {"name": "ctl1", "kind": "nspawn"})
    power = importlib.import_module("fournines.lab.power")  # whose name in the package is its function
    monkeypatch.setattr(power, "load", lambda _: type("Lab", (), {"host": lambda _self, _name: host})())
    return kept / next(iter(files))


def test_a_host_is_limited_to_what_it_holds_and_some_more(limit: Path) -> None:
    unlimited = {"memory.limit_in_bytes": "-1", "memory.max": "max"}[limit.name]
    limit_memory("acme", "ctl1", 64)
    assert limit.read_text() == "564", "pages of files that were read are nobody's"
    limit_memory("acme", "ctl1", None)
    assert limit.read_text() == unlimited
    assert ended_for_memory("acme", "ctl1") == 2


def test_a_host_without_a_group_says_what_to_do(limit: Path) -> None:
    for file in limit.parent.iterdir():
        file.unlink()
    with pytest.raises(LabError, match="keeps account") as caught:
        limit_memory("acme", "ctl1", 64)
    assert "power reset" in caught.value.next


def test_a_port_is_made_late_looked_at_and_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    at_the_port = [{"kind": "noqueue", "packets": 9}]

    def run(argv: list[str]) -> str:
        told.append(" ".join(argv))
        return json.dumps(at_the_port) if "show" in argv else ""

    monkeypatch.setattr(delay, "run", run)
    delay.apply("fnp-1", 0.1)
    assert told == ["tc qdisc replace dev fnp-1 root netem delay 100ms"]
    with pytest.raises(LabError, match="No packet"):
        delay.late("fnp-1")
    delay.remove(["fnp-1"])
    assert not any(" del " in words for words in told), "nothing is late there: nothing is taken away"
    at_the_port.append({"kind": "netem", "packets": 7})
    assert delay.late("fnp-1") == 7
    delay.remove(["fnp-1"])
    assert told[-1] == "tc qdisc del dev fnp-1 root"
