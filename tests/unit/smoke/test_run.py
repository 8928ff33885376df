"""A smoke test's course, without a cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.errors import UsageError
from fournines.smoke.model import PREFIX, NotHereError, Result, Site, Step
from fournines.smoke.run import CLEAN, run
from fournines.smoke.steps import STEPS, chosen
from fournines.smoke.sweep import sweep
from samples import cases


@pytest.fixture
def site(tmp_path: Path) -> Site:
    cloud = cases.Case(Path("none"), {"cloud": {"components": ["placement"]}}).cloud(tmp_path)
    return Site(cloud, cloud.regions["phx"], None, tmp_path / "ca.pem", timeout=0.0)


def passes(_: Site) -> str:
    return "it works"


def fails(_: Site) -> str:
    raise RuntimeError("503:\n  no")


def nothing(_: Site) -> tuple[str, ...]:
    return ()


def outcomes(results: tuple[Result, ...]) -> dict[str, str]:
    return {r.name: r.outcome for r in results}


def test_what_the_cloud_does_not_carry_is_skipped_and_never_passed(site: Site) -> None:
    results = run(site, [Step("volume", "", ("cinder",), passes)], nothing, lambda _: None)
    assert outcomes(results) == {"volume": "skipped", CLEAN: "passed"}
    assert results[0].said == "the cloud has no cinder"


def test_what_builds_on_a_failure_is_not_tried(site: Site) -> None:
    steps = [Step("a", "", ("keystone",), fails), Step("b", "", (), passes, after=("a",)), Step("c", "", (), passes)]
    results = run(site, steps, nothing, lambda _: None)
    assert outcomes(results) == {"a": "failed", "b": "skipped", "c": "passed", CLEAN: "passed"}
    assert results[0].said == "503: no"


def test_what_a_cloud_is_not_meant_to_do_is_no_failure(site: Site) -> None:
    def unable(_: Site) -> str:
        raise NotHereError("its driver keeps nothing")

    results = run(site, [Step("attach", "", (), unable)], nothing, lambda _: None)
    assert (results[0].outcome, results[0].said) == ("skipped", "its driver keeps nothing")


def test_an_interruption_cleans_up(site: Site) -> None:
    swept: list[int] = []

    def interrupted(_: Site) -> str:
        raise KeyboardInterrupt

    def counting(_: Site) -> tuple[str, ...]:
        swept.append(1)
        return ()

    with pytest.raises(KeyboardInterrupt):
        run(site, [Step("a", "", (), interrupted)], counting, lambda _: None)
    assert len(swept) == 2, "before and after"


def test_what_is_left_behind_fails_the_run(site: Site) -> None:
    left = iter([(), ("a server is still there",)])
    results = run(site, [], lambda _: next(left), lambda _: None)
    assert (results[0].outcome, results[0].said) == ("failed", "a server is still there")


class Images:
    """Glance: the first deletion of each is refused, as of something in use."""

    def __init__(self, *names: str) -> None:
        self.there = {name: {"id": name, "name": name} for name in names}
        self.refused: set[str] = set()

    def images(self) -> list[dict[str, str]]:
        return list(self.there.values())

    def delete_image(self, image: dict[str, str]) -> None:
        if image["id"] not in self.refused:
            self.refused.add(image["id"])
            raise RuntimeError("409: in use")
        del self.there[image["id"]]


def test_only_what_is_named_as_a_run_s_is_removed_and_conflicts_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    cloud = cases.Case(Path("none"), {"cloud": {"components": ["glance"]}}).cloud(tmp_path)
    images = Images("debian-13", PREFIX)
    connection = type("Connection", (), {"image": images})
    assert sweep(Site(cloud, cloud.regions["phx"], connection, tmp_path)) == ()
    assert list(images.there) == ["debian-13"]


def test_what_cannot_be_removed_is_said(tmp_path: Path) -> None:
    cloud = cases.Case(Path("none"), {"cloud": {"components": ["glance"]}}).cloud(tmp_path)
    connection = type("Connection", (), {"image": Images(PREFIX)})
    left = sweep(Site(cloud, cloud.regions["phx"], connection, tmp_path, timeout=-1.0))
    assert left == ("image still there: 409: in use",)


def test_chosen_steps_bring_what_they_build_on() -> None:
    assert [s.name for s in chosen(["attach"])] == ["image", "network", "port", "server", "volume", "attach"]
    with pytest.raises(UsageError, match="no step volumes"):
        chosen(["volumes"])


def test_steps_come_after_what_they_build_on() -> None:
    names = [s.name for s in STEPS]
    assert all(names.index(a) < names.index(s.name) for s in STEPS for a in s.after)
