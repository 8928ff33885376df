"""What `check` says of the release that the file wants."""

from __future__ import annotations

from pathlib import Path

from fournines.cloud.versions import Versions, beside, dumps
from fournines.design.check import check_file
from fournines.design.finding import Finding
from samples import clouds

CORE = (
    clouds.tiered(1, 6, 6, {"controller": 3})
    .replace("components: full", "components: core")
    .replace('release: "2025.1"', 'release: "2026.2"')
)


def found(tmp_path: Path, text: str) -> dict[str, Finding]:
    path = tmp_path / "cloud.yaml"
    path.write_text(text)
    return {finding.rule: finding for finding in check_file(path)[1] if finding.severity == "error"}


def test_a_step_that_nobody_has_tried_is_an_error_at_its_line(tmp_path: Path) -> None:
    wide = found(tmp_path, CORE.replace("components: core", "components: full"))["release-step"]
    assert (wide.line, wide.what) == (2, "the cloud cannot go to 2026.2")
    assert "leaves out 2026.1" in wide.why
    assert "release-step" not in found(tmp_path, CORE)


def test_a_way_that_nobody_has_gone_to_its_end_is_an_error_that_can_be_accepted(tmp_path: Path) -> None:
    untried = found(tmp_path, CORE)["untried-release"]
    assert (untried.line, untried.what) == (2, "the whole way from 2025.1 to 2026.2 has not been tried")
    assert "untried-release" not in found(tmp_path, CORE + "accept: {untried-release: a rehearsal in the lab}\n")
    assert "untried-release" not in found(tmp_path, CORE.replace("components: core", "components: full")), (
        "no way at all"
    )


def test_the_lock_beside_the_file_says_from_where(tmp_path: Path) -> None:
    beside(tmp_path / "cloud.yaml", "archipelago").write_text(
        dumps(Versions(release="2026.2", since="2026-11-29T15:00:00Z"))
    )
    back = found(tmp_path, CORE.replace("2026.2", "2025.1"))["release-step"]
    assert "no release goes back" in back.why
    assert "release-step" not in found(tmp_path, CORE.replace("components: core", "components: full"))


def test_an_option_that_is_no_more_is_refused_with_what_is_in_its_place(tmp_path: Path) -> None:
    options = "services: {keystone: {options: {keystone.conf: {keystone_authtoken: {auth_uri: https://x}}}}}\n"
    gone = found(tmp_path, CORE + options)["unknown-option"]
    assert gone.what == "auth_uri in [keystone_authtoken] of keystone.conf is no more in 2026.2"
    assert gone.change == "www_authenticate_uri"
    assert gone.line == CORE.count("\n") + 1
    assert "unknown-option" not in found(tmp_path, CORE.replace("2026.2", "2025.1") + options)


def test_an_option_that_is_new_is_known_in_its_release_alone(tmp_path: Path) -> None:
    options = "services: {keystone: {options: {keystone.conf: {cache: {socket_timeout: 2}}}}}\n"
    assert "unknown-option" not in found(tmp_path, CORE + options)
    assert "unknown-option" in found(tmp_path, CORE.replace("2026.2", "2025.1") + options)
