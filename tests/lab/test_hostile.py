"""A neighbour without keys: an address on the management network that no host of the cloud has."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.services import firewall
from fournines.services.openings import openings, reached
from lab.conftest import Run, healthy
from lab.ports import inside, silent, undeclared

NAMESPACE = "test-hostile"
_TRY = """\
import socket, sys
for line in sys.stdin:
    address, port = line.split()
    with socket.socket() as trial:
        trial.settimeout(0.3)
        if trial.connect_ex((address, int(port))) == 0:
            print(address, port)
"""


@pytest.fixture
def neighbour(cloud: Cloud) -> Iterator[str]:
    """Its address. All hosts' networks are reached, as far as it is up to the neighbour, by way of the first host."""
    (region,) = cloud.regions.values()
    network = region.networks["management"].cidr
    bridge = next(b.device for b in lab.load(cloud.name).bridges if b.network == "management")
    address = str(network[66])
    _remove()
    commands = f"""\
        ip netns add {NAMESPACE}
        ip link add {NAMESPACE} type veth peer name eth0 netns {NAMESPACE}
        ip link set {NAMESPACE} master {bridge} up
        ip -n {NAMESPACE} address add {address}/{network.prefixlen} dev eth0
        ip -n {NAMESPACE} link set eth0 up
        ip -n {NAMESPACE} route add default via {cloud.hosts[0].address}"""
    try:
        for command in commands.splitlines():
            subprocess.run(command.split(), check=True)
        yield address
    finally:
        _remove()


def _remove() -> None:
    subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False, capture_output=True)


def connects(to: list[tuple[str, int]], *, from_host: tuple[Cloud, str] | None = None) -> set[tuple[str, int]]:
    """Those of `to` that a TCP connection reaches from the neighbour, or from a host of the cloud."""
    if from_host:
        argv = ["nsenter", f"--net=/proc/{lab.leader(from_host[0].name, from_host[1])}/ns/net"]
    else:
        argv = ["ip", "netns", "exec", NAMESPACE]
    asked = "".join(f"{address} {port}\n" for address, port in to)
    said = subprocess.check_output([*argv, "python3", "-c", _TRY], input=asked, text=True, timeout=300)
    return {(address, int(port)) for address, port in (line.split() for line in said.splitlines())}


def declared(cloud: Cloud) -> list[tuple[str, int]]:
    """(address, port) of everything that listens for TCP on any host."""
    found = {
        (str(at), o.port.number)
        for host in cloud.hosts
        for o in openings(cloud, host.region)
        if o.port.protocol == "tcp" and o.port.always and (at := reached(cloud, host, o))
    }
    return sorted(found)


def dropped(cloud: Cloud, host: str) -> int:
    """Packets that the end of the host's input chain has dropped."""
    rules = inside(cloud, host, "nft", "list", "chain", "inet", "fournines", "input")
    found = re.search(r"^\s*counter packets (\d+)", rules, re.MULTILINE)
    assert found, rules
    return int(found[1])


def test_what_listens_is_what_the_services_say(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    healthy(cloud_file, fournines)
    assert {h.name: undeclared(cloud, h) for h in cloud.hosts} == {h.name: set() for h in cloud.hosts}
    assert {h.name: silent(cloud, h) for h in cloud.hosts} == {h.name: set() for h in cloud.hosts}


def test_a_neighbour_reaches_ssh_and_what_is_public(cloud: Cloud, neighbour: str) -> None:
    """So it joins no Galera, no RabbitMQ, reads and writes no cache, and asks no agent."""
    (region,) = cloud.regions.values()
    public = {(address, port) for address, port in declared(cloud) if address == str(region.vips.public)}
    ssh = {(str(h.address), 22) for h in cloud.hosts}
    everything = [*declared(cloud), *sorted(ssh)]
    assert {4567, 11211, 5671, 25672, 4369, 15671, 9200} <= {port for _, port in everything}
    assert connects(everything) <= public | ssh
    assert ssh <= connects(sorted(ssh)), "it does reach the hosts"


def test_a_member_reaches_what_a_neighbour_does_not(cloud: Cloud, neighbour: str) -> None:
    one, other = cloud.hosts[:2]
    mine = [(str(one.address), port) for port in (3306, 4567, 11211, 5671, 25672, 9200)]
    assert connects(mine, from_host=(cloud, other.name)) == set(mine)
    assert connects(mine) == set()


def test_a_neighbour_s_heartbeats_and_adverts_do_not_arrive(cloud: Cloud, neighbour: str) -> None:
    host = cloud.hosts[0]
    before = dropped(cloud, host.name)
    send = (
        "import socket\n"
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:\n"
        f"    [udp.sendto(b'x' * 64, ('{host.address}', 9201)) for _ in range(3)]\n"
        "with socket.socket(socket.AF_INET, socket.SOCK_RAW, 112) as vrrp:\n"
        f"    [vrrp.sendto(b'x' * 16, ('{host.address}', 0)) for _ in range(3)]\n"
    )
    subprocess.run(["ip", "netns", "exec", NAMESPACE, "python3", "-c", send], check=True)
    time.sleep(0.5)
    assert dropped(cloud, host.name) - before >= 6


def test_rules_that_keep_ssh_out_are_undone(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    """As if a mistake had passed all checks: nobody can confirm such rules."""
    host = cloud.hosts[2]
    text, digest = firewall.rules(cloud, host)
    wrong = text.replace(f"rules_{digest}", "rules_wrong").replace("tcp dport 22 jump ssh", "tcp dport 22 drop")
    script = f"cat > {firewall.RULES}; {firewall.PROGRAM} apply wrong"
    argv = ["nsenter", f"--target={lab.leader(cloud.name, host.name)}", "--all", "--", "sh", "-ec"]
    try:
        subprocess.run([*argv, script], input=wrong, text=True, check=True)
        with contextlib.suppress(TimeoutError):
            socket.create_connection((str(host.address), 22), 2.0).close()
            pytest.fail("the rules do not keep SSH out")
        deadline = time.monotonic() + 45
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection((str(host.address), 22), 2.0).close()
                break
        socket.create_connection((str(host.address), 22), 2.0).close()
        assert f"rules_{digest}" in inside(cloud, host.name, "nft", "list", "table", "inet", "fournines")
    finally:
        subprocess.run([*argv, f"cat > {firewall.RULES}; {firewall.PROGRAM} undo"], input=text, text=True, check=True)
    fournines("plan", cloud_file, "--exit-code")


def test_the_firewall_is_there_before_any_daemon(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    host = cloud.hosts[1]
    fournines("lab", "power", "reset", f"{cloud.name}/{host.name}")
    healthy(cloud_file, fournines)
    _, digest = firewall.rules(cloud, host)
    assert f"rules_{digest}" in inside(cloud, host.name, "nft", "list", "table", "inet", "fournines")
    ask = ("systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value")
    began = [int(inside(cloud, host.name, *ask, unit)) for unit in (firewall.UNIT, "sysinit.target", "mariadb.service")]
    assert began == sorted(began)


def test_units_are_denied_what_they_do_not_need(cloud: Cloud) -> None:
    """`systemd-analyze security`: 4.0 at most, where docs/security.md does not say why not."""
    for host in cloud.hosts:
        said = inside(cloud, host.name, "systemd-analyze", "security", "--no-pager", "--json=short")
        exposure = {unit["unit"]: float(unit["exposure"]) for unit in json.loads(said)}
        for unit in ("keystone", "mariadb", "rabbitmq-server", "memcached", "haproxy"):
            assert exposure[f"{unit}.service"] <= 4.0, unit
