"""What Prometheus reads of an observer: from the documents that its parts really make."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fournines.agent.observer import metrics, pacemaker, watch
from samples import cases

LINE = re.compile(r'fournines_[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*)?\} [-0-9.e+]+')

#: A host that carries nothing.
BARE: dict[str, Any] = {
    "host": "cmp1",
    "region": "phx",
    "time": 1_764_360_000.5,
    "uptime": 12.0,
    "starting": False,
    "maintenance": {"ctl3": {"drained": True}, "ctl2": {"drained": False}, "ctl1": "not an entry"},
    "peers": {"ctl2": {"heard": 0.05, "confirmed": True, "departed": False},
              "ctl3": {"heard": None, "confirmed": False, "departed": True}},
    "guard": None,
    "vip": None,
    "galera": None,
    "killed": {},
}  # fmt: skip
GALERA = {
    "answered": 0.2, "primary": True, "local_state": 4, "acting": True, "size": 3, "seqno": 812, "receive_queue": 0,
    "flow_paused": 0.01,
}  # fmt: skip
STATS = """# pxname,svname,status,check_status,weight
keystone,FRONTEND,OPEN,,
keystone,ctl1,UP,L7OK,1
keystone,ctl2,UP 1/3,L7OK,1
keystone,ctl3,DRAIN,L7OK,0
keystone,BACKEND,UP,,3
monitor,x,no check,,1
"""


def said(**more: Any) -> dict[str, float]:
    text = metrics.render({**BARE, **more})
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
    assert len(found) == len(lines), "no series twice"
    return found


def test_a_host_that_carries_nothing_tells_of_itself_and_of_who_is_drained() -> None:
    found = said()
    assert found["fournines_clock_seconds{}"] == 1_764_360_000.5
    assert found['fournines_drained{on="ctl3"}'] == 1
    assert [name for name in found if name.startswith("fournines_drained")] == ['fournines_drained{on="ctl3"}']
    assert found['fournines_peer_departed{peer="ctl3"}'] == 1
    assert 'fournines_peer_heard_seconds{peer="ctl3"}' not in found
    assert not [name for name in found if "galera" in name or "vip" in name or "guard" in name]


def test_samples_of_one_name_stand_together_behind_their_type() -> None:
    text = metrics.render({**BARE, "killed": {"haproxy.service": 2}})
    names = [line.split()[2] if line.startswith("# TYPE") else line.partition("{")[0] for line in text.splitlines()]
    runs = [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    assert len(runs) == len(set(runs))
    assert "# TYPE fournines_daemon_kills_total counter\n" in text
    assert "# TYPE fournines_clock_seconds gauge\n" in text


@pytest.mark.parametrize(
    ("galera", "primary", "synced"),
    [({}, 1, 1), ({"local_state": 2}, 1, 0), ({"primary": False}, 0, 0), ({"answered": 9.0}, 0, 0),
     ({"answered": None}, 0, 0)],
    ids=["synced", "donor", "not Primary", "silent", "never answered"],
)  # fmt: skip
def test_a_database_counts_while_it_answers(galera: dict[str, Any], primary: int, synced: int) -> None:
    found = said(galera={**GALERA, **galera})
    assert (found["fournines_galera_primary{}"], found["fournines_galera_synced{}"]) == (primary, synced)
    assert found["fournines_galera_writer{}"] == 1


def test_vips_by_address_and_a_guard_that_says_nothing_yet() -> None:
    vip = {"held": ["198.18.0.100"], "may_hold": True, "granted": True, "clients": 7, "told": 0}
    guard = {"answered": 0.1, "voters": ["a", "b", "c"], "votes": {"a": "a", "b": "a"}, "degraded": None, "delay": None}
    found = said(vip=vip, guard=guard)
    assert found['fournines_vip_held{vip="198.18.0.100"}'] == 1
    assert found["fournines_vip_clients{}"] == 7
    assert (found["fournines_guard_voters{}"], found["fournines_guard_votes{}"]) == (3, 2)
    assert found["fournines_guard_degraded{}"] == 0
    assert "fournines_guard_delay_seconds{}" not in found


def test_backends_that_are_checked() -> None:
    found = said(haproxy={"ok": True, "error": "", "at": 0.1, "proxies": watch.parse_stats(STATS)})
    up = {n: v for n, v in found.items() if "backend_up" in n}
    assert {n.partition('server="')[2][:4]: v for n, v in up.items()} == {"ctl1": 1, "ctl2": 1, "ctl3": 0}
    assert found['fournines_daemon_answers{daemon="haproxy"}'] == 1


def test_queues_that_lack_members_or_a_majority() -> None:
    three = ["a", "b", "c"]
    queues = [{"members": three, "online": three}, {"members": three, "online": ["a", "b"]},
              {"members": three, "online": ["a"]}, {"members": None, "online": None}]  # fmt: skip
    nodes = [{"name": "rabbit@ctl1", "running": True, "mem_alarm": True, "disk_free_alarm": False},
             {"name": "rabbit@ctl2", "running": False}]  # fmt: skip
    found = said(rabbitmq={"ok": True, "error": "", "at": 1.0, "nodes": nodes, "queues": queues})
    assert found["fournines_rabbitmq_nodes_running{}"] == 1
    assert found['fournines_rabbitmq_alarms{resource="memory"}'] == 1
    assert found["fournines_rabbitmq_queues_without_majority{}"] == 1
    assert found["fournines_rabbitmq_queues_missing_members{}"] == 2


def test_a_broker_that_does_not_answer_says_nothing_of_its_cluster() -> None:
    found = said(rabbitmq={"ok": False, "error": "refused", "at": 1.0, "nodes": [{"running": True}], "queues": []})
    assert found['fournines_daemon_answers{daemon="rabbitmq"}'] == 0
    assert not [name for name in found if "rabbitmq_" in name]


def test_a_host_without_the_broker_that_moves_says_nothing_of_it() -> None:
    found = said(rabbitmq={"ok": True, "error": "", "at": 1.0, "elsewhere": True, "nodes": [], "queues": []})
    assert not [name for name in found if "rabbitmq" in name]


def test_openstacks_parts_without_those_that_are_switched_off() -> None:
    computes = {"cmp1": [3, True, True], "cmp2": [90, False, True], "cmp3": [90, False, False]}
    reports = {"nova": {"nova-compute": computes}}
    routers = [{"id": "r", "name": "edge", "states": {"a": "active", "b": "active", "c": "standby"}}]
    found = said(openstack={"ok": True, "error": "", "at": 1.0, "reports": reports, "cells": {}, "routers": routers})
    up = [v for n, v in found.items() if "agent_up" in n]
    assert up == [1, 0]
    assert found['fournines_router_active{router="r"}'] == 2
    assert not [n for n in said(openstack={"ok": True, "at": 0.0, "reports": None}) if "openstack" in n]


def test_units_certificates_and_keys() -> None:
    units = {"a.service": {"ActiveState": "active"}, "b.service": {"ActiveState": "failed"}}
    found = said(
        units={"ok": True, "at": 1.0, "units": units},
        certificates={"ok": True, "at": 1.0, "ends": {"/etc/a.pem": 2e9, "/etc/b.pem": None}},
        fernet={"ok": True, "at": 1.0, "keys": 3, "age": 86400.0},
    )  # fmt: skip
    assert found['fournines_unit_active{unit="b.service"}'] == 0
    assert found['fournines_certificate_end_seconds{file="/etc/a.pem"}'] == 2e9
    assert not [n for n in found if "b.pem" in n]
    assert found["fournines_fernet_key_age_seconds{}"] == 86400


def test_pacemakers_cluster() -> None:
    document = pacemaker.parse((cases.ROOT / "tests/unit/agent/crm_mon.xml").read_text())
    found = said(pacemaker={"ok": True, "error": "", "at": 1.0, **document})
    assert found["fournines_pacemaker_quorate{}"] == document["quorum"]
    assert len([n for n in found if "pacemaker_online" in n]) == len(document["members"])
    stopped = {n for n, v in found.items() if "pacemaker_active" in n and not v}
    once = [r for r in document["resources"] if not r["in"].endswith("-clone")]
    assert stopped == {f'fournines_pacemaker_active{{resource="{r["name"]}"}}' for r in once if not r["on"]}
    gone = said(pacemaker={"ok": False, "error": "no cluster runs on this host", "at": 1.0})
    assert {n: v for n, v in gone.items() if "pacemaker" in n} == {"fournines_pacemaker_quorate{}": 0}


def test_what_is_odd_in_a_label_is_escaped() -> None:
    found = said(killed={'a"b\\c\nd': 1})
    assert found['fournines_daemon_kills_total{unit="a\\"b\\\\c\\nd"}'] == 1


def test_memcached() -> None:
    stats = watch.parse_memcached("STAT pid 7\r\nSTAT version 1.6.38\r\nSTAT get_hits 90\r\nSTAT bytes 1024\r\nEND\r\n")
    found = said(memcached={"ok": True, "error": "", "at": 1.0, **stats})
    assert found["fournines_memcached_get_hits_total{}"] == 90
    assert found["fournines_memcached_bytes{}"] == 1024
    assert not [n for n in said(memcached={"ok": False, "at": 1.0, **stats}) if "memcached_" in n]
    with pytest.raises(OSError, match="does not answer"):
        watch.parse_memcached("ERROR\r\n")
