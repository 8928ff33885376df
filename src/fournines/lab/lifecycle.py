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

from fournines.cloud.model import Cloud, LabKind
from fournines.errors import LabError
from fournines.lab import cgroup, image, kinds, luns, machine, network, redfish, router, seed, state
from fournines.lab.kinds import KINDS
from fournines.lab.lock import locked
from fournines.lab.power import is_on, resume
from fournines.lab.shell import run
from fournines.lab.state import IMAGES, LABS, Lab, LabHost, Port
from fournines.lab.vm import virtual_machines

Say = Callable[[str], None]


def up(cloud: Cloud, say: Say, *, mirror: str = "") -> Lab:
    """Hosts on this machine for `cloud`, on, reachable over SSH and on all their networks. Idempotent.

    Hosts that the cloud file no longer has are removed; those that it still has keep their data.
    Raises LabError when the machine cannot, when networks clash, when a host does not boot.
    """
    redfish.make_passwords(cloud)
    if any(region.luns for region in cloud.regions.values()):
        machine.require_capability("loop devices", "a LUN")
    for kind in _kinds(cloud):
        KINDS[kind].require()
    machine.require([KINDS[cloud.lab_kind(h)].memory for h in cloud.hosts if not is_on(cloud.name, h.name)])
    before = _recorded(cloud.name)
    lab = _designed(cloud, before, say, mirror)
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


def images(cloud: Cloud, say: Say, *, mirror: str = "", rebuild: bool = False) -> dict[LabKind, Path]:
    """Kind -> root directory of the image that its hosts in `cloud` start from, built if need be."""
    machine.require_root()
    return {name: IMAGES / _image(cloud, name, say, mirror, rebuild) / "root" for name in _kinds(cloud)}


def _kinds(cloud: Cloud) -> tuple[LabKind, ...]:
    return tuple(dict.fromkeys(cloud.lab_kind(host) for host in cloud.hosts))


def _image(cloud: Cloud, kind: LabKind, say: Say, mirror: str, rebuild: bool = False) -> str:
    hosts = [host for host in cloud.hosts if cloud.lab_kind(host) == kind]
    recipe = KINDS[kind].recipe(image.packages(cloud, hosts))
    return image.ensure(recipe, say, mirror=mirror, rebuild=rebuild)


def _designed(cloud: Cloud, before: Lab | None, say: Say, mirror: str) -> Lab:
    """The lab as it is to be; hosts keep the image of their kind that they were made from, as long as it is there."""
    recorded: dict[LabKind, str] = {}
    if before:
        recorded = {"nspawn": before.image, "vm": before.vms.image if before.vms else ""}
    found: dict[LabKind, str] = {}
    for kind in _kinds(cloud):
        kept = recorded.get(kind, "")
        found[kind] = kept if kept and (IMAGES / kept).is_dir() else _image(cloud, kind, say, mirror)
    vms = before.vms if before else None
    if "vm" not in found:
        vms = None
    elif vms is None or vms.image != found["vm"]:
        vms = virtual_machines(found["vm"])
        say(f"virtual machines run by {vms.accelerator.upper()}" + (f", for {vms.why}" if vms.why else ""))
    return state.design(cloud, found.get("nspawn", ""), vms)


def _recorded(cloud: str) -> Lab | None:
    """The lab as an earlier `up` recorded it; None when there is no record that can be read."""
    with contextlib.suppress(LabError):
        return state.load(cloud)
    return None


def _refuse_moves(before: Lab | None, lab: Lab) -> None:
    """Raises LabError when a host that is up is to be another one by now: by its addresses, its disks or its kind."""
    for host in before.hosts if before else ():
        now = next((h for h in lab.hosts if h.name == host.name), host)
        for changed, what, kept in (
            (now.ports != host.ports, "other addresses", ", ".join(map(_addressed, host.ports))),
            (now.luns != host.luns, "other LUNs", ", ".join(disk.device for disk in host.luns) or "it has none"),
            (now.kind != host.kind, "another kind (lab: hosts:)", host.kind),
        ):
            if changed:
                raise LabError(
                    f"{host.name} of lab {lab.cloud} was made with {what} than the cloud file says",
                    where=kept,
                    why="a lab's hosts stay what they were made",
                    next=f"fournines lab down {lab.cloud}, then up again",
                )


def _addressed(port: Port) -> str:
    return f"{port.interface} {port.address or ''}".rstrip()


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
    began = time.monotonic()
    for host in hosts:
        while not (answers(host, kinds.of(host).greets_within) and _settled(lab, host)):
            late = time.monotonic() - began > kinds.of(host).boots_within
            if late or not is_on(lab.cloud, host.name):
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
        reached = run(
            kinds.of(host).command(lab, host, ["systemctl", "show", "--property=SystemState", "--value"]), timeout=60.0
        )
        return reached.strip() in ("running", "degraded")
    return False


def _try_networks(lab: Lab) -> None:
    """Raises LabError when a packet from one host does not arrive at another."""
    first, *others = lab.hosts
    for host in others:
        for port in host.ports:
            if not port.address or port.network not in [p.network for p in first.ports if p.bridge == port.bridge]:
                continue
            try:
                run(kinds.of(first).command(lab, first, ["ping", "-q", "-c", "1", "-w", "3", str(port.address.ip)]))
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
