"""A host's power switch, and the cables between it and its switches."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from fournines.errors import LabError
from fournines.lab import cgroup, delay, kinds, luns, network, packet_filter, seed
from fournines.lab.lock import locked
from fournines.lab.state import Lab, LabHost, Port, load

Action = Literal["on", "off", "reset"]


def power(cloud: str, host: str, action: Action) -> None:
    """Presses the button. `off` is the loss of power: no process ends by itself, no packet leaves any more.

    `on` returns when the host boots, not when it is up. `reset` is off and on. Of no effect when already so.
    Raises LabError when there is no such lab or host.
    """
    lab = load(cloud)
    target = lab.host(host)
    with locked(lab.host_directory(host)):
        if action in ("off", "reset"):
            _off(lab, target)
        if action in ("on", "reset"):
            _on(lab, target)


def empty_disk(cloud: str, host: str) -> None:
    """Another machine in the place of `host`: off, its disk as the image has it, with another SSH key, which the lab's
    known_hosts has. Raises LabError."""
    lab = load(cloud)
    target = lab.host(host)
    with locked(lab.host_directory(host)):
        _off(lab, target)
        seed.empty(lab, target)


def is_on(cloud: str, host: str) -> bool:
    """Off is off for all: not before nothing of it can write to a disk that others see."""
    return cgroup.populated(cgroup.of_host(cloud, host)) or luns.attached(cloud, host)


def memory(cloud: str, host: str) -> int:
    """Bytes that the host's processes hold, pages shared with others counted in part; 0 while it is off."""
    total = 0
    for pid in cgroup.processes(cgroup.of_host(cloud, host)):
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def limit_memory(cloud: str, host: str, spare: int | None) -> None:
    """From now on the host gets `spare` bytes beyond what its processes hold; None: as much as the machine has, as
    before. Raises LabError where it cannot be limited."""
    found = _memory(cloud, host)
    stat = dict(line.split() for line in found.stat.read_text().splitlines())
    # What the kernel can drop again is nobody's: pages of files that were read.
    files = [int(stat.get(f"total_{name}", stat.get(name, 0))) for name in ("inactive_file", "active_file")]
    held = int(found.usage.read_text()) - sum(files)
    try:
        found.limit.write_text(found.unlimited if spare is None else str(held + spare))
    except OSError as error:
        raise LabError(f"The memory of {host} of lab {cloud} cannot be limited", why=str(error)) from error


def ended_for_memory(cloud: str, host: str) -> int:
    """Processes of the host that the kernel has ended for want of memory. Raises LabError where it cannot be told."""
    events = dict(line.split() for line in _memory(cloud, host).events.read_text().splitlines())
    return int(events["oom_kill"])


def _memory(cloud: str, host: str) -> cgroup.Memory:
    target = load(cloud).host(host)
    found = kinds.of(target).account(cgroup.of_host(cloud, host))
    if found is None:
        raise LabError(
            f"Nothing keeps account of the memory of {host} of lab {cloud}",
            why="the host is off, is a virtual machine, was switched on by an earlier version, or no cgroup has a"
            " controller of memory",
            next=f"fournines lab power reset {host}",
        )
    return found


def freeze(cloud: str, host: str) -> None:
    """Every process of `host` stops at one instant. A container's network stack answers on (ARP, ping), a virtual
    machine's does not. Idempotent."""
    _freezer(cloud, host, "1")


def thaw(cloud: str, host: str) -> None:
    """Undoes `freeze`. Idempotent, and of no effect on a host that is off."""
    if is_on(cloud, host):
        _freezer(cloud, host, "0")


def is_frozen(cloud: str, host: str) -> bool:
    with contextlib.suppress(OSError):
        return "frozen 1" in (cgroup.of_host(cloud, host) / "cgroup.events").read_text()
    return False


def _freezer(cloud: str, host: str, value: str) -> None:
    try:
        (cgroup.of_host(load(cloud).cloud, load(cloud).host(host).name) / "cgroup.freeze").write_text(value)
    except OSError as error:
        raise LabError(
            f"{host} of lab {cloud} cannot be frozen", why=str(error), next="fournines lab status"
        ) from error


def isolate(cloud: str, host: str, network_name: str) -> None:
    """The switch of `network_name` loses `host`: no packet either way, the carrier stays up. Idempotent.

    Raises LabError when the host is off: there is nothing to cut.
    """
    network.cut([port(cloud, host, network_name)])


def heal(cloud: str, host: str, network_name: str) -> None:
    """Undoes `isolate`, exactly. Idempotent."""
    network.join([port(cloud, host, network_name)])


def isolated(cloud: str, host: str) -> list[str]:
    """Networks that `host` has been isolated from."""
    return [p.network for p in load(cloud).host(host).ports if is_on(cloud, host) and network.is_cut(p)]


def resume(cloud: str) -> None:
    """Every host on and running, every port joined: what an interrupted campaign took away comes back."""
    lab = load(cloud)
    ports = [port for host in lab.hosts for port in host.ports]
    network.join(ports)
    packet_filter.remove(port.device for port in ports)
    delay.remove(port.device for port in ports)
    for host in lab.hosts:
        thaw(cloud, host.name)
        power(cloud, host.name, "on")


def port(cloud: str, host: str, network_name: str) -> Port:
    """Raises LabError when there is no such lab or host, or the host is not on that network."""
    ports = load(cloud).host(host).ports
    for found in ports:
        if found.network == network_name:
            return found
    raise LabError(
        f"{host} of lab {cloud} is not on a network {network_name}",
        next=f"choose one of: {', '.join(p.network for p in ports)}",
    )


def _off(lab: Lab, host: LabHost) -> None:
    # First the cables: dying processes close their connections, and a host without power sends no FIN.
    with contextlib.suppress(LabError):  # a dying namespace takes its cables along, perhaps just now
        network.cut(host.ports)
    # Then the disks that others see, and what had not yet been written there.
    with contextlib.suppress(LabError, OSError):  # off already, or dying just now
        kinds.of(host).lose_power(lab, host)
    cgroup.destroy(cgroup.of_host(lab.cloud, host.name))
    luns.release(lab.cloud, host.name)
    network.unplug(host)


def _on(lab: Lab, host: LabHost) -> None:
    group = cgroup.of_host(lab.cloud, host.name)
    if (group / "payload").is_dir() and cgroup.populated(group):
        return
    _off(lab, host)
    cgroup.make(group)
    kinds.of(host).start(lab, host, [group, *cgroup.make_shares(group)])
