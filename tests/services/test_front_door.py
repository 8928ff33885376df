"""The image's load balancer, with its configuration as it is rendered, before backends that repeat what they get."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fournines.services.front_door import REFUSED_IN_60_S
from fournines.services.keystone import LARGEST_REQUEST
from fournines.services.resource import File
from samples import cases
from services import test_programs as programs

pytestmark = pytest.mark.lab

#: Runs inside: HAProxy, backends at three addresses, clients of every kind. Prints what they saw, as JSON.
INSIDE = cases.ROOT / "tests/samples/front_door_inside.py"


@cache
def _seen(directory: Path) -> dict[str, Any]:
    case = cases.read(cases.ROOT / "tests/services/haproxy/off.yaml")
    tree, layer = directory / "tree", directory / "layer"
    layer.mkdir()
    for file in (r for r in case.resources(case.cloud(directory)) if isinstance(r, File)):
        target = tree / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.content)
    (tree / "opt").mkdir()
    arguments = f"{LARGEST_REQUEST} {REFUSED_IN_60_S}"
    program = f"mkdir -p /run/haproxy; timeout 110 python3 /opt/inside.py {arguments}"
    (tree / "opt/inside.py").write_bytes(INSIDE.read_bytes())
    done = programs._run(programs._image("full-cloud"), layer, tree, program)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return _seen(tmp_path_factory.mktemp("front"))


def of_client(answer: dict[str, Any]) -> list[list[str]]:
    """The headers that reached the backend."""
    return json.loads(answer["body"])


def test_what_a_client_says_of_proxies_is_replaced(seen: dict[str, Any]) -> None:
    arrived = of_client(seen["forged"])
    about = [h for h in arrived if "forward" in h[0] or "real" in h[0] or h[0] == "proxy"]
    (source,) = {v for n, v in about if n == "x-forwarded-for"}
    assert source.startswith("198.18.")
    assert sorted(about) == [["x-forwarded-for", source], ["x-forwarded-proto", "https"]]
    assert ["x-auth-token", "mine"] in arrived
    assert ["host", "cloud.example.com:5000"] in arrived
    assert ["x-forwarded-proto", "http"] in of_client(seen["inside"])
    assert not any(h[0] == "forwarded" for h in of_client(seen["inside"]))


def test_browsers_are_told_to_come_by_tls_alone(seen: dict[str, Any]) -> None:
    names = {name.lower(): value for name, value in seen["forged"]["headers"]}
    assert names["strict-transport-security"] == "max-age=63072000"
    assert "strict-transport-security" not in {name.lower() for name, _ in seen["inside"]["headers"]}


def test_a_header_that_does_not_end_is_cut_off(seen: dict[str, Any]) -> None:
    assert seen["slow"]["status"] == 408
    assert 4.0 < seen["slow"]["seconds"] < 14.0


def test_a_request_that_is_too_large_is_refused_before_it_is_sent(seen: dict[str, Any]) -> None:
    assert seen["large"]["status"] == 413
    assert seen["fits"]["status"] == 200


def test_a_500_of_what_may_be_repeated_is_asked_of_another_backend(seen: dict[str, Any]) -> None:
    assert seen["broken once"]["status"] == 200
    first, second = (a for a in seen["asked"] if "broken-at-once" in a[2])
    assert first[0] != second[0]
    assert seen["always broken"]["status"] == 500
    paths = [a[2] for a in seen["asked"]]
    assert paths.count("/v3/always-broken") == 4  # `retries 3`
    assert seen["post broken"]["status"] == 500
    assert paths.count("/v3/always-broken-post") == 1


def test_who_guesses_passwords_is_stopped_and_nobody_else(seen: dict[str, Any]) -> None:
    assert seen["wrong"][0] == 401
    assert seen["wrong"][-1] == 429
    assert seen["wrong"].count(401) in (REFUSED_IN_60_S, REFUSED_IN_60_S + 1)
    assert seen["right after"] == 429
    assert seen["other request"] == 200
    assert set(seen["wrong inside"]) == {401}


def test_old_tls_is_refused(seen: dict[str, Any]) -> None:
    old, middle, new = seen["tls"]
    assert old is None
    assert (middle[0], new[0]) == ("TLSv1.2", "TLSv1.3")
    assert "ECDHE" in middle[1]


def test_figures_are_for_the_control_plane(seen: dict[str, Any]) -> None:
    assert seen["metrics"] == ["200", "403"]
    assert seen["alive"] == "200"
