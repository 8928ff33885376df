"""A lab's networks: a bridge each, a cable a host and network, and a route behind which nothing leaves the machine.

A cable is a veth pair into a container's network namespace, or a tap device that a virtual machine's QEMU opens.

Links carry an alias `fournines <cloud> …`, by which leftovers are found.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from fournines.agent import netlink
from fournines.errors import LabError
from fournines.lab import packet_filter
from fournines.lab.shell import run
from fournines.lab.state import RANGE, Lab, LabHost, Port

#: Worse than any route a bridge brings along, so that it only catches what no lab owns.
_UNREACHABLE = ("unreachable", str(RANGE), "metric", "4294967294")
_DISABLED, _FORWARDING = 0, 3  # states of a bridge port, linux/if_bridge.h
_AF_BRIDGE, _RTM_SETLINK, _IFLA_PROTINFO, _IFLA_BRPORT_STATE, _NESTED = 7, 19, 12, 1, 0x8000


def _batch(commands: Iterable[str], *, namespace_of: int = 0) -> None:
    """One process for all `commands`. `namespace_of`: a process in whose network namespace they act."""
    lines = list(commands)
    if not lines:
        return
    enter = ["nsenter", f"--net=/proc/{namespace_of}/ns/net"] if namespace_of else []
    run([*enter, "ip", "-batch", "-"], stdin="\n".join(lines) + "\n")


def _present(devices: Iterable[str]) -> list[str]:
    """Those of `devices` that exist."""
    there = {path.name for path in Path("/sys/class/net").iterdir()}
    return [device for device in devices if device in there]


def links(cloud: str | None = None) -> dict[str, str]:
    """Links that labs made: device -> alias. `cloud`: only that lab's."""
    prefix = f"fournines {cloud} " if cloud else "fournines "
    found: list[dict[str, str]] = json.loads(run(["ip", "-json", "link", "show"]) or "[]")
    return {link["ifname"]: link["ifalias"] for link in found if link.get("ifalias", "").startswith(prefix)}


def foreign_networks() -> dict[str, list[IPv4Network]]:
    """Networks that the machine's own links are attached to: device -> networks."""
    found = json.loads(run(["ip", "-json", "-4", "address", "show"]) or "[]")
    ours = links()
    return {
        link["ifname"]: [IPv4Interface(f"{a['local']}/{a['prefixlen']}").network for a in link.get("addr_info", [])]
        for link in found
        if link.get("ifname") and link["ifname"] not in ours
    }


def refuse_overlaps(lab: Lab, others: Iterable[Lab]) -> None:
    """Raises LabError when a network of `lab` overlaps another lab's, or one that the machine is attached to."""
    taken = [
        (f"lab {other.cloud}", bridge.address.network, f"take that lab down (fournines lab down {other.cloud})")
        for other in others
        if other.cloud != lab.cloud
        for bridge in other.bridges
    ]
    taken += [
        (f"the machine's device {device}", foreign, f"choose other addresses in {RANGE}")
        for device, attached in foreign_networks().items()
        for foreign in attached
    ]
    for bridge in lab.bridges:
        for owner, network, remedy in taken:
            if bridge.address.network.overlaps(network):
                raise LabError(
                    f"Network {bridge.network} of lab {lab.cloud} overlaps one of {owner}",
                    where=f"{bridge.address.network}, {network}",
                    next=f"{remedy}, or change the cloud file",
                )


def connect(lab: Lab) -> None:
    """Makes the bridges that are missing, and the route behind them."""
    run(["ip", "route", "replace", *_UNREACHABLE])
    present = _present(bridge.device for bridge in lab.bridges)
    commands: list[str] = []
    for bridge in lab.bridges:
        if bridge.device not in present:
            # A fixed address: a bridge otherwise takes one of its ports', and changes it when that host loses power.
            commands.append(f"link add {bridge.device} address {bridge.mac} type bridge")
        alias = f"fournines {lab.cloud} network {bridge.network}"
        commands += [
            f'link set {bridge.device} addrgenmode none alias "{alias}"',
            f"address replace {bridge.address} dev {bridge.device}",
            f"link set {bridge.device} up",
        ]
    controllers = [host.controller for host in lab.hosts if host.controller]
    commands += [f"address replace {one.address}/32 dev {one.bridge}" for one in controllers]
    _batch(commands)


def plug(lab: Lab, host: LabHost, namespace_of: int) -> None:
    """Cables from `host`, whose network namespace is that of process `namespace_of`, to its bridges."""
    unplug(host)
    machine_side: list[str] = []
    for port in host.ports:
        machine_side += [
            f"link add {port.device} type veth peer name {port.interface} address {port.mac} netns {namespace_of}",
            *_to_bridge(lab, host, port),
        ]
    _batch(machine_side)
    _batch(addresses(host), namespace_of=namespace_of)


def plug_taps(lab: Lab, host: LabHost) -> None:
    """Cables from `host`, a virtual machine whose QEMU will open their ends, to its bridges."""
    unplug(host)
    commands: list[str] = []
    for port in host.ports:
        commands += [f"tuntap add dev {port.device} mode tap", *_to_bridge(lab, host, port)]
    _batch(commands)


def _to_bridge(lab: Lab, host: LabHost, port: Port) -> list[str]:
    alias = f"fournines {lab.cloud} host {host.name} {port.network}"
    return [
        f'link set {port.device} addrgenmode none master {port.bridge} alias "{alias}"',
        f"link set {port.device} up",
    ]


def addresses(host: LabHost) -> list[str]:
    """What `ip -batch` has to do in `host`, whose interfaces have their names."""
    commands = ["link set lo up"]
    for port in host.ports:
        commands += [f"address add {port.address} dev {port.interface}"] if port.address else []
        commands.append(f"link set {port.interface} up")
    return commands


def unplug(host: LabHost) -> None:
    """Removes the cables. The kernel does so itself some time after the host's last process ended."""
    packet_filter.remove(port.device for port in host.ports)
    delete(port.device for port in host.ports)


def delete(devices: Iterable[str]) -> None:
    """Removes those of `devices` that exist. Raises LabError when one resists."""
    wanted = list(devices)
    lines = "".join(f"link delete {device}\n" for device in _present(wanted))
    try:
        run(["ip", "-force", "-batch", "-"], stdin=lines)
    except LabError:
        # A dying namespace takes its cables along, perhaps just now.
        if _present(wanted):
            raise


def cut(ports: Iterable[Port]) -> None:
    """From now on the switch neither takes nor gives a packet on these ports; the carrier stays, as in a partition.

    Raises LabError, once all others are cut, for a port that is not there: its host is off.
    """
    absent = [port for port in ports if not _set_state(port, _DISABLED)]
    if absent:
        raise LabError(
            "A port that is not there cannot be cut",
            where=", ".join(f"{port.device} of network {port.network}" for port in absent),
            why="the host is off, or only just switched on",
            next="fournines lab status",
        )


def join(ports: Iterable[Port]) -> None:
    """Undoes `cut`; of no effect on ports that are not cut, or not there."""
    for port in ports:
        _set_state(port, _FORWARDING)


def _set_state(port: Port, state: int) -> bool:
    """By rtnetlink(7), as `bridge link set` does, and without a process: a cut of 0.5 s is one of 0.5 s. Whether the
    port is there."""
    try:
        index = socket.if_nametoindex(port.device)
        netlink.command(socket.NETLINK_ROUTE, _RTM_SETLINK, _port_state(index, state))
    except OSError as error:
        if not _attached(port):
            return False
        raise LabError(f"The switch port {port.device} does not change", why=str(error)) from error
    return True


def _port_state(index: int, state: int) -> bytes:
    """struct ifinfomsg of AF_BRIDGE, then IFLA_PROTINFO with IFLA_BRPORT_STATE in it (linux/if_link.h)."""
    attribute = struct.pack("=HHBxxx", 5, _IFLA_BRPORT_STATE, state)
    nested = struct.pack("=HH", 4 + len(attribute), _IFLA_PROTINFO | _NESTED) + attribute
    return struct.pack("=BxHiII", _AF_BRIDGE, 0, index, 0, 0) + nested


def _attached(port: Port) -> bool:
    return Path(f"/sys/class/net/{port.device}/brport/state").exists()


def is_cut(port: Port) -> bool:
    """False also of a port that is not there."""
    try:
        state = Path(f"/sys/class/net/{port.device}/brport/state").read_text()
    except OSError:
        return False
    return int(state) == _DISABLED


def disconnect(cloud: str, lab: Lab | None, *, last: bool) -> None:
    """Removes every link of the lab named `cloud`, `lab` if its record can be read; with `last`, what all labs share.

    By record and by alias: an interrupted run has made links that have no alias yet.
    """
    ports = [port.device for host in lab.hosts for port in host.ports] if lab else []
    recorded = [*ports, *(bridge.device for bridge in lab.bridges)] if lab else []
    devices = {*recorded, *links(cloud)}
    packet_filter.remove(devices)
    delete(devices)
    if last and str(RANGE) in run(["ip", "route", "show", "type", "unreachable"]):
        run(["ip", "route", "delete", *_UNREACHABLE])
