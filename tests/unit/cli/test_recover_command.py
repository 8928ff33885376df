"""`recover` as typed: what is shown, what is refused, what is asked, and what the cloud file is then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fournines.cli import recover as command
from fournines.cloud.model import Cloud
from fournines.commands import recover_fence as fencing
from fournines.design import require_valid
from fournines.engine.transport import Completed
from fournines.errors import FourninesError, UsageError
from fournines.services import load
from samples.rescue import ALONE, Site, evidence

GONE = ("--gone", "ctl2,ctl3")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    made = Site(monkeypatch, tmp_path, "ctl2", "ctl3")
    made.hosts["ctl1"].said = json.loads(json.dumps(ALONE))

    def load_cloud(path: Path) -> Cloud:
        return made.cloud

    monkeypatch.setattr(command, "load_cloud", load_cloud)
    return made


def recover(site: Site, *words: str, answer: str = "") -> Result:
    return CliRunner().invoke(command.command, [str(site.cloud.source), *words], input=answer)


def test_without_a_decision_it_says_what_is_missing_and_changes_nothing(site: Site) -> None:
    before = site.cloud.source.read_text()
    done = recover(site)
    assert done.exit_code == 1, done.output
    assert "no majority is left (phx: ctl1)" in done.output
    assert "  seen    mariadb: 1 of 3 members answer (ctl1)" in done.output
    assert "  choose  --gone ctl2,ctl3, if they are lost for good and off" in done.output
    assert site.cloud.source.read_text() == before
    assert site.hosts["ctl1"].acts == []


def test_the_lost_hosts_leave_the_file_of_which_a_copy_stays(site: Site) -> None:
    before = site.cloud.source.read_text()
    done = recover(site, *GONE, "--yes")
    assert done.exit_code == 0, done.output
    assert site.switched == ["ctl2", "ctl3"]
    text = site.cloud.source.read_text()
    assert "ctl1:" in text
    assert "ctl2:" not in text
    accepted = (
        f"recovered {copies(site)[0].name[-16:]} without ctl2, ctl3; take this out once others are in their place"
    )
    made = load(site.cloud.source)
    require_valid(made)
    assert made.accept == {"single-copy": accepted, "quorum-size": accepted}
    (copy,) = copies(site)
    assert copy.read_text() == before
    assert "fournines scale" in done.output
    assert "--add ctl2:rack2:198.18.0.12:controller" in done.output
    assert "kept: ctl1:/var/lib/rabbitmq/mnesia.kept-" in done.output


def copies(site: Site) -> list[Path]:
    return list(site.cloud.source.parent.glob("cloud.yaml.kept-*"))


def test_a_dry_run_shows_all_of_it(site: Site) -> None:
    done = recover(site, *GONE, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "  off     ctl2: the lab switches it off" in done.output
    assert "database on 1 host" in done.output
    assert "then, phase leave:" in done.output
    assert site.hosts["ctl1"].acts == []
    assert site.switched == []


def test_json_says_the_same(site: Site) -> None:
    document = json.loads(recover(site, *GONE, "--dry-run", "--json").output)
    (finding,) = document["findings"]
    assert (finding["kind"], finding["hosts"]) == ("majority", ["ctl1"])
    assert document["switches"] == [{"host": "ctl2", "by": "lab"}, {"host": "ctl3", "by": "lab"}]
    assert [phase["phase"] for phase in document["phases"]] == ["leave", "forget", "done"]


def test_a_cloud_that_is_well(site: Site) -> None:
    site.gone.clear()
    site.hosts["ctl1"].said = evidence()
    done = recover(site)
    assert done.exit_code == 0
    assert done.output.startswith("Nothing has to be recovered.")


def test_what_nothing_here_can_switch_off_wants_the_operators_word(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fencing.lab, "exists", lambda name: False)
    done = recover(site, *GONE, "--yes")
    assert isinstance(done.exception, UsageError)
    assert "nothing here can switch ctl2 and ctl3 off" in str(done.exception)
    assert site.hosts["ctl1"].acts == []
    done = recover(site, *GONE, "--yes", "--switched-off")
    assert done.exit_code == 0, done.output
    assert site.hosts["ctl1"].said["database"]["primary"]


@pytest.mark.parametrize("words", [(*GONE,), (*GONE, "--json"), (*GONE, "--hosts", "ctl1", "--yes")])
def test_nobody_there_to_answer(site: Site, words: tuple[str, ...]) -> None:
    done = recover(site, *words)
    assert isinstance(done.exception, UsageError)
    assert site.hosts["ctl1"].acts == []


# Power


async def test_a_controller_is_asked_by_a_host_that_is_left(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = _with_bmc(site, monkeypatch)
    first, second = fencing.switches(cloud, ("ctl2", "ctl3"))
    assert (first.by, second.by) == ("controller", "person")
    ctl1 = site.hosts["ctl1"]
    ctl1.answers["recovery-fence.py"] = Completed(0, "off\n", "")
    await fencing.fence(cloud, first, {"ctl1": ctl1})
    assert "ForceOff" in ctl1.files[fencing.PROGRAM][0].decode()
    assert b"secret-of-the-controller" not in ctl1.files[fencing.PROGRAM][0]
    ctl1.answers["recovery-fence.py"] = Completed(1, "", "the power controller does not do it: timed out")
    with pytest.raises(FourninesError, match="ctl2 could not be switched off") as caught:
        await fencing.fence(cloud, first, {"ctl1": ctl1})
    assert "timed out" in caught.value.why
    assert "--switched-off" in caught.value.next


def _with_bmc(site: Site, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    from dataclasses import replace
    from ipaddress import IPv4Address

    from fournines.cloud.model import Bmc
    from fournines.services import pacemaker

    monkeypatch.setattr(fencing.lab, "exists", lambda name: False)
    region = site.cloud.regions["phx"]
    hosts = tuple(replace(h, bmc=Bmc(IPv4Address("198.18.0.202"))) if h.name == "ctl2" else h for h in region.hosts)
    cloud = replace(site.cloud, regions={"phx": replace(region, hosts=hosts)})
    cloud.secrets.set(pacemaker.password("ctl2"), "secret-of-the-controller")
    return cloud
