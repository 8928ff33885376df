"""Timers from one number, and the peers' sets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.cloud.model import Cloud, TimingSpec
from fournines.errors import CloudFileError
from fournines.services import load
from fournines.timing import NAMES, PEERS, Timers, profile, timers
from fournines.timing.profiles import derive
from fournines.timing.rules import STALL, contradictions, frozen_backend, idle_connection, takeover

EXAMPLE = load(Path(__file__).parents[3] / "examples" / "three-controllers.yaml")


def cloud(**spec: Any) -> Cloud:
    return dataclasses.replace(EXAMPLE, timing=TimingSpec(**spec))


@given(st.floats(0.2, 10))
def test_what_is_derived_never_contradicts_itself(detect: float) -> None:
    """A vote no longer than a stall is what was asked for: it is told, and nothing is refused."""
    t = derive(detect)
    told = [(c.timers, c.fatal) for c in contradictions(t)]
    assert told == ([] if t.vip_lease > STALL else [(("vip_lease",), False)])


@given(st.floats(0.2, 10), st.floats(0.2, 10))
def test_a_larger_budget_shortens_no_timer(one: float, other: float) -> None:
    slow, fast = derive(max(one, other)), derive(min(one, other))
    for field in dataclasses.fields(Timers):
        long, short = getattr(slow, field.name), getattr(fast, field.name)
        assert long == short if isinstance(long, (str, bool)) else long >= short, field.name


def test_lan_notices_within_what_was_promised() -> None:
    t = profile("lan")
    assert takeover(t) < 0.5
    assert frozen_backend(t) < 3
    assert t.evs_suspect >= 1.5
    assert idle_connection(t) <= 6
    assert 0.2 * (2 ** (t.tcp_retries2 + 1) - 1) >= 10


def test_the_floor_of_galera_holds_for_the_smallest_budget() -> None:
    assert derive(0.2).evs_suspect == 1.5
    assert derive(0.2).check_timeout == 1.0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kolla-22.2", {"check_inter": 2, "check_fall": 5, "check_rise": 2, "check_timeout": 10, "connect_timeout": 10,
                        "client_timeout": 60, "server_timeout": 60, "retries": 3, "retry_on": "", "vrrp_advert": 1,
                        "shutdown_sessions": False, "last_resort": False, "vip_quorum": False, "tcp_retries2": 15,
                        "net_ticktime": 60,
                        "amqp_heartbeat": 60, "rpc_response_timeout": 60, "db_pool_recycle": 10,
                        "db_max_retries": -1, "agent_down": 75, "service_down": 60, "evs_suspect": 5,
                        "sentinel_down": 5}),
        ("osa-33", {"check_inter": 12, "check_fall": 3, "check_rise": 3, "connect_timeout": 10, "client_timeout": 50,
                    "server_timeout": 50, "vrrp_advert": 1, "vip_quorum": False, "tcp_retries2": 8,
                    "db_pool_recycle": 600, "db_max_retries": 10, "agent_down": 120, "service_down": 120,
                    "database_check": "tcp"}),
        ("ha-guide", {"check_inter": 2, "check_fall": 5, "vip_quorum": True, "db_pool_recycle": 3600,
                      "db_max_retries": -1, "agent_down": 75, "tcp_retries2": 15}),
    ],
)  # fmt: skip
def test_peers_are_as_shipped(name: str, expected: dict[str, object]) -> None:
    t = timers(cloud(profile=name))
    assert {n: getattr(t, n) for n in expected} == expected


def test_a_peer_s_dead_backend_takes_what_its_reference_says() -> None:
    assert {n: t.check_inter * t.check_fall for n, t in PEERS.items()} == {
        "kolla-22.2": 10, "osa-33": 36, "ha-guide": 10,
    }  # fmt: skip
    assert takeover(PEERS["ha-guide"]) == pytest.approx(10)  # corosync's token


@pytest.mark.parametrize("name", NAMES)
def test_a_dead_holder_s_votes_have_ended_when_it_is_declared_dead(name: str) -> None:
    """That never two hosts serve needs no timer (`agent.guard.votes`); that the VIP is not late for votes does."""
    t = profile(name)
    assert not t.vip_quorum or not t.dead_host or t.vip_lease <= t.dead_host <= t.degraded
    assert not t.vip_quorum or 3 * t.agent_heartbeat <= t.vip_lease <= t.degraded


def test_overrides_take_the_timer_s_type() -> None:
    t = timers(
        cloud(
            overrides={
                "vrrp_advert": "200ms", "check_fall": 3, "retry_on": "", "vip_quorum": False, "net_ticktime": 9,
                "db_max_retries": -1, "database_check": "tcp", "client_timeout": "2m",
            }
        )
    )  # fmt: skip
    assert (t.vrrp_advert, t.check_fall, t.retry_on, t.vip_quorum) == (0.2, 3, "", False)
    assert (t.net_ticktime, t.db_max_retries, t.database_check, t.client_timeout) == (9.0, -1, "tcp", 120.0)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"profile": "lam"}, "unknown timing profile lam"),
        ({"profile": "kolla-22.2", "detect": 2.0}, "cannot be scaled"),
        ({"overrides": {"check_timout": 1}}, "unknown timer check_timout"),
        ({"overrides": {"check_timeout": "soon"}}, "'soon' is not a duration"),
        ({"overrides": {"check_timeout": True}}, "True is not a duration"),
        ({"overrides": {"check_timeout": -1}}, "check_timeout cannot be -1"),
        ({"overrides": {"check_fall": 1.5}}, "check_fall takes a whole number"),
        ({"overrides": {"check_fall": True}}, "check_fall takes a whole number"),
        ({"overrides": {"db_max_retries": -2}}, "db_max_retries cannot be -2"),
        ({"overrides": {"vip_quorum": 1}}, "vip_quorum takes true or false"),
        ({"overrides": {"retry_on": 1}}, "retry_on takes text"),
        ({"overrides": {"database_check": "http"}}, "database_check is one of agent, tcp"),
    ],
)
def test_what_is_refused(spec: dict[str, object], says: str) -> None:
    with pytest.raises(CloudFileError) as refused:
        timers(cloud(**spec))
    assert [says in p.message for p in refused.value.problems] == [True]


def test_all_overrides_are_looked_at() -> None:
    with pytest.raises(CloudFileError) as refused:
        timers(cloud(profile="osa-33", detect=1.0, overrides={"a": 1, "b": 2}))
    assert len(refused.value.problems) == 3


def test_a_cloud_s_timers_are_made_once() -> None:
    assert timers(EXAMPLE) is timers(EXAMPLE)
    assert timers(EXAMPLE) == profile("lan")


def test_profiles_are_known_by_name() -> None:
    assert profile("wan") == derive(4.0)
    assert profile("lan", 2.0) == derive(2.0)
    with pytest.raises(KeyError):
        profile("kolla-22.2", 2.0)
    with pytest.raises(KeyError):
        profile("nobody")
