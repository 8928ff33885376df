"""What a host of a lab may be: a container or a virtual machine. All that tells one from the other is behind `Kind`.

What both have in common is elsewhere, and finds a host by its names: its cgroup, in which all its processes are killed
or frozen at one instant (of a virtual machine these are QEMU); its ports, which are cut at the switch; its directory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fournines.cloud.model import LabKind
from fournines.lab import cgroup
from fournines.lab.access import ssh_command
from fournines.lab.nspawn import Nspawn
from fournines.lab.recipe import Recipe
from fournines.lab.state import Lab, LabHost, load
from fournines.lab.vm import Vm


class Kind(Protocol):
    """All methods raise LabError when the machine cannot."""

    @property
    def memory(self) -> int:
        """Bytes that this machine must have free for one host."""
        ...

    @property
    def boots_within(self) -> float:
        """Seconds after which a host that has not booted is said not to."""
        ...

    @property
    def greets_within(self) -> float:
        """Seconds within which the sshd of a host that is up greets who connects to it."""
        ...

    def require(self) -> None:
        """Raises LabError when this machine cannot have hosts of this kind, with what to do."""
        ...

    def recipe(self, packages: Sequence[str]) -> Recipe:
        """What the image of hosts with these packages is made of."""
        ...

    def root(self, lab: Lab) -> Path:
        """The directory that is their image's root."""
        ...

    def layer(self, directory: Path) -> Path:
        """Where `seed` puts what makes a copy of the image into one host. directory: the host's own."""
        ...

    def finish(self, lab: Lab, host: LabHost) -> None:
        """Adds to that layer what the kind itself needs, and makes the host's disk of it."""
        ...

    def start(self, lab: Lab, host: LabHost, groups: Sequence[Path]) -> None:
        """Switches on a host that is off. groups: the host's cgroup, then the others that its processes belong into."""
        ...

    def lose_power(self, lab: Lab, host: LabHost) -> None:
        """Before its processes are killed: what is not yet on its disks is lost. Raises OSError too: it ended."""
        ...

    def command(self, lab: Lab, host: LabHost, words: Sequence[str]) -> list[str]:
        """What runs `words` on the host, as root."""
        ...

    def account(self, group: Path) -> cgroup.Memory | None:
        """Where a limit of the host's memory is set; None where it cannot be limited."""
        ...


KINDS: dict[LabKind, Kind] = {"nspawn": Nspawn(), "vm": Vm()}


def of(host: LabHost) -> Kind:
    return KINDS[host.kind]


def login(cloud: str, host: str) -> list[str]:
    """The words by which OpenSSH's client logs in to `host`; its command goes behind them. Raises LabError."""
    target = load(cloud).host(host)
    return ssh_command(cloud, str(target.address), of(target).greets_within)
