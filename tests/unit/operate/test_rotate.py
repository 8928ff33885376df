"""Rotations by their phases: what the secrets and the hosts are in each, and that any interruption is continued."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from fournines.cloud.model import Cloud
from fournines.cloud.secrets import Secrets
from fournines.errors import CloudFileError, LockedError, PlanError, UsageError
from fournines.operate import rotate
from fournines.plan import make
from fournines.plan.desired import desired
from fournines.plan.model import Plan
from fournines.plan.preview import carried_out, preview
from fournines.services import bus, fernet, openstack, registry, tls
from fournines.services.resource import File, Task
from samples import cases


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """A cloud that was applied: it has all of its secrets."""
    made = cases.Case(Path("none"), {"cloud": {"components": "compute"}}).cloud(tmp_path)
    applied = replace(made, secrets=Secrets.load(tmp_path / "cloud.secrets.yaml"))
    desired(applied, registry())
    return applied


def _steps(cloud: Cloud, *what: str) -> list[rotate.Step]:
    return list(rotate.steps(cloud, rotate.chosen(cloud, what), 1000.0, "operator@here"))


def _resources(cloud: Cloud, service: str, host: str = "ctl1") -> Mapping[str, object]:
    return {r.key: r for r in registry()[service].desired(cloud, cloud.host_by_name[host])}


def _plans(cloud: Cloud, *what: str) -> list[Plan]:
    """Of each phase, on hosts that carried out the one before."""
    before, plans = desired(cloud, registry()), []
    for step in _steps(cloud, *what):
        plans.append(preview(step.cloud, registry(), before, step.wanted))
        before = step.wanted
    return plans


def _document(cloud: Cloud, service: str, path: str) -> dict[str, object]:
    file = _resources(cloud, service)[f"file:{path}"]
    assert isinstance(file, File)
    return json.loads(file.content)


def test_hosts_that_carried_out_a_plan_have_nothing_left_to_do(cloud: Cloud) -> None:
    wanted = desired(cloud, registry())
    assert make.make(cloud, registry(), wanted, carried_out(wanted)).empty


def test_the_database_takes_both_passwords_while_clients_change_over(cloud: Cloud) -> None:
    old = cloud.secrets.get("keystone.database")
    accept, use, drop = (s.cloud for s in _steps(cloud, "database"))
    new = use.secrets.get("keystone.database")
    assert accept.secrets.get("keystone.database") == old != new == drop.secrets.get("keystone.database")
    tasks = [_resources(c, "mariadb")["task:databases and their accounts"] for c in (cloud, accept, use, drop)]
    counts = []
    for task in tasks:
        assert isinstance(task, Task)
        (line,) = [text for text in task.stdin.splitlines() if text.startswith("alter user 'keystone'")]
        counts.append(line.count("mysql_native_password using"))
    assert counts == [1, 2, 2, 1]
    assert tasks[1] == tasks[2], "the server is not asked for anything while clients change over"
    assert tasks[0] != tasks[3]


@pytest.mark.parametrize(
    ("what", "server"), [("database", "mariadb"), ("messaging", "rabbitmq"), ("service-users", "keystone")]
)
def test_each_phase_of_a_rotation_changes_one_side_alone(cloud: Cloud, what: str, server: str) -> None:
    accept, use, drop = _plans(cloud, what)
    servers = {server}
    bookkeeping = {"remember", "remove"}
    assert {stage.name for stage in accept.stages} - bookkeeping == servers
    assert {stage.name for stage in drop.stages} - bookkeeping == servers
    changed = {stage.name for stage in use.stages}
    assert {"nova", "neutron"} <= changed
    assert server not in changed


def test_the_bus_gets_a_second_account_and_loses_the_first(cloud: Cloud) -> None:
    accept, use, drop = (s.cloud for s in _steps(cloud, "messaging"))
    region = cloud.hosts[0].region

    def names(c: Cloud) -> set[str]:
        return {a.name for a in bus.accounts(c, region) if a.vhost == "nova" and not a.of_host}

    assert [names(c) for c in (cloud, accept, use, drop)] == [
        {"nova"},
        {"nova", "nova.2"},
        {"nova", "nova.2"},
        {"nova.2"},
    ]
    signing_in = [bus.account(c, "nova").name for c in (cloud, accept, use, drop)]
    assert signing_in == ["nova", "nova", "nova.2", "nova.2"]
    document = _document(drop, "rabbitmq", "/etc/fournines/rabbitmq.json")
    assert r"nova(\.\d+)?" in document["generations"]


def test_a_service_signs_in_to_keystone_by_an_account_that_is_there_before(cloud: Cloud) -> None:
    accept, use, drop = (s.cloud for s in _steps(cloud, "service-users"))
    region = cloud.region_of(cloud.hosts[0])
    path = "/etc/fournines/registration.json"

    def there(c: Cloud) -> set[str]:
        return {a["name"] for a in _document(c, "keystone", path)["accounts"] if a["name"].startswith("nova")}  # type: ignore[union-attr]

    for c, expected in ((cloud, {"nova"}), (accept, {"nova", "nova.2"}), (use, {"nova", "nova.2"}), (drop, {"nova.2"})):
        assert there(c) == expected
        assert openstack.credentials(c, region, "nova")["username"] in expected
    assert openstack.credentials(use, region, "nova")["username"] == "nova.2"


def test_a_second_rotation_begins_from_the_first_one_s_end(cloud: Cloud) -> None:
    first = _steps(cloud, "messaging")[-1].cloud
    rotate.ended(first)
    last = _steps(first, "messaging")[-1].cloud
    assert bus.account(last, "nova").name == "nova.3"
    assert not [name for name in last.secrets.names() if "@other" in name]


def test_accounts_that_trusts_name_by_their_id_stay(cloud: Cloud) -> None:
    full = replace(cloud, secrets=cloud.secrets)
    names = {n for s in _steps(full, "service-users") for n in s.cloud.secrets.names() if n.endswith("@generation")}
    assert "nova.keystone@generation" in names
    assert "heat.keystone@generation" not in names


def test_fernet_keys_change_in_one_phase_and_the_staged_one_becomes_primary(cloud: Cloud) -> None:
    before = fernet.keys(cloud)
    accept, use, drop = (fernet.keys(s.cloud) for s in _steps(cloud, "fernet-keys"))
    assert accept == before
    assert use == drop
    assert use.files[use.primary] == before.files[0]


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_rotation_that_was_cut_off_is_continued_with_the_same_secrets(cloud: Cloud, cut: int) -> None:
    whole = _steps(cloud, "database", "messaging")
    whole[cut].cloud.secrets.save()
    again = replace(cloud, secrets=Secrets.load(cloud.source.parent / "cloud.secrets.yaml"))
    rest = _steps(again, "messaging", "database")
    assert [s.phase for s in rest] == [s.phase for s in whole[cut:]]
    assert [s.begins for s in rest] == [False] + [True] * (2 - cut)
    for done, planned in zip(rest, whole[cut:], strict=True):
        for name in planned.cloud.secrets.names():
            assert done.cloud.secrets.get(name) == planned.cloud.secrets.get(name)


def test_another_rotation_is_refused_while_one_has_begun(cloud: Cloud) -> None:
    begun = _steps(cloud, "database")[1].cloud
    with pytest.raises(PlanError, match="has not ended") as error:
        _steps(begun, "messaging")
    assert "operator@here" in error.value.why
    assert "rotate" in error.value.next


def test_a_cloud_that_is_not_as_its_file_says_is_refused(cloud: Cloud) -> None:
    wanted = desired(cloud, registry())
    pending = make.make(cloud, registry(), wanted, {host.name: {} for host in cloud.hosts})
    with pytest.raises(PlanError, match="as its file says") as error:
        rotate.require_settled(cloud, pending)
    assert "fournines apply" in error.value.next


def test_what_a_cloud_does_not_have_is_refused_with_what_it_has(cloud: Cloud) -> None:
    with pytest.raises(UsageError) as error:
        rotate.chosen(cloud, ("databse",))
    assert "did you mean database" in error.value.next


def test_all_leaves_out_what_costs_something(cloud: Cloud) -> None:
    chosen = rotate.chosen(cloud, ("all",))
    assert "database" in chosen
    assert "admin" not in chosen


def test_a_damaged_state_is_told(cloud: Cloud) -> None:
    cloud.secrets.set(rotate.STATE, '{"what": ["database"], "phase": "nap", "begun": "x"}')
    with pytest.raises(CloudFileError, match="damaged"):
        rotate.state(cloud)


def test_copies_of_secrets_know_what_another_has_written(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    first = Secrets.load(path)
    first.set("a", "1")
    second = first.copy()
    second.set("a", "2")
    first.save()
    second.save()
    assert Secrets.load(path).get("a") == "2"
    other = Secrets.load(path)
    other.set("a", "3")
    other.save()
    first.set("a", "4")
    with pytest.raises(LockedError):
        first.save()


def _leaf(cloud: Cloud) -> str:
    return tls.host_pem(cloud, cloud.hosts[0])


def _signed_by(leaf: str, bundle: str) -> int:
    """Which certificate of `bundle` has signed `leaf`; -1: none."""
    certificate = x509.load_pem_x509_certificate(leaf.encode())
    for number, authority in enumerate(x509.load_pem_x509_certificates(bundle.encode())):
        if certificate.issuer == authority.subject:
            certificate.verify_directly_issued_by(authority)
            return number
    return -1


def test_certificates_are_made_anew_under_the_same_authority(cloud: Cloud) -> None:
    before, ca = _leaf(cloud), tls.internal_ca(cloud)
    member = tls.member_pem(cloud, cloud.hosts[0], "mariadb")
    accept, use, drop = (s.cloud for s in _steps(cloud, "certificates"))
    assert _leaf(accept) == before
    assert _leaf(use) == _leaf(drop) != before
    assert tls.member_pem(use, cloud.hosts[0], "mariadb") != member
    assert {tls.internal_ca(c) for c in (accept, use, drop)} == {ca}
    assert _signed_by(_leaf(use), ca) == 0


def test_both_authorities_are_trusted_before_a_certificate_of_the_new_one_is_shown(cloud: Cloud) -> None:
    host = cloud.hosts[0]
    for trust, leaf in (
        (tls.internal_ca, _leaf),
        (
            lambda c: tls.member_ca(c, host.region, "mariadb"),
            lambda c: tls.member_pem(c, host, "mariadb"),
        ),
    ):
        leaf(cloud)
        old = trust(cloud)
        accept, use, drop = (s.cloud for s in _steps(cloud, "ca"))
        assert len(x509.load_pem_x509_certificates(trust(accept).encode())) == 2
        assert leaf(accept) == leaf(cloud)
        assert trust(use) == trust(accept), "nobody is told of authorities while certificates change"
        assert _signed_by(leaf(use), old) == -1
        assert _signed_by(leaf(use), trust(use)) >= 0
        assert leaf(drop) == leaf(use)
        assert _signed_by(leaf(drop), trust(drop)) == 0
        assert old not in trust(drop)


def test_a_second_rotation_of_the_authority_has_a_name_of_its_own(cloud: Cloud) -> None:
    tls.internal_ca(cloud)
    first = _steps(cloud, "ca")[-1].cloud
    rotate.ended(first)
    names = [
        x509.load_pem_x509_certificate(tls.internal_ca(c).encode()).subject.rfc4514_string()
        for c in (cloud, first, _steps(first, "ca")[-1].cloud)
    ]
    assert len(set(names)) == 3


def test_the_database_reloads_its_certificates_and_goes_on(cloud: Cloud) -> None:
    for plan in _plans(cloud, "certificates"):
        keys = {c.resource.key for stage in plan.stages for c in stage.changes}
        assert "restart:mariadb.service" not in keys
        if "file:/etc/mysql/fournines/server.pem" in keys:
            assert "reload:mariadb.service" in keys
            return
    raise AssertionError("no certificate of the database was changed")
