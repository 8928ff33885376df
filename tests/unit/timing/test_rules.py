"""Each contradiction is found, named after the timers to change, and gone when its advice is followed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fournines.timing import PEERS, profile
from fournines.timing.rules import contradictions

CASES: list[tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]] = [
    # what is changed on lan, the timers that are blamed, what the advice says
    ({"agent_heartbeat": 0.15, "dead_host": 1.0}, ("vip_lease", "agent_heartbeat"), {"vip_lease": 0.45}),
    ({"vip_lease": 0.2, "agent_heartbeat": 0.05}, ("vip_lease",), {"vip_lease": 0.21}),
    ({"degraded": 0.3}, ("degraded", "vip_lease"), {"degraded": 0.35}),
    ({"dead_host": 0.39, "vip_lease": 0.3}, ("dead_host",), {"dead_host": 0.4}),
    ({"vip_lease": 0.9}, ("dead_host", "vip_lease"), {"dead_host": 0.9}),
    ({"agent_heartbeat": 0.08}, ("dead_host", "agent_heartbeat"), {"dead_host": 0.48}),
    ({"corosync_consensus": 0.9}, ("corosync_consensus", "corosync_token"), {"corosync_consensus": 0.96}),
    ({"corosync_token": 0.5}, ("corosync_token",), {"corosync_token": 0.6}),
    (
        {"corosync_token": 30.0, "corosync_consensus": 36.0, "quorum_device": 30.0, "database_alone": 0.0},
        ("corosync_token", "corosync_consensus", "server_timeout"),
        {"corosync_token": 27.0, "corosync_consensus": 32.5},
    ),
    (
        {"fence_timeout": 15.0, "fence_delay": 6.0, "cluster_timeout": 10.0}
        | {"database_stop": 15.0, "messaging_stop": 15.0, "service_stop": 15.0},
        ("fence_timeout", "fence_delay"),
        {"fence_timeout": 16.0},
    ),
    ({"fence_delay": 1.0}, ("fence_delay",), {"fence_delay": 1.5}),
    ({"quorum_device": 1.0}, ("quorum_device",), {"quorum_device": 1.25}),
    (
        {"database_alone": 7.0},
        ("database_alone", "corosync_token", "corosync_consensus", "quorum_device"),
        {"database_alone": 7.2},
    ),
    (
        {"quorum_device": 1.5, "corosync_token": 1.6, "corosync_consensus": 2.0},
        ("quorum_device", "corosync_token"),
        {"quorum_device": 1.6},
    ),
    ({"database_stop": 14.0}, ("database_stop",), {"database_stop": 15.0}),
    ({"database_stop": 61.0}, ("database_stop", "fence_timeout"), {"database_stop": 60.0}),
    ({"database_start": 19.0}, ("database_start", "cluster_timeout"), {"database_start": 20.0}),
    ({"messaging_stop": 14.0}, ("messaging_stop",), {"messaging_stop": 15.0}),
    ({"messaging_stop": 61.0}, ("messaging_stop", "fence_timeout"), {"messaging_stop": 60.0}),
    ({"messaging_start": 19.0}, ("messaging_start", "cluster_timeout"), {"messaging_start": 20.0}),
    ({"service_stop": 14.0}, ("service_stop",), {"service_stop": 15.0}),
    ({"service_stop": 61.0}, ("service_stop", "fence_timeout"), {"service_stop": 60.0}),
    ({"service_start": 19.0}, ("service_start", "cluster_timeout"), {"service_start": 20.0}),
    ({"fence_retry": 61.0}, ("fence_retry",), {"fence_retry": 60.0}),
    ({"cluster_timeout": 4.0}, ("cluster_timeout",), {"cluster_timeout": 5.0}),
    ({"cluster_timeout": 61.0}, ("cluster_timeout", "fence_timeout"), {"cluster_timeout": 60.0}),
    ({"check_timeout": 0.5}, ("check_timeout",), {"check_timeout": 1.0}),
    ({"check_timeout": 2.0, "check_inter": 2.0}, ("check_timeout", "check_inter"), {"check_timeout": 2.1}),
    (
        {"check_timeout": 30.0},
        ("check_timeout", "check_fall", "check_inter", "server_timeout"),
        {"check_timeout": 10.0},
    ),
    ({"check_fall": 1}, ("check_fall",), {"check_fall": 2}),
    ({"client_timeout": 50.0}, ("client_timeout", "server_timeout"), {"client_timeout": 60.0}),
    ({"queue_timeout": 70.0}, ("server_timeout", "queue_timeout"), {"queue_timeout": 60.0}),
    ({"db_read_timeout": 70.0}, ("server_timeout", "db_read_timeout"), {"db_read_timeout": 9.0}),
    ({"db_read_timeout": 40.0}, ("rpc_response_timeout", "db_read_timeout"), {"db_read_timeout": 9.0}),
    ({"db_read_timeout": 15.0}, ("token_timeout", "db_read_timeout"), {"db_read_timeout": 14.0}),
    ({"token_timeout": 16.0}, ("token_timeout", "api_timeout"), {"token_timeout": 15.0}),
    ({"api_timeout": 60.0}, ("api_timeout", "server_timeout"), {"api_timeout": 59.0}),
    (
        {"api_timeout": 30.5, "rpc_response_timeout": 30.5, "token_timeout": 10.1},
        ("api_timeout", "rpc_response_timeout"),
        {"api_timeout": 31.0},
    ),
    ({"amqp_reply_retry": 31.0}, ("amqp_reply_retry", "rpc_response_timeout"), {"amqp_reply_retry": 30.0}),
    ({"rpc_response_timeout": 60.0}, ("rpc_response_timeout", "server_timeout"), {"rpc_response_timeout": 44.0}),
    ({"db_read_timeout": 6.0}, ("db_read_timeout", "evs_inactive", "evs_install"), {"db_read_timeout": 6.1}),
    (
        {"db_read_timeout": 0.0, "tcp_keepalive_time": 7200},
        ("db_read_timeout", "tcp_keepalive_time"),
        {"tcp_keepalive_time": 3},
    ),
    ({"evs_suspect": 1.0}, ("evs_suspect",), {"evs_suspect": 1.5}),
    ({"evs_keepalive": 0.05}, ("evs_keepalive",), {"evs_keepalive": 0.1}),
    ({"evs_keepalive": 0.6}, ("evs_keepalive",), {"evs_keepalive": 0.5}),
    ({"evs_install": 3.5}, ("evs_install",), {"evs_install": 3.0}),
    ({"evs_install": 0.5}, ("evs_install",), {"evs_install": 0.6}),
    ({"evs_inactive": 1.5, "evs_install": 1.5}, ("evs_inactive", "evs_suspect"), {"evs_inactive": 3.0}),
    (
        {"amqp_heartbeat": 40.0, "tcp_user_timeout": 0.0},
        ("amqp_heartbeat", "rpc_response_timeout"),
        {"tcp_user_timeout": 5.0},
    ),
    ({"amqp_heartbeat": 5.0}, ("amqp_heartbeat", "net_ticktime"), {"amqp_heartbeat": 6.0}),
    ({"tcp_syn_retries": 2}, ("tcp_syn_retries", "amqp_reconnect_delay"), {"tcp_syn_retries": 1}),
    ({"amqp_reconnect_delay": 2.0}, ("tcp_syn_retries", "amqp_reconnect_delay"), {"amqp_reconnect_delay": 1.9}),
    ({"net_ticktime": 2.0}, ("net_ticktime",), {"net_ticktime": 4.0}),
    (
        {"memcache_socket_timeout": 1.0},
        ("memcache_socket_timeout", "check_timeout"),
        {"memcache_socket_timeout": 0.9},
    ),
    ({"connect_timeout": 20.0}, ("connect_timeout", "retries", "client_timeout"), {"connect_timeout": 15.0}),
    ({"service_down": 9.0}, ("service_down", "report_interval"), {"service_down": 10.0}),
    ({"agent_down": 9.0}, ("agent_down", "report_interval"), {"agent_down": 10.0}),
    ({"sentinel_down": 1.0}, ("sentinel_down",), {"sentinel_down": 1.5}),
    ({"service_lease": 8.0}, ("service_lease", "evs_inactive", "evs_install"), {"service_lease": 8.1}),
]


@pytest.mark.parametrize(("changed", "blamed", "advice"), CASES, ids=lambda x: str(x) if isinstance(x, dict) else "")
def test_it_is_found_and_the_advice_ends_it(
    changed: dict[str, Any], blamed: tuple[str, ...], advice: dict[str, Any]
) -> None:
    wrong = dataclasses.replace(profile("lan"), **changed)
    found = list(contradictions(wrong))
    assert [c.timers for c in found] == [blamed]
    assert found[0].what and found[0].why and found[0].change
    assert list(contradictions(dataclasses.replace(wrong, **advice))) == []


def test_without_a_quorum_there_is_no_lease_to_end() -> None:
    assert list(contradictions(dataclasses.replace(profile("lan"), vip_quorum=False, vip_lease=5.0))) == []


@pytest.mark.parametrize("name", PEERS)
def test_what_operators_complain_about_is_found_in_what_the_peers_ship(name: str) -> None:
    blamed = {c.timers[0] for c in contradictions(PEERS[name])}
    assert {"db_read_timeout", "rpc_response_timeout", "check_timeout"} <= blamed
