"""The smallest change of a cluster's configuration, and what is read from a cluster's own words."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.programs.cluster.difference import canonical, differences, merge
from fournines.programs.cluster.running import ailing
from fournines.services.cib import Beside, Clone, Group, Location, Managed, Operation, Order, Primitive, configuration

EMPTY = "<configuration><crm_config/><nodes/><resources/><constraints/></configuration>"


def parsed(text: str) -> Element:
    return ElementTree.fromstring(text)


def vip(address: str, monitor: float = 5) -> Primitive:
    operation = Operation("monitor", monitor, 20)
    return Primitive("vip", "ocf:heartbeat:IPaddr2", {"ip": address, "cidr_netmask": "32"}, (operation,))


def wanted(*managed: Managed, **properties: str) -> Element:
    return parsed(configuration({n.replace("_", "-"): v for n, v in properties.items()}, managed))


def test_what_differs_is_said_setting_by_setting() -> None:
    running = wanted(vip("198.18.0.1"), Location("vip", "ctl1", "100"), stonith_timeout="60s")
    new = wanted(vip("198.18.0.2", 3), Order("a", "b"), stonith_timeout="30s", no_quorum_policy="stop")
    assert list(differences(running, new)) == [
        "~ stonith-timeout 60s → 30s",
        "+ no-quorum-policy stop",
        "~ fournines-vip: vip-monitor.interval 5s → 3s, vip.ip 198.18.0.1 → 198.18.0.2",
        "- fournines-vip-on-ctl1",
        "+ fournines-a-before-b",
    ]


def test_the_order_of_members_of_a_group_is_a_difference_and_that_of_attributes_is_not() -> None:
    one, other = Primitive("a", "ocf:x:y"), Primitive("b", "ocf:x:y", {"p": "1", "q": "2"})
    group = wanted(Group("g", (one, other)))
    assert list(differences(group, wanted(Group("g", (other, one))))) == ["~ fournines-g: order"]
    swapped = Primitive("b", "ocf:x:y", {"q": "2", "p": "1"})
    assert not list(differences(group, wanted(Group("g", (one, swapped)))))


def test_what_is_the_operators_stays_as_it_is() -> None:
    theirs = parsed(EMPTY)
    section = theirs.find("resources")
    rules = theirs.find("constraints")
    assert section is not None and rules is not None
    section.append(parsed('<primitive id="mail" class="ocf" provider="heartbeat" type="Dummy"/>'))
    rules.append(parsed('<rsc_location id="mail-on-ctl1" rsc="mail" node="ctl1" score="1"/>'))
    running = copy.deepcopy(theirs)
    merge(running, wanted(vip("198.18.0.1"), stonith_enabled="true"))
    merge(running, wanted())
    for part in ("resources", "constraints"):
        before, after = theirs.find(part), running.find(part)
        assert before is not None and after is not None
        assert canonical(before) == canonical(after)


NAMES = st.sampled_from("abcd")
MANAGED = st.one_of(
    st.builds(lambda n, p: Primitive(n, "ocf:x:y", {"p": p}, (Operation("monitor", 10),)), NAMES, NAMES),
    st.builds(lambda n, p: Clone(f"clone-{n}", Primitive(f"of-{n}", "systemd:x", {}, (), {"m": p})), NAMES, NAMES),
    st.builds(
        lambda n, ms: Group(f"group-{n}", tuple(Primitive(f"{n}-{m}", "ocf:x:y") for m in ms)),
        NAMES,
        st.lists(NAMES, min_size=1, unique=True),
    ),
    st.builds(Order, NAMES, NAMES),
    st.builds(Beside, NAMES, NAMES),
    st.builds(Location, NAMES, NAMES, st.just("INFINITY")),
)
SETS = st.lists(MANAGED, max_size=6, unique_by=lambda m: (type(m), getattr(m, "name", repr(m)))).map(tuple)
PROPERTIES = st.dictionaries(NAMES, NAMES)


@given(SETS, SETS, PROPERTIES, PROPERTIES)
def test_after_a_merge_nothing_differs_and_what_was_right_is_the_same_object(
    before: tuple[Managed, ...], after: tuple[Managed, ...], old: Mapping[str, str], new: Mapping[str, str]
) -> None:
    running, target = wanted(*before, **old), wanted(*after, **new)
    here = {e.get("id"): e for part in ("resources", "constraints") for e in running.find(part) or ()}
    kept = dict(here.items())
    saying = list(differences(running, target))
    merge(running, target)
    assert not list(differences(running, target))
    for part in ("resources", "constraints"):
        for element in running.find(part) or ():
            name = element.get("id", "")
            if not any(name in said for said in saying):
                assert kept[name] is element


STATUS = """<pacemaker-result><summary><current_dc present="true" with_quorum="{quorum}" name="ctl1"/></summary>
<nodes><node name="ctl1" online="true"/><node name="ctl2" online="{online}"/></nodes>
<resources><resource id="fournines-vip" role="{role}" active="{active}" failed="false"/>
<resource id="mail" role="Stopped" active="false" failed="false"/></resources>{failures}</pacemaker-result>"""
WELL = {"quorum": "true", "online": "true", "role": "Started", "active": "true", "failures": ""}
FAILURE = '<failures><failure op_key="x_start_0" node="ctl2" exitstatus="error" exitreason="no device"/></failures>'


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"quorum": "false"}, ["the cluster has no quorum"]),
        ({"online": "false"}, ["ctl2 is not online"]),
        ({"role": "Stopped", "active": "false"}, ["fournines-vip is stopped"]),
        ({"failures": FAILURE}, ["x_start_0 on ctl2: no device"]),
    ],
)
def test_what_ails_a_cluster(changed: Mapping[str, str], said: list[str]) -> None:
    assert list(ailing(parsed(STATUS.format(**{**WELL, **changed})))) == said
