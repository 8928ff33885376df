"""`lab up` and `lab down`: from whatever is there to all of it, or to nothing.

Neither looks at how far an earlier run came. `up` makes what is missing, `down` removes what is there, and both find
things by their names, so a run that was killed at any moment is continued or cleaned by the next one.
"""

from __future__ import annotations

import contextlib
import fnmatch
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from fournines.cloud.model import Cloud
from fournines.errors import LabError
from fournines.lab import cgroup, image, luns, machine, network, redfish, router, seed, state
from fournines.lab.lock import locked
from fournines.lab.power import is_on, leader, resume
from fournines.lab.shell import run
from fournines.lab.state import LABS, Lab, LabHost

Say = Callable[[str], None]

_BOOT_TIMEOUT = 90.0  # seconds; three hosts take about five on two idle cores


def up(cloud: Cloud, say: Say, *, mirror: str = "") -> Lab:
    """Hosts on this machine for `cloud`, on, reachable over SSH and on all their networks. Idempotent.

    Hosts that the cloud file no longer has are removed; those that it still has keep their data.
    Raises LabError when the machine cannot, when networks clash, when a host does not boot.
    """
    redfish.make_passwords(cloud)
    if any(region.luns for region in cloud.regions.values()):
        machine.require_capability("loop devices", "a LUN")
    machine.require(hosts=sum(not is_on(cloud.name, host.name) for host in cloud.hosts))
    before = _recorded(cloud.name)
    if before and before.root_image.is_dir():
        name = before.image
    else:
        name = image.ensure(image.packages(cloud), say, mirror=mirror)
    lab = state.design(cloud, name)
    _refuse_moves(before, lab)
    LABS.mkdir(parents=True, exist_ok=True)
    with locked(LABS, lambda: say("waiting for another lab up or down")):
        network.refuse_overlaps(lab, state.readable())
        state.save(lab)
        _forget(before, lab)
        seed.keys(lab)
        network.connect(lab)
        for host in lab.hosts:
            seed.seed(lab, host)
        seed.known_hosts(lab)
        for host in lab.hosts:
            if not is_on(lab.cloud, host.name):
                say(f"{host.name}: power on")
        resume(lab.cloud)
        redfish.start(lab, cloud)
        if any(host.bmc for host in cloud.hosts):
            cloud.secrets.save()  # their passwords: `apply` tells the members of the cluster
    await_hosts(lab, lab.hosts, say)
    redfish.wait(lab)
    _try_networks(lab)
    return lab


def _recorded(cloud: str) -> Lab | None:
    """The lab as an earlier `up` recorded it; None when there is no record that can be read."""
    with contextlib.suppress(LabError):
        return state.load(cloud)
    return None


def _refuse_moves(before: Lab | None, lab: Lab) -> None:
    """Raises LabError when a host that is up has another address in the cloud file by now."""
    for host in before.hosts if before else ():
        if host.name in {h.name for h in lab.hosts} and lab.host(host.name).ports != host.ports:
            raise LabError(
                f"{host.name} of lab {lab.cloud} was made with other addresses than the cloud file says",
                where=", ".join(f"{port.interface} {port.address or ''}".rstrip() for port in host.ports),
                why="a lab's hosts keep the addresses that they were made with",
                next=f"fournines lab down {lab.cloud}, then up again",
            )
        if host.name in {h.name for h in lab.hosts} and lab.host(host.name).luns != host.luns:
            raise LabError(
                f"{host.name} of lab {lab.cloud} was made with other LUNs than the cloud file says",
                where=", ".join(disk.device for disk in host.luns) or "it has none",
                why="a lab's hosts keep the disks that they were made with",
                next=f"fournines lab down {lab.cloud}, then up again",
            )


def _forget(before: Lab | None, lab: Lab) -> None:
    """Removes hosts and bridges that the lab had and has no more."""
    if before is None:
        return
    kept = {host.name for host in lab.hosts}
    for host in before.hosts:
        if host.name not in kept:
            _remove_host(lab.cloud, host.name)
    network.delete({b.device for b in before.bridges} - {b.device for b in lab.bridges})


def _remove_host(cloud: str, host: str) -> None:
    cgroup.destroy(cgroup.of_host(cloud, host))
    luns.release(cloud, host)
    shutil.rmtree(LABS / cloud / "hosts" / host, ignore_errors=True)


def await_hosts(lab: Lab, hosts: Iterable[LabHost], say: Say) -> None:
    """Returns when the sshd of each greets and its systemd has nothing left to start. Raises LabError."""
    deadline = time.monotonic() + _BOOT_TIMEOUT
    for host in hosts:
        while not (answers(host) and _settled(lab, host)):
            if time.monotonic() > deadline or not is_on(lab.cloud, host.name):
                raise LabError(
                    f"{host.name} of lab {lab.cloud} does not boot",
                    where=str(lab.host_directory(host.name) / "console.log"),
                    why=_last_words(lab, host),
                    next=f"fournines lab down {lab.cloud}, then up again",
                )
            time.sleep(0.05)
        say(f"{host.name}: up")


def answers(host: LabHost, timeout: float = 1.0) -> bool:
    """Whether the host's sshd greets within `timeout` seconds."""
    with contextlib.suppress(OSError), socket.create_connection((str(host.address), 22), timeout) as connection:
        return connection.recv(8).startswith(b"SSH-2.0")
    return False


def _settled(lab: Lab, host: LabHost) -> bool:
    """A unit that failed is the operator's matter; one that is about to start would change under the first plan."""
    with contextlib.suppress(LabError):
        inside = ["nsenter", f"--target={leader(lab.cloud, host.name)}", "--all"]
        reached = run([*inside, "systemctl", "show", "--property=SystemState", "--value"])
        return reached.strip() in ("running", "degraded")
    return False


def _try_networks(lab: Lab) -> None:
    """Raises LabError when a packet from one host does not arrive at another."""
    first, *others = lab.hosts
    inside = ["nsenter", f"--target={leader(lab.cloud, first.name)}", "--mount", "--net"]
    for host in others:
        for port in host.ports:
            if not port.address or port.network not in [p.network for p in first.ports if p.bridge == port.bridge]:
                continue
            try:
                run([*inside, "ping", "-q", "-c", "1", "-w", "3", str(port.address.ip)])
            except LabError as error:
                raise LabError(
                    f"{first.name} cannot reach {host.name} on network {port.network} of lab {lab.cloud}",
                    why="a packet filter of this machine may look into its bridges (Docker's does)"
                    if _filtered()
                    else error.why,
                    next="sudo sysctl net.bridge.bridge-nf-call-iptables=0"
                    if _filtered()
                    else "look at nft list ruleset",
                ) from None


def _filtered() -> bool:
    """Whether what hosts send one another passes this machine's packet filter (br_netfilter)."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text().strip() != "0"
    return False


def _last_words(lab: Lab, host: LabHost) -> str:
    with contextlib.suppress(OSError):
        console = (lab.host_directory(host.name) / "console.log").read_text(errors="replace")
        return " / ".join(console.strip().splitlines()[-3:])
    return "it wrote nothing to its console"


def down(cloud: str) -> bool:
    """Removes the lab named `cloud` with all its hosts' data. Whether there was anything to remove.

    The image stays. What a crashed `up` left, recorded or not, goes too. Raises LabError when not root.
    """
    machine.require_root()
    LABS.mkdir(parents=True, exist_ok=True)
    with locked(LABS):
        group = cgroup.of_lab(cloud)
        there = group.is_dir() or (LABS / cloud).is_dir() or bool(network.links(cloud))
        cgroup.destroy(group)
        luns.release(cloud)
        router.remove(cloud)
        others = set(state.names()) - {cloud}
        network.disconnect(cloud, _recorded(cloud), last=not others)
        shutil.rmtree(LABS / cloud, ignore_errors=True)
        if not others:
            cgroup.destroy(cgroup.top())
    return there


def down_all(pattern: str = "*") -> list[str]:
    """Removes every lab on this machine whose name matches the shell pattern; their names."""
    machine.require_root()
    found = set(state.names()) | {alias.split()[1] for alias in network.links().values()}
    if cgroup.top().is_dir():
        found |= {path.name for path in cgroup.top().iterdir() if path.is_dir()}
    return [cloud for cloud in sorted(fnmatch.filter(found, pattern)) if down(cloud)]
