"""What a host of a lab listens on, compared with what the services say."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address

from fournines import lab
from fournines.cloud.model import Cloud, Host
from fournines.services.openings import openings, reached

Socket = tuple[str, str, int]


def inside(cloud: Cloud, host: str, *words: str) -> str:
    """Output of a command in the host's namespaces, started by nobody who had to be let in."""
    argv = ["nsenter", f"--target={lab.leader(cloud.name, host)}", "--all", "--", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=90).stdout


def listening(cloud: Cloud, host: Host) -> set[Socket]:
    """(protocol, address, port) of what others may reach."""
    found: set[Socket] = set()
    for line in inside(cloud, host.name, "ss", "-H", "-l", "-n", "-t", "-u").splitlines():
        protocol, _, _, _, local, *_ = line.split()
        address, _, port = local.rpartition(":")
        address = address.partition("%")[0].strip("[]")
        if address == "*" or not ip_address(address).is_loopback:
            found.add((protocol, address, int(port)))
    return found


def undeclared(cloud: Cloud, host: Host) -> set[Socket]:
    """Sockets that no service speaks of."""
    declared = {
        (o.port.protocol, str(reached(cloud, host, o)), number)
        for o in openings(cloud, host.region)
        for number in range(o.port.number, (o.port.last or o.port.number) + 1)
    }
    return listening(cloud, host) - declared - _ssh(host)


def silent(cloud: Cloud, host: Host) -> set[Socket]:
    """Ports that services say they listen on, where nothing does."""
    always = {
        (o.port.protocol, str(at), o.port.number)
        for o in openings(cloud, host.region)
        if o.port.always and o.port.number and (at := reached(cloud, host, o))
    }
    return always - listening(cloud, host)


def _ssh(host: Host) -> set[Socket]:
    return {("tcp", address, host.ssh.port) for address in (str(host.address), "0.0.0.0", "::", "*")}
