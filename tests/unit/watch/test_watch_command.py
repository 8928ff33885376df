"""`fournines watch`, `incident`, `status`, `export watch-unit`: what the operator reads."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fournines.cli.main import cli
from fournines.errors import FourninesError, UsageError
from fournines.services import load
from fournines.watch import act
from fournines.watch.incidents import Incidents
from fournines.watch.ledger import Ledger, append, replace_file
from fournines.watch.now import FILE

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    path = tmp_path / "cloud.yaml"
    shutil.copy(EXAMPLES / "three-controllers.yaml", path)
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(w) for w in words], catch_exceptions=False)


def folder(cloud: Path) -> Path:
    return load(cloud).state_dir / "watch" / "phx"


@pytest.fixture
def watched(cloud: Path) -> Path:
    """An hour of `validate` with 9 s out, half an hour ago; a watch that runs."""
    at, where = time.time(), folder(cloud)
    ledger = Ledger(where)
    for second in range(3600):
        ledger.add(at - 3600 + second, "validate", "bad" if 1800 <= second < 1809 else "good")
    ledger.flush(at, force=True)
    store = Incidents(where)
    id = store.begin(at - 1800, "phx", "acme")
    store.note(id, at - 1800, "out", function="validate", connection="fresh")
    problem = {"what": "does not answer", "where": "ctl1", "next": "", "region": "phx"}
    store.note(id, at - 1799, "agents", sentence="acme does not serve the VIP: 1 problem.", problems=[problem])
    store.note(id, at - 1791, "agents", sentence="acme is healthy: 3 hosts.", problems=[])
    store.note(id, at - 1795, "action", handler="compute-agent", text="nova-compute of cmp1 was restarted")
    store.note(id, at - 1791, "well", function="validate", connection="fresh", lasted_s=9)
    gap = {"longest_gap_s": 8.9, "worst_wait_s": None, "fail": 3, "unknown": 1}
    figures = {"validate": {"": gap}}
    store.note(id, at - 1791, "ended", interrupted=False, bad={"validate": 9}, unknown={}, figures=figures)
    entries = [
        [at - 1798, "ctl2", "haproxy", "ERROR", "keystone/ctl1 is DOWN\x1b[2J"],
        [at - 1797, "ctl2", "nova-api", "INFO", "GET /servers"],
    ]
    failures = {"ctl1": "ctl1 does not answer"}
    store.note(
        id, at - 1700, "logs", since=0, until=0, hosts={"ctl2": {}}, failures=failures, left_out=7, entries=entries
    )
    now = {"at": at, "functions": {"validate": "good"}, "unready": [], "incident": ""}
    replace_file(where / FILE, now)
    return cloud


def test_figures(watched: Path) -> None:
    done = run("watch", watched, "--once")
    assert done.exit_code == 0
    assert "all that is watched is well." in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("validate"))
    assert "99.7500 %" in row
    assert "0.1 of 52.6 min" in row
    assert "25 " in row  # the burn rate of the hour: 9 of 3600 s, over 1 in 10,000
    document = json.loads(run("watch", watched, "--once", "--json").stdout)
    [figures] = document["regions"]["phx"]["functions"]
    assert (figures["bad_s"], figures["minutes_used"]) == (9, 0.15)
    assert figures["burn_rate"]["1 h"] == pytest.approx(25, rel=0.05)


def test_a_watch_that_no_longer_runs_says_so(watched: Path) -> None:
    replace_file(folder(watched) / FILE, {"at": time.time() - 60, "functions": {}, "unready": [], "incident": ""})
    done = run("watch", watched, "--once")
    assert (done.exit_code, "what is now is unknown" in done.stdout) == (2, True)


def test_what_is_out_now_is_the_exit_code(watched: Path) -> None:
    now = {"at": time.time(), "functions": {"validate": "bad"}, "unready": [], "incident": "X"}
    replace_file(folder(watched) / FILE, now)
    done = run("watch", watched, "--once")
    assert (done.exit_code, "out now: validate. Incident X goes on." in done.stdout) == (1, True)


def test_a_cloud_that_was_never_watched(cloud: Path) -> None:
    done = run("watch", cloud, "--once")
    assert (done.exit_code, "was never watched" in done.stdout) == (2, True)
    assert run("incident", cloud).stdout == ""


def test_what_happened_at_that_time(watched: Path) -> None:
    done = run("incident", watched, "30m")
    assert done.exit_code == 0
    said = done.stdout
    assert "9 s." in said.splitlines()[0]
    assert "When it began: acme does not serve the VIP: 1 problem." in said
    assert "validate: 9 s bad; longest gap 8.90 s, worst wait unknown; 3 failed, 1 unknown" in said
    order = [
        "is out",
        "✗ ctl1: does not answer",
        "ERROR  keystone/ctl1 is DOWN",
        "compute-agent",
        "is well",
        "all is well",
    ]
    places = [said.index(what) for what in order[:4]]
    assert places == sorted(places)
    assert all(what in said for what in order)
    assert "\x1b" not in said
    assert "no longer: ctl1: does not answer" in said
    assert "no journal of ctl1: ctl1 does not answer" in said
    assert "7 lines of the journals did not fit" in said
    assert "GET /servers" not in said
    [listed] = json.loads(run("incident", watched, "--json").stdout)["incidents"]
    assert "GET /servers" in run("incident", watched, listed["id"], "--all").stdout
    assert listed["id"] in run("incident", watched).stdout
    whole = json.loads(run("incident", watched, listed["id"], "--json").stdout)
    assert whole["lines"][0]["what"] == "began"


def test_a_moment_without_an_incident_is_well_or_unknown(watched: Path) -> None:
    well = run("incident", watched, "10m")
    assert (well.exit_code, "nothing was out" in well.stderr) == (1, True)
    unknown = run("incident", watched, "2d")
    assert (unknown.exit_code, "unknown: nobody watched" in unknown.stderr) == (1, True)
    with pytest.raises(FourninesError, match="there is no incident"):
        run("incident", watched, "20200101T000000Z")
    with pytest.raises(UsageError, match="is no moment"):
        run("incident", watched, "yesterday")


def test_a_damaged_file_hides_no_other(watched: Path) -> None:
    (folder(watched) / "incidents" / "20200101T000000Z.jsonl").write_bytes(b'{"at": 1, "wh\xff')
    assert len(run("incident", watched).stdout.splitlines()) == 1


def test_wrong_wishes(cloud: Path) -> None:
    with pytest.raises(UsageError, match="no function that is watched"):
        run("watch", cloud, "--functions", "validat")
    with pytest.raises(UsageError, match="--json is for --once"):
        run("watch", cloud, "--json")
    with pytest.raises(FourninesError, match="never applied"):
        run("watch", cloud)
    with pytest.raises(UsageError, match="has no handler") as caught:
        run("watch", cloud, "--resume", "compute-agnt")
    assert "compute-agent" in caught.value.next


def test_a_handler_that_was_stopped_is_shown_and_can_be_resumed(watched: Path) -> None:
    condition = {"when": "daemon.down", "host": "cmp1", "of": "nova-compute", "text": ""}
    state = {"stopped": [["compute-agent", condition, "restart did not help"]]}
    replace_file(folder(watched) / act.STATE, state)
    append(folder(watched) / act.ACTIONS, {"handler": "compute-agent", "do": "restart"})
    said = run("watch", watched, "--once").stdout
    assert (
        "Handler compute-agent does nothing more about daemon.down nova-compute of cmp1: restart did not help." in said
    )
    region = json.loads(run("watch", watched, "--once", "--json").stdout)["regions"]["phx"]
    assert region["actions"][0]["do"] == "restart"
    assert run("watch", watched, "--resume", "compute-agent").exit_code == 0
    assert (folder(watched) / act.RESUME / "compute-agent").exists()


def test_the_unit_is_one_that_systemd_takes(cloud: Path, tmp_path: Path) -> None:
    text = run("export", "watch-unit", cloud, "--ssh-key", "/etc/keys/50% $key").stdout
    assert f"LoadCredential=cloud.yaml:{cloud}" in text
    assert "LoadCredential=ssh-key:/etc/keys/50%% $$key" in text
    for line in ("DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="):
        assert line in text.splitlines()
    if shutil.which("systemd-analyze"):
        unit = tmp_path / "fournines-watch.service"
        unit.write_text(text)
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
        assert "fournines-watch.service" not in done.stderr, done.stderr
