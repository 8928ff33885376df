"""The whole of OpenStack on five hosts: `examples/full-cloud.yaml`, brought up, used once by `smoke`, and taken down.

It goes before all other tests of the lab: its hosts and theirs do not fit on one small machine together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.services import load, registry, tls, valkey
from fournines.smoke.dashboard import address
from fournines.smoke.steps import STEPS
from lab.conftest import OpenStack, Run, client, healthy
from lab.handshakes import Shows, answered
from lab.ports import Socket, inside, silent, undeclared
from samples.browser import chromium

EXAMPLE = Path(__file__).parents[2] / "examples" / "full-cloud.yaml"
NAME = "test-metro"


# The first apply alone takes ten minutes on two cores, and counts towards the test that happens to come first.
pytestmark = pytest.mark.timeout(3000)


@pytest.fixture(scope="module")
def full_cloud(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Path]:
    """Up with one command, and healthy."""
    path = tmp_path_factory.mktemp("metro") / "full-cloud.yaml"
    text = EXAMPLE.read_text().replace("cloud: metro", f"cloud: {NAME}")
    path.write_text(re.sub(r"198\.18\.(\d+)\.", lambda m: f"198.19.{int(m[1]) + 32}.", text))
    lab.down(NAME)
    try:
        fournines("lab", "up", path, "--apply", timeout=1800)
        healthy(path, fournines)
        yield path
    finally:
        lab.down(NAME)


def test_one_command_brought_it_up_and_nothing_is_left_to_do(full_cloud: Path, fournines: Run) -> None:
    fournines("plan", full_cloud, "--exit-code")


def test_every_service_works_as_its_users_use_it(full_cloud: Path, fournines: Run) -> None:
    said = fournines("smoke", full_cloud, "--json", timeout=1100, ok=False)
    results = {step["name"]: (step["outcome"], step["said"]) for step in json.loads(said.stdout)["steps"]}
    assert {name: r for name, r in results.items() if r[0] != "passed"} == {}
    assert set(results) == {"clean_up", *(step.name for step in STEPS)}


def test_every_part_that_reports_is_up(full_cloud: Path) -> None:
    openstack: OpenStack = client(full_cloud)
    assert {s["State"] for s in openstack("compute", "service", "list")} == {"up"}
    assert {a["Alive"] for a in openstack("network", "agent", "list")} == {True}
    assert {s["State"] for s in openstack("volume", "service", "list")} == {"up"}
    assert {s["Status"] for s in openstack("orchestration", "service", "list")} == {"up"}
    for words in (("image", "list"), ("metric", "list"), ("alarm", "list"), ("container", "list")):
        assert isinstance(openstack(*words), list)


def test_every_api_was_seen_to_answer_when_it_started(full_cloud: Path) -> None:
    cloud = lab.access(load(full_cloud))
    counts = "journalctl -o cat --no-pager | grep -c 'does not answer: goes on without it' || true"
    assert {inside(cloud, host.name, "sh", "-c", counts).strip() for host in cloud.hosts} == {"0"}


def test_what_listens_on_any_host_is_what_the_services_say(full_cloud: Path) -> None:
    cloud = lab.access(load(full_cloud))
    nothing: dict[str, set[Socket]] = {h.name: set() for h in cloud.hosts}
    assert {h.name: undeclared(cloud, h) for h in cloud.hosts} == nothing
    assert {h.name: silent(cloud, h) for h in cloud.hosts} == nothing


def test_units_are_denied_what_they_do_not_need(full_cloud: Path) -> None:
    """`systemd-analyze security`: 4.0 at most, but for those of which docs/security.md says why not."""
    cloud = lab.access(load(full_cloud))
    page = (Path(__file__).parents[2] / "docs/security.md").read_text()
    table = page[page.index("| unit | exposure | why |") : page.index("A package's unit takes its sandbox")]
    first = " ".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))
    excepted = {f"{name}.service" for name in re.findall(r"`([^`]+)`", first)}
    exposed: dict[str, float] = {}
    for host in cloud.hosts:
        said = inside(cloud, host.name, "systemd-analyze", "security", "--no-pager", "--json=short")
        ours = {unit for s in registry().values() if s.name in host.services for unit in s.units}
        exposed |= {u["unit"]: float(u["exposure"]) for u in json.loads(said) if u["unit"] in ours - excepted}
    assert len(exposed) > 30
    assert {unit: exposure for unit, exposure in exposed.items() if exposure > 4.0} == {}


def test_a_compute_that_was_taken_over_is_not_the_cloud(full_cloud: Path) -> None:
    """What root of a compute, with all that is on it, gets from the database, caches and the bus."""
    cloud = lab.access(load(full_cloud))
    region = next(iter(cloud.regions.values()))
    computes = [h for h in cloud.hosts if "nova_compute" in h.services]
    one, other = computes[:2]
    controller = next(h for h in cloud.hosts if "mariadb" in h.services)
    closed = [(str(region.vips.internal), 3306), *((str(controller.address), n) for n in (3306, 4567, 4444, 11211))]
    closed += [(str(controller.address), port) for port in (4369, 25672, 15671, 9200, 5000, 8774)]
    opened = [(str(controller.address), 5671), (str(region.vips.internal), 5000)]
    said = on(cloud, one.name, _CONNECTS, *(f"{address}:{port}" for address, port in (*closed, *opened)))
    assert {(a, int(p)) for a, _, p in (line.partition(":") for line in said.split())} == set(opened)
    queues = ["conductor", f"compute.{other.name}", "scheduler", f"compute.{one.name}"]
    said = on(cloud, one.name, _READS, "/etc/nova/nova-compute.conf", *queues)
    assert said.split() == ["refused", "refused", "refused", "read"]


#: Prints those of its arguments, ADDRESS:PORT, that take a connection.
_CONNECTS = """\
import socket, sys
for address, port in (word.split(":") for word in sys.argv[1:]):
    with socket.socket() as trial:
        trial.settimeout(0.5)
        if trial.connect_ex((address, int(port))) == 0:
            print(f"{address}:{port}")
"""
#: Signs in to the bus as the service of the file argv[1] does, and reads each queue of argv[2:] once.
_READS = """\
import configparser, ssl, sys, urllib.parse
import amqp
config = configparser.ConfigParser(strict=False, interpolation=None)
config.read(sys.argv[1])
url = urllib.parse.urlsplit(config["DEFAULT"]["transport_url"].split(",")[0])
trust = {"ca_certs": config["oslo_messaging_rabbit"]["ssl_ca_file"], "cert_reqs": ssl.CERT_REQUIRED}
vhost = urllib.parse.urlsplit(config["DEFAULT"]["transport_url"]).path.lstrip("/")
for queue in sys.argv[2:]:
    bus = amqp.Connection(url.netloc.partition("@")[2], url.username, url.password, virtual_host=vhost, ssl=trust)
    bus.connect()
    try:
        bus.channel().basic_get(queue)
        print("read")
    except amqp.exceptions.AccessRefused:
        print("refused")
    bus.close()
"""


def test_valkey_takes_the_certificates_of_its_group_alone(full_cloud: Path, tmp_path: Path) -> None:
    """Members' and clients': before the first command, and so before a password."""
    cloud = lab.access(load(full_cloud))
    one, other = cloud.hosts_of("valkey", cloud.hosts[0].region)[:2]
    (tmp_path / "server.pem").write_text(tls.host_pem(cloud, other))
    (tmp_path / "member.pem").write_text(tls.member_pem(cloud, other, "valkey"))
    shown: dict[str, Shows] = {
        "plain": "plain",
        "nothing": "nothing",
        "a server's": tmp_path / "server.pem",
        "a member's": tmp_path / "member.pem",
    }
    for port in (valkey.PORT, valkey.SENTINEL_PORT):
        found = {
            kind: answered(cloud, (str(one.address), port), from_host=other.name, shows=shows, sends=b"PING\r\n")
            for kind, shows in shown.items()
        }
        assert found == {**dict.fromkeys(shown, "refused"), "a member's": "accepted"}, port


def on(cloud: Cloud, host: str, program: str, *arguments: str) -> str:
    return inside(cloud, host, "python3", "-c", program, *arguments)


def test_a_person_signs_in_to_the_dashboard(full_cloud: Path, tmp_path: Path) -> None:
    """With a browser, scripts and styles and all, whatever host each of its requests comes to."""
    cloud = load(full_cloud)
    region = next(iter(cloud.regions.values()))
    with chromium(tmp_path) as browser:
        wait = WebDriverWait(browser, 60)
        browser.get(address(region, "/auth/login/"))
        browser.find_element(By.NAME, "username").send_keys("admin")
        browser.find_element(By.NAME, "password").send_keys(cloud.secrets.get("keystone.admin"))
        browser.find_element(By.ID, "loginBtn").click()
        wait.until(lambda b: "/auth/login" not in b.current_url)
        browser.get(address(region, "/project/instances/"))
        wait.until(lambda b: b.find_elements(By.ID, "instances"))
        for page in ("/project/networks/", "/project/network_topology/", "/identity/"):
            browser.get(address(region, page))
            assert "/auth/login" not in browser.current_url
            assert not [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"]
