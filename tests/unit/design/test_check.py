"""`check` as a whole: a sound cloud, what is accepted, a wrong file, what plan and apply refuse."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fournines import design
from fournines.cloud.roles import EVERY_HOST, SHIPPED
from fournines.design import RULES, check_file, findings, require_valid
from fournines.errors import CloudFileError
from fournines.services import load, registry
from samples.sound import SECOND, SOUND, Check

EXAMPLES = Path(__file__).parents[3] / "examples"
CLOUD_FILES = sorted(p for p in EXAMPLES.glob("*.yaml") if not p.name.endswith(".secrets.yaml"))


def test_a_sound_cloud_has_nothing_to_report(check: Check) -> None:
    assert check() == []
    assert check(after=SECOND) == []


@pytest.mark.parametrize("path", CLOUD_FILES, ids=lambda p: p.name)
def test_examples_are_sound(path: Path) -> None:
    assert check_file(path)[1] == ()


def test_every_service_has_a_role_that_hosts_can_have() -> None:
    for service in registry().values():
        assert service.roles or (set(service.beside) <= set(registry()) and service.beside), service.name
        assert set(service.roles) <= {*SHIPPED, EVERY_HOST}, service.name


def test_rules_have_distinct_names() -> None:
    assert len({r.id for r in RULES}) == len(RULES)


# What is accepted


def test_an_accepted_error_is_a_warning_with_its_reason(check: Check) -> None:
    two = ("      ctl3: {zone: rack3, address: 198.18.0.13, roles: [controller]}\n", "")
    found = check(two, after="accept: {quorum-size: third host is on its way}\n")
    assert [(f.rule, f.severity, f.accepted) for f in found] == [("quorum-size", "warning", "third host is on its way")]


def test_only_rules_that_bend_can_be_accepted(check: Check) -> None:
    found = check(after="accept: {quorum-sise: x, vip-taken: y}\n")
    assert [(f.what, f.change) for f in found] == [
        ("there is no rule quorum-sise", "did you mean quorum-size?"),
        (
            "vip-taken cannot be accepted",
            "known here: bmc-network, bmc-unverified, local-volumes, lun-device, no-firewall, not-encrypted, "
            "partly-attached, quorum-size, repeated-requests, shared-power, shared-switch, shared-zone, and 6 more",
        ),
    ]
    assert {f.severity for f in found} == {"error"}


# check and the refusal


def test_a_wrong_file_is_reported_with_its_options_and_timers_but_not_its_design(check: Check) -> None:
    found = check(
        ("zone: rack2", "zone: rack9"),
        ("internal: 198.18.0.100", "internal: 198.18.9.100"),
        after="timing: {overrides: {evs_suspect: 1, nonsense: 2}}\nservices: {base: {options: {x.conf: {y: 1}}}}\n",
    )
    assert [f.rule for f in found] == ["file", "timers", "file", "unknown-option"]
    assert [f.line for f in found] == sorted(f.line for f in found)


def test_errors_come_before_warnings(check: Check) -> None:
    found = check(("pdu-c", "pdu-b"), after="timing: {overrides: {evs_suspect: 1}}\n")
    assert [f.severity for f in found] == ["error", "warning"]


def test_no_cloud_no_design(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text("a: [\n")
    cloud, found = check_file(path)
    assert cloud is None
    assert [f.rule for f in found] == ["file"]


def test_plan_and_apply_refuse_what_check_calls_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(SOUND.replace("pdu-c", "pdu-b"))
    require_valid(load(path))
    path.write_text(SOUND.replace("198.18.0.100", "198.18.9.100") + "timing: {overrides: {nonsense: 1}}\n")
    with pytest.raises(CloudFileError) as refused:
        require_valid(load(path))
    assert [p.path for p in refused.value.problems] == ["timing.overrides.nonsense", "regions.phx.vips.internal"]
    assert "2 errors" in str(refused.value)
    assert f"fournines check {path}" in str(refused.value)


def test_ten_thousand_hosts_are_judged_in_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    text = SOUND.replace("198.18.0.0/24", "198.18.0.0/16").replace("198.18.1.0/24", "198.19.0.0/16")
    text = text.replace("public: 198.18.1.100", "public: 198.19.0.100")
    path.write_text(text + "      cmp[00001-10000]: {zone: rack1, address: 198.18.1.1+, roles: [compute]}\n")
    before = time.process_time()
    assert findings(load(path)) == ()
    assert time.process_time() - before < 5  # quadratic would be minutes


def test_the_package_shows_what_others_need() -> None:
    assert set(design.__all__) == {"RULES", "Finding", "Rule", "check_file", "findings", "require_valid"}
