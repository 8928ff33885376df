"""The operator's options in each file: what a list is there, and what a value may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fournines.errors import FourninesError
from fournines.services.mariadb import LONGEST_GROUP, group_name
from fournines.services.options import kind, known, misfit, operators
from fournines.services.render import blocks, flat, ini, stanzas
from samples import cases


def written(tmp_path: Path, service: str, file: str, sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    cloud = {"services": {service: {"options": {file: sections}}}, "components": "full"}
    return operators(cases.Case(Path("none"), {"cloud": cloud}).cloud(tmp_path), service, file)


@pytest.mark.parametrize(
    ("service", "file", "section", "option", "value", "lines"),
    [
        ("neutron", "neutron.conf", "DEFAULT", "service_plugins", ["router", "segments"], "router,segments"),
        ("nova", "nova.conf", "filter_scheduler", "enabled_filters", ["A", "B"], "A,B"),
        ("keystone", "keystone.conf", "auth", "methods", ["password", "token"], "password,token"),
        ("glance", "glance-api.conf", "DEFAULT", "enabled_backends", ["a:rbd", "b:s3"], "a:rbd,b:s3"),
        ("nova", "nova.conf", "pci", "alias", ["{}", "{1}"], ["{}", "{1}"]),
        ("neutron", "neutron.conf", "oslo_policy", "policy_dirs", ["a", "b"], ["a", "b"]),
        ("swift", "proxy-server.conf", "filter:keystoneauth", "operator_roles", ["a", "b"], "a,b"),
        ("mariadb", "my.cnf", "mariadbd", "sql_mode", ["A", "B"], "A,B"),
        ("base", "sysctl.conf", "", "net.ipv4.tcp_rmem", [1, 2, 3], "1 2 3"),
        ("haproxy", "haproxy.cfg", "defaults", "errorfile", ["400 a", "500 b"], ["400 a", "500 b"]),
        ("keepalived", "keepalived.conf", "vrrp_instance fournines", "track_interface", ["a"], ["a"]),
        ("neutron", "neutron.conf", "DEFAULT", "service_plugins", [], ""),
        ("nova", "nova.conf", "DEFAULT", "my_ip", [True, 1], "true,1"),
    ],
)  # fmt: skip
def test_a_list_is_one_line_or_several_as_the_option_has_it(
    tmp_path: Path, service: str, file: str, section: str, option: str, value: list[Any], lines: Any
) -> None:
    sections = {section: {option: value}} if section else {option: value}
    assert written(tmp_path, service, file, sections)[section][option] == lines


@pytest.mark.parametrize(
    ("of", "fits", "not_"),
    [
        ("bool", [True, "yes", "OFF", 1, "0"], ["maybe", None, 2, 1.0, [True]]),
        ("int", [3, "-4", 0x10], [1.5, "1e3", True, "", None, "1h", float("inf")]),
        ("int 1..9", [1, 9, "5"], [0, 10, "-1"]),
        ("float 0..", [0, 1.5, "2", "1e3"], [-1, "x", "nan", float("nan"), True]),
        ("size 10..100000", [10, "64K", "1k"], ["1T", 5, "64Q", True, "big"]),
        ("choice a|b", ["a", "b"], ["A", "c", True]),
        ("anycase ON|OFF", ["on", "OFF"], ["maybe"]),
        ("choice 0|1", [0, "1"], [2]),
        ("ip", ["10.0.0.1", "::1"], ["host", "10.0.0.256"]),
        ("list int 0..", [[1, 2], "1,2", 3], [["x"], "1,x", [-1], [None]]),
        ("multi", [["a", "b"], "a"], [None]),
        ("", ["text", 5, 1.5, True, ["a"]], [None, float("inf")]),
        ("python", [None, [1], True], []),
    ],
)
def test_values_of_a_kind(of: str, fits: list[Any], not_: list[Any]) -> None:
    assert [value for value in fits if misfit(of, value)] == []
    assert [value for value in not_ if not misfit(of, value)] == []


def test_libraries_say_what_options_take() -> None:
    assert kind("keystone", "keystone.conf", "token", "expiration").startswith("int 0..")
    assert kind("nova", "nova.conf", "DEFAULT", "debug") == "bool"
    assert kind("neutron", "neutron.conf", "DEFAULT", "bind_port") == "int 0..65535"
    assert kind("cinder_volume", "cinder-volume.conf", "any", "rbd_flatten_volume_from_snapshot") == "bool"
    assert kind("rabbitmq", "rabbitmq.conf", "", "cluster_partition_handling").startswith("choice ignore|")
    assert kind("nova", "nova.conf", "none", "none") == ""
    assert known("uwsgi") is not None


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\x00b", "a\u2028b"])
def test_no_file_takes_a_value_of_several_lines(text: str) -> None:
    for render in (
        lambda: ini({}, {"s": {"o": text}}),
        lambda: ini({}, {"s": {text: 1}}),
        lambda: flat({}, {"": {"o": text}}),
        lambda: stanzas({}, {"s": {"o": ["fine", text]}}),
        lambda: blocks({}, {"s": {"o": [text]}}),
    ):
        with pytest.raises(FourninesError, match="line break or a control character"):
            render()


@pytest.mark.parametrize(
    ("cloud", "region", "name"),
    [
        ("acme", "phx", "acme-phx"),
        ("a" * 20, "b" * 11, f"{'a' * 20}-{'b' * 11}"),
        ("production-openstack", "frankfurt-west-1", None),
        ("production-openstack", "frankfurt-west-2", None),
        ("a" * 31, "b" * 63, None),
    ],
)
def test_galera_s_name_fits(tmp_path: Path, cloud: str, region: str, name: str | None) -> None:
    made = cases.Case(Path("none"), {"cloud": {}}).cloud(tmp_path)
    made.__dict__["name"] = cloud
    place = made.regions["phx"]
    place.__dict__["name"] = region
    found = group_name(made, place)
    assert len(found) <= LONGEST_GROUP
    assert name is None or found == name
    place.__dict__["name"] = region[:-1] + "z"
    assert group_name(made, place) != found
