"""`fournines check` as a person and a program see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fournines.cli.check import command

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(w) for w in words], catch_exceptions=False)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "cloud.yaml"
    text = EXAMPLE.read_text().replace("public: 198.18.1.100", "public: 198.18.7.100").replace("pdu-c", "pdu-b")
    path.write_text(text)
    return path


def test_a_sound_cloud() -> None:
    result = run(EXAMPLE)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "votes for the VIP in phx: ctl1, ctl2, ctl3 (can hold the VIP)",
        "acme: 3 hosts in 3 zones of phx: nothing to report",
    ]


def test_it_says_who_votes_and_why() -> None:
    pair = EXAMPLE.parent / "two-controllers-witness.yaml"
    said = "votes for the VIP in phx: ctl1, ctl2 (can hold the VIP), wit1 (witness)"
    assert run(pair).stdout.splitlines()[0] == said
    votes = json.loads(run("--json", pair).stdout)["voters"]
    assert votes == {"phx": {"ctl1": "can hold the VIP", "ctl2": "can hold the VIP", "wit1": "witness"}}


def test_where_nobody_votes_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(EXAMPLE.read_text().replace("{profile: lan}", "{profile: kolla-22.2}"))
    assert "votes for the VIP" not in run(path).stdout


def test_two_hosts_alone_cannot_vote(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    two = "".join(line for line in EXAMPLE.read_text().splitlines(True) if "ctl3" not in line)
    path.write_text(two + "accept: {quorum-size: a lab}\n")
    assert "ctl1, ctl2 (can hold the VIP); fewer than three cannot outvote anybody" in run(path).stdout


def test_every_finding_says_where_what_why_and_what_to_change(broken: Path) -> None:
    result = run(broken)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == f"error  {broken}:10:44  regions.phx.vips.public  [vip-outside]"
    assert lines[1] == "    the public VIP 198.18.7.100 is outside network public (198.18.1.0/24)"
    assert lines[3].startswith("    → an address of 198.18.1.0/24")
    assert lines[5].startswith("warning  ")
    assert lines[-1] == f"{broken}: 1 error, 1 warning"
    assert "\x1b" not in result.stdout
    assert all(line == line.rstrip() for line in lines)


def test_warnings_alone_exit_0(broken: Path) -> None:
    broken.write_text(broken.read_text().replace("198.18.7.100", "198.18.1.100"))
    result = run(broken)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "acme: 3 hosts in 3 zones of phx: 1 warning"


def test_an_accepted_finding_quotes_its_reason(broken: Path) -> None:
    text = broken.read_text().replace("198.18.7.100", "198.18.1.100")
    broken.write_text(text + "accept: {shared-power: the second feed comes in May}\n")
    result = run(broken)
    assert result.exit_code == 0
    assert "accepted: the second feed comes in May" in result.stdout
    assert "→" not in result.stdout


def test_json_is_complete(broken: Path) -> None:
    result = run("--json", broken)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["file"], document["errors"], document["warnings"]) == (str(broken), 1, 1)
    assert [f["rule"] for f in document["findings"]] == ["vip-outside", "shared-power"]
    assert set(document["findings"][0]) == {
        "rule", "severity", "file", "line", "column", "path", "what", "why", "change", "accepted",
    }  # fmt: skip


def test_what_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text("cloud: [\n")
    result = run(path)
    assert result.exit_code == 1
    assert "[file]" in result.stdout
    assert result.stdout.splitlines()[-1] == f"{path}: 1 error"
    assert json.loads(run("--json", path).stdout)["errors"] == 1
