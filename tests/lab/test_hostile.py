"""A neighbour without keys: an address on the management network that no host of the cloud has; then who has such an
address, but no certificate, or another one; and who stands in the path to the database."""

from __future__ import annotations

import configparser
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
from fournines.cloud.model import Cloud, Host
from fournines.services import database_access, firewall, mariadb, tls
from fournines.services.openings import openings, reached
from lab.conftest import Run, healthy
from lab.handshakes import Outcome, Shows, answered
from lab.ports import inside, silent, undeclared

NAMESPACE = "test-hostile"
#: The same for every test: the hosts remember it for a while.
MAC = "02:00:00:00:00:66"
_TRY = """\
import socket, sys
for line in sys.stdin:
    address, port = line.split()
    with socket.socket() as trial:
        trial.settimeout(0.3)
        if trial.connect_ex((address, int(port))) == 0:
            print(address, port)
"""

_CONNECT = """\
import sys, sqlalchemy
try:
    sqlalchemy.create_engine(sys.argv[1]).connect()
    print("connected")
except sqlalchemy.exc.OperationalError as error:
    print(error.orig)
"""
_IN_THE_PATH = 13306
#: Greets every client as MariaDB does, but for TLS, and then asks for the password as it is.
_GREETS = """\
import select, socket, struct, sys
capabilities = 0x200 | 0x8000 | 0x80000 | 0x8
greeting = b"\\x0a11.8.3-MariaDB\\0" + struct.pack("<I8sx", 1, b"saltsalt")
greeting += struct.pack("<HBHHB10s", capabilities & 0xffff, 33, 2, capabilities >> 16, 21, b"")
greeting += b"saltsaltsalt\\0mysql_native_password\\0"
packet = lambda number, said: struct.pack("<I", len(said))[:3] + bytes([number]) + said
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
sys.stdout.buffer.write(b"."), sys.stdout.flush()
clients, heard = {}, b""
while sys.stdin not in (ready := select.select([server, sys.stdin, *clients], [], [])[0]):
    for one in ready:
        if one is server:
            client = server.accept()[0]
            clients[client] = 0
            client.sendall(packet(0, greeting))
            continue
        try:
            said = one.recv(4096)
        except OSError:
            said = b""
        heard += said
        clients[one] += 1
        if said and clients[one] == 1:
            one.sendall(packet(2, b"\\xfemysql_clear_password\\0"))
        elif not said or clients[one] > 1:
            del clients[one]
            one.close()
sys.stdout.buffer.write(heard)
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
        ip link add {NAMESPACE} type veth peer name eth0 address {MAC} netns {NAMESPACE}
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
    for thing in ("link", "netns"):  # a namespace's links outlive it for a moment
        subprocess.run(["ip", thing, "delete", NAMESPACE], check=False, capture_output=True)


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


#: What opens a connection between Erlang's nodes: its name, under the flags that every node must have.
_NODE = b"rabbit@nobody"
_HELLO = b"N" + (0xD07DF7FBD).to_bytes(8, "big") + b"\0\0\0\1" + len(_NODE).to_bytes(2, "big") + _NODE
ERLANG = len(_HELLO).to_bytes(2, "big") + _HELLO
AMQP = b"AMQP\0\0\x09\x01"
REFUSED: dict[str, Outcome] = dict.fromkeys(("plain", "nothing", "a server's", "another group's"), "refused")


@pytest.fixture
def shown(cloud: Cloud, tmp_path: Path) -> dict[str, Shows]:
    """Each kind of client: what it shows."""
    first = cloud.hosts[0]
    pems = {
        "a server's": tls.host_pem(cloud, first),
        **{group: tls.member_pem(cloud, first, group) for group in ("mariadb", "rabbitmq")},
    }
    files: dict[str, Shows] = {}
    for name, pem in pems.items():
        path = tmp_path / f"{name}.pem"
        path.write_text(pem)
        files[name] = path
    files |= {"plain": "plain", "nothing": "nothing"}
    return files


def outcomes(
    cloud: Cloud, shown: dict[str, Shows], port: int, *, sends: bytes = b"", group: str, other: str
) -> dict[str, Outcome]:
    """Of clients on the third host, which the firewall of the second lets in: how each fared there."""
    at = (str(cloud.hosts[1].address), port)
    kinds: dict[str, Shows] = {**shown, "member": shown[group], "another group's": shown[other]}
    return {
        kind: answered(cloud, at, from_host=cloud.hosts[2].name, shows=kinds[kind], sends=sends or b"\0" * 64)
        for kind in (*REFUSED, "member")
    }


def test_galera_takes_a_member_s_certificate_alone(cloud: Cloud, shown: dict[str, Shows]) -> None:
    """Who speaks no TLS is waited for, and told nothing."""
    found = outcomes(cloud, shown, 4567, group="mariadb", other="rabbitmq")
    assert found == {**REFUSED, "plain": "silence", "member": "accepted"}


def test_erlang_s_distribution_takes_a_member_s_certificate_alone(cloud: Cloud, shown: dict[str, Shows]) -> None:
    """A member is not answered, for it has not proved that it knows the cookie, but it is not sent away either."""
    found = outcomes(cloud, shown, 25672, sends=ERLANG, group="rabbitmq", other="mariadb")
    assert found == {**REFUSED, "member": "silence"}


def test_streams_are_replicated_by_tls_between_members(cloud: Cloud) -> None:
    """On ports of their own, with what RabbitMQ derives from the distribution's file: nothing of ours sets it."""
    asked = "[application:get_env(osiris, X) || X <- [replication_transport, replication_server_ssl_options]]."
    for host in cloud.hosts:
        said = inside(cloud, host.name, "rabbitmqctl", "eval", asked)
        assert "{ok,ssl}" in said
        assert "{verify,verify_peer}" in said
        assert "{fail_if_no_peer_cert,true}" in said


def test_the_bus_speaks_tls_alone(cloud: Cloud, shown: dict[str, Shows]) -> None:
    """Its clients have passwords, no certificates."""
    at, host = str(cloud.hosts[1].address), cloud.hosts[2].name
    assert answered(cloud, (at, 5671), from_host=host, shows="plain", sends=AMQP) == "refused"
    assert answered(cloud, (at, 5671), from_host=host, shows="nothing", sends=AMQP) == "accepted"
    assert answered(cloud, (at, 5672), from_host=host, shows="plain", sends=AMQP) == "no connection"


def test_a_state_transfer_takes_a_member_s_certificate_alone(
    cloud_file: Path, cloud: Cloud, fournines: Run, shown: dict[str, Shows]
) -> None:
    """Whoever reaches the port of the node that waits for its copy could hand it another database."""
    joiner, other = cloud.hosts[2], cloud.hosts[0]
    inside(cloud, joiner.name, "systemctl", "stop", "mariadb.service")
    inside(cloud, joiner.name, "sh", "-c", "rm -rf /var/lib/mysql/*")
    inside(cloud, joiner.name, "systemctl", "start", "--no-block", "mariadb.service")
    at = (str(joiner.address), 4444)
    assert answered(cloud, at, from_host=other.name, shows="nothing", sends=b"\0" * 64, patience=120) == "refused"
    healthy(cloud_file, fournines)


def test_a_database_that_speaks_no_tls_is_told_nothing(cloud: Cloud, neighbour: str) -> None:
    """Whoever stands in the path says so in its place. Without what fournines adds, PyMySQL answers it in the clear."""
    vip = str(next(iter(cloud.regions.values())).vips.internal)
    # The VIP's holder connects to itself: there is nothing to stand in.
    host = next(h for h in cloud.hosts if f" {vip}/" not in inside(cloud, h.name, "ip", "-4", "address"))
    config = configparser.RawConfigParser(strict=False)
    config.read_string(inside(cloud, host.name, "cat", "/etc/keystone/keystone.conf"))
    url = config["database"]["connection"]
    password = cloud.secrets.get("keystone.database")
    assert connected(cloud, host.name, url) == "connected"
    said, heard = in_the_path(cloud, host, neighbour, url)
    assert "speaks no TLS" in said
    assert heard == b""
    _, heard = in_the_path(cloud, host, neighbour, url.replace(f"&plugin={database_access.NAME}", ""))
    assert password.encode() in heard


def connected(cloud: Cloud, host: str, url: str) -> str:
    """What the SQLAlchemy of `host` says of `url`."""
    return inside(cloud, host, "python3", "-c", _CONNECT, url).strip()


def in_the_path(cloud: Cloud, host: Host, neighbour: str, url: str) -> tuple[str, bytes]:
    """The same, while connections of the host's to the database lead to the neighbour, who greets as a database without
    TLS and asks for the password; and what that one has heard."""
    vip = cloud.regions[host.region].vips.internal
    rules = (
        "table ip test_path {\n chain output {\n  type nat hook output priority -100; policy accept;\n"
        f"  ip daddr {vip} tcp dport {mariadb.PORT} dnat to {neighbour}:{_IN_THE_PATH}\n }}\n}}\n"
    )
    argv = ["nsenter", f"--target={lab.leader(cloud.name, host.name)}", "--all", "--"]
    listen = ["ip", "netns", "exec", NAMESPACE, "python3", "-c", _GREETS, neighbour, str(_IN_THE_PATH)]
    with subprocess.Popen(listen, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as between:
        try:
            assert between.stdout and between.stdout.read(1) == b"."
            subprocess.run([*argv, "nft", "-f", "-"], input=rules, text=True, check=True)
            said = connected(cloud, host.name, url)
        finally:
            subprocess.run([*argv, "nft", "delete", "table", "ip", "test_path"], check=False)
            heard, _ = between.communicate(b"\n", timeout=20)
    return said, heard
