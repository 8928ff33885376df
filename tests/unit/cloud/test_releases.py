"""Releases: what is one, and which step between two is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fournines.cloud import releases
from fournines.cloud.releases import Release
from fournines.cloud.versions import FIRST, Upgrade, Versions, dumps, parse
from fournines.errors import CloudFileError
from fournines.services import load, registry
from samples import clouds

CORE = ("keystone", "mariadb", "rabbitmq", "haproxy")


def test_each_release_has_what_it_is_known_by() -> None:
    known = releases.releases()
    assert list(known) == sorted(known)
    assert FIRST in known
    for release in known.values():
        assert set(release.together) <= set(registry())
        for tried in release.tried.values():
            assert tried.services <= set(registry())
        assert set(release.tried) <= set(known)


def test_a_step_that_has_been_tried_with_what_the_cloud_carries() -> None:
    assert releases.refusal("2025.1", "2026.2", CORE) == ("", "")
    assert releases.refusal("2026.2", "2026.2", [*CORE, "nova"]) == ("", "")


def test_what_nobody_has_seen_of_a_step_is_said() -> None:
    assert "RabbitMQ anew, has not been seen" in releases.unseen("2025.1", "2026.2")
    assert releases.unseen("2025.1", "2025.2") == ""


def test_a_step_over_a_slurp_release_is_refused_where_nobody_has_tried_it() -> None:
    why, change = releases.refusal("2025.1", "2026.2", [*CORE, "nova", "glance"])
    assert "leaves out 2026.1" in why
    assert "has not been tried with glance, nova" in why
    assert change == "stay with 2025.1 until a suite of Debian has one"


def test_a_cloud_of_a_release_that_is_not_known_here() -> None:
    assert "which this fournines does not know" in releases.refusal("2031.1", "2026.2", CORE)[0]


def test_back_and_to_where_debian_does_not_go() -> None:
    assert "no release goes back" in releases.refusal("2026.2", "2025.1", CORE)[0]
    why, change = releases.refusal("2025.1", "2026.1", CORE)
    assert why == "no suite of Debian that fournines knows has 2026.1"
    assert change == "release: 2026.2"


def test_upstreams_rule() -> None:
    known = list(releases.releases().values())
    assert releases.supported(known, "2025.1", "2025.2")
    assert releases.supported(known, "2025.1", "2026.1")
    assert not releases.supported(known, "2025.1", "2026.2")
    assert not releases.supported(known, "2025.2", "2026.2")


def test_a_step_that_upstream_supports_needs_no_try_of_ours() -> None:
    known = {"2025.1": Release("2025.1", True, ("trixie",), {}), "2025.2": Release("2025.2", False, ("forky",), {})}
    assert releases.refusal_of(known, "2025.1", "2025.2", ["nova"]) == ""


def test_the_file_names_one_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(clouds.tiered(1, 6, 6).replace('"2025.1"', '"2024.9"'))
    with pytest.raises(CloudFileError) as error:
        load(path)
    [problem] = error.value.problems
    assert problem.message == "unknown release 2024.9"
    assert problem.line == 2


def test_the_lock_has_the_release_and_the_way_to_another() -> None:
    assert parse('{"locked": {}, "since": "", "upgrade": null}').release == FIRST, "one of before"
    lock = Versions({"a": "1"}, "2026-11-29T15:00:00Z", Upgrade({}, "me", release="2026.2", suite="forky"))
    lock = replace(lock, upgrade=replace(lock.upgrade, renewed=("ctl1",))) if lock.upgrade else lock
    assert parse(dumps(lock)) == lock
    assert lock.changing
    assert (lock.release_of("ctl1"), lock.release_of("ctl2")) == ("2026.2", "2025.1")
    for word in ("2026.2; reboot", "$(x)"):
        with pytest.raises(ValueError, match="not a release"):
            parse(dumps(replace(lock, release=word)))
