"""`prove A --beside B`: which two clouds can be set side by side, how they share the machine, and what is struck."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner

from fournines import lab
from fournines.cli.main import cli
from fournines.cloud.model import Cloud
from fournines.commands import beside, proof
from fournines.commands.beside import Sharing, brought_up, memory, require_apart, shared, sharing
from fournines.commands.proof import Operator, prove
from fournines.commands.proof_plan import Wish, plan_of
from fournines.errors import CloudFileError, FourninesError, LabError, UsageError
from fournines.prove.faults.selection import select
from fournines.prove.run import Order
from fournines.prove.site import Lengths, Site
from fournines.services import load
from samples.campaign import campaign

EXAMPLES = Path(__file__).parents[3] / "examples"
ACTIVE, PASSIVE = EXAMPLES / "three-controllers.yaml", EXAMPLES / "mariadb-replica.yaml"
NEEDS = {"acme": 2.4, "pair": 2.1}


@pytest.fixture(scope="module")
def clouds() -> tuple[Cloud, Cloud]:
    return load(ACTIVE), load(PASSIVE)


def changed(directory: Path, source: Path, *changes: tuple[str, str]) -> Path:
    text = source.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = directory / source.name
    path.write_text(text)
    return path


def wish(**changes: Any) -> Wish:
    usual: dict[str, Any] = dict.fromkeys(("duration", "baseline", "region"))
    usual |= {"faults": "host.power_off@vip", "functions": "", "command": "again"}
    usual |= {"busy": False, "repeat": 1, "force": False, "yes": False}
    return Wish(**(usual | dataclasses.asdict(Lengths()) | changes))


def test_labs_that_are_up_are_struck_in_turns() -> None:
    assert shared(NEEDS, ["acme", "pair"], available=0.1) == Sharing(
        (), True, "acme and pair are there at the same time, and their runs are interleaved"
    )


def test_a_lab_that_is_missing_is_brought_up_beside_the_other_where_it_fits() -> None:
    found = shared(NEEDS, ["acme"], available=2.1)
    assert (found.missing, found.together) == (("pair",), True)
    assert "pair is brought up before, and taken down at the end" in found.said


def test_labs_that_do_not_fit_beside_each_other_follow_one_another() -> None:
    found = shared(NEEDS, [], available=4.0)
    assert (found.missing, found.together) == (("acme", "pair"), False)
    assert "take about 4.5 GB, and 4.0 GB of memory are available" in found.said


@pytest.mark.parametrize(
    ("up", "available", "says", "then"),
    [
        (["acme"], 2.0, "pair does not fit beside acme", "lab down acme"),
        ([], 2.0, "acme takes about 2.4 GB", "fewer hosts"),
    ],
)
def test_nobody_s_lab_is_taken_down_for_another(up: list[str], available: float, says: str, then: str) -> None:
    with pytest.raises(LabError, match=says) as caught:
        shared(NEEDS, up, available)
    assert then in caught.value.next


def test_what_a_lab_takes_grows_with_what_runs_on_it() -> None:
    """The lab of `full-cloud.yaml` takes 16 to 18 GiB, so that two of them do not fit into 24."""
    core, whole = (memory(load(EXAMPLES / name)) for name in ("three-controllers.yaml", "full-cloud.yaml"))
    assert 3 * 0.57 < core < 4
    assert 14 < whole < 20


def test_a_cloud_is_not_set_beside_itself(clouds: tuple[Cloud, Cloud]) -> None:
    with pytest.raises(UsageError, match="beside itself"):
        require_apart(clouds[0], load(ACTIVE))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("cloud: pair", "cloud: acme")], "both describe a cloud acme"),
        ([("198.18.66.", "198.18.1."), ("198.18.67.", "198.18.2.")], "share addresses"),
    ],
)
def test_clouds_that_share_a_name_or_addresses(
    changes: list[tuple[str, str]], says: str, clouds: tuple[Cloud, Cloud], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        require_apart(clouds[0], load(changed(tmp_path, PASSIVE, *changes)))
    assert caught.value.next


def test_hosts_that_are_no_lab_s(clouds: tuple[Cloud, Cloud], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "exists", lambda _name: False)
    real = load(changed(tmp_path, PASSIVE, ("198.18.", "10.18.")))
    with pytest.raises(UsageError, match="no lab's") as caught:
        sharing([clouds[0], real])
    assert "10.18." in caught.value.why
    assert "prove" in caught.value.next


def test_one_cloud_alone_is_asked_nothing(clouds: tuple[Cloud, Cloud]) -> None:
    assert sharing(clouds[:1]) == Sharing()


def places(*clouds: Cloud) -> list[tuple[Cloud, str]]:
    return [(cloud, "phx") for cloud in clouds]


def test_what_both_have_is_struck_and_what_one_lacks_is_said(clouds: tuple[Cloud, Cloud]) -> None:
    asked = "host.power_off@vip host.power_off@dc host.reset@ctl3 service.kill@mariadb service.kill@keepalived"
    found = select(asked.split(), places(*clouds))
    assert [str(f) for f in found.faults] == ["host.power_off@vip", "service.kill@mariadb+writer"]
    assert [(cloud.name, str(fault), why) for cloud, fault, why in found.absent] == [
        ("acme", "host.power_off@dc", "there is no host that is dc"),
        ("pair", "host.reset@ctl3", "there is no target 'ctl3'"),
        ("pair", "service.kill@keepalived+vip", "there is no service 'keepalived'"),
    ]


def test_a_word_that_no_cloud_knows_is_an_error(clouds: tuple[Cloud, Cloud]) -> None:
    with pytest.raises(FourninesError, match="there is no fault"):
        select(["host.powr_off@vip", "host.power_off@vip"], places(*clouds))


def test_no_fault_in_common_is_refused_with_what_is_in_the_way(clouds: tuple[Cloud, Cloud]) -> None:
    with pytest.raises(FourninesError, match="no fault that was named can be injected on acme and pair") as caught:
        select(["host.power_off@dc", "service.kill@keepalived"], places(*clouds))
    assert "host.power_off@dc on acme: there is no host that is dc" in caught.value.why


def test_the_plan_says_what_is_not_measured(clouds: tuple[Cloud, Cloud]) -> None:
    plan = plan_of(places(*clouds), wish(faults="host.power_off@vip,host.power_off@dc"), ("validate",))
    said = plan.said(3, 2)
    assert "not measured, for acme cannot be struck with it: host.power_off@dc: there is no host that is dc" in said
    assert "1 fault, each 3 times on each cloud: about" in said


def test_a_suite_is_all_that_either_cloud_has(clouds: tuple[Cloud, Cloud]) -> None:
    alone = plan_of(places(clouds[0]), wish(suite="standard"), ("validate",))
    both = plan_of(places(*clouds), wish(suite="standard"), ("validate",))
    asked = {*both.faults, *(fault for _, fault, _ in both.absent)}
    assert set(alone.faults) <= asked
    assert alone.absent == ()
    assert "service.freeze@rabbitmq+leader" in {str(f) for cloud, f, _ in both.absent if cloud.name == "pair"}


class Ran:
    """What `prove` makes of its clouds, as far as the campaign: no host is there to be struck."""

    def __init__(self, patch: pytest.MonkeyPatch, how: Sharing) -> None:
        self.said: list[str] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        patch.setattr(proof, "sharing", lambda _clouds: how)
        patch.setattr(proof, "local_lock", lambda _state: nullcontext())
        patch.setattr(proof, "opened", self.open)
        patch.setattr(proof, "run", self.run)
        patch.setattr(lab, "exists", lambda _name: True)

    @asynccontextmanager
    async def open(self, place: Any, *_: Any, **how: Any) -> AsyncGenerator[Site, None]:
        self.functions = how["functions"]
        self.opened.append(place.cloud.name)
        yield cast(Site, SimpleNamespace(cloud=place.cloud))
        self.closed.append(place.cloud.name)

    async def run(self, order: Order, directory: Path, ready: Any) -> Any:
        self.order, self.directory = order, directory
        for subject in order.subjects:
            async with ready(subject) as site:
                assert site.cloud.name == subject.cloud
        return campaign()

    def operator(self) -> Operator:
        return Operator(self.said.append, lambda: "", lambda: nullcontext(cast(Any, None)))


def test_one_run_is_kept_beside_the_first_cloud(clouds: tuple[Cloud, Cloud], monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran(monkeypatch, Sharing(("acme", "pair"), True, "both at once"))
    prove(clouds, wish(faults="host.power_off@vip,host.power_off@dc"), ran.operator())
    assert [s.cloud for s in ran.order.subjects] == ["acme", "pair"]
    assert [(a.subject.cloud, str(a.fault)) for a in ran.order.absent] == [("acme", "host.power_off@dc")]
    assert ran.directory.parent == clouds[0].state_dir / "runs"
    assert (ran.opened, ran.closed) == (["acme", "pair"], ["pair", "acme"])
    assert ran.said[0].startswith("both at once")


def test_one_after_the_other_each_is_there_only_for_its_own_runs(
    clouds: tuple[Cloud, Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = Ran(monkeypatch, Sharing(("acme", "pair"), False, "in turn"))
    prove(clouds, wish(), ran.operator())
    assert not ran.order.together
    assert (ran.opened, ran.closed) == (["acme", "pair"], ["acme", "pair"])


def test_functions_that_only_one_serves_are_left_out_and_named(
    clouds: tuple[Cloud, Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = load(EXAMPLES / "small-cloud.yaml")
    ran = Ran(monkeypatch, Sharing(("pair", more.name), True, "both at once"))
    prove([clouds[1], more], wish(), ran.operator())
    assert "validate" in ran.functions
    assert "list_servers" not in ran.functions
    assert f"only {more.name} serves it" in ran.said[0] and "list_servers" in ran.said[0]
    with pytest.raises(UsageError, match="pair cannot do list_servers"):
        prove([clouds[1], more], wish(functions="list_servers"), ran.operator())


@pytest.mark.parametrize("words", [["--baseline", "kolla-22.2"], ["--soak", "--for", "1h"], ["--calm", "1m"]])
def test_what_does_not_go_with_it(words: list[str]) -> None:
    done = CliRunner().invoke(cli, ["prove", str(ACTIVE), "--beside", str(PASSIVE), *words])
    assert isinstance(done.exception, UsageError)
    assert "--beside" in str(done.exception)


def test_errors_in_the_second_file_are_its_own(tmp_path: Path) -> None:
    broken = changed(tmp_path, PASSIVE, ("roles: [witness]", "roles: [wittness]"))
    done = CliRunner().invoke(cli, ["prove", str(ACTIVE), "--beside", str(broken)])
    assert isinstance(done.exception, CloudFileError)
    assert broken.name in str(done.exception)


class Labs:
    """A lab that comes up, or does not."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        self.fails = ""
        patch.setattr(lab, "up", lambda _cloud, _say: self.do("up"))
        patch.setattr(lab, "down", lambda _name: self.do("down"))
        patch.setattr(lab, "access", lambda cloud: cloud)
        patch.setattr(beside, "_apply", self.apply)

    def do(self, what: str) -> None:
        self.did.append(what)
        if self.fails == what:
            raise LabError("ctl1 does not boot")

    async def apply(self, *_: object) -> None:
        self.do("apply")


@pytest.mark.parametrize("fails", ["", "up", "apply"])
async def test_a_lab_that_was_brought_up_is_taken_down(
    fails: str, clouds: tuple[Cloud, Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    labs = Labs(monkeypatch)
    labs.fails = fails
    reporter: Any = SimpleNamespace(phase=lambda _: None)
    with pytest.raises(LabError) if fails else nullcontext():
        async with brought_up(clouds[1], reporter):
            labs.did.append("struck")
    assert labs.did[-1] == "down"
    assert ("struck" in labs.did) is not fails or not fails


async def test_a_lab_is_taken_down_when_the_campaign_is_told_to_stop(
    clouds: tuple[Cloud, Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    labs = Labs(monkeypatch)
    reporter: Any = SimpleNamespace(phase=lambda _: None)

    async def campaigns() -> None:
        async with brought_up(clouds[1], reporter):
            await asyncio.sleep(60)

    task = asyncio.create_task(campaigns())
    while "apply" not in labs.did:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert labs.did == ["up", "apply", "down"]
