"""A host as a new machine: the same name and cables, an empty disk, an SSH host key of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from fournines.lab import machine, seed
from fournines.lab.lifecycle import await_hosts
from fournines.lab.lock import locked
from fournines.lab.power import power
from fournines.lab.state import LABS, load


def wipe(cloud: str, host: str, say: Callable[[str], None]) -> None:
    """Powers `host` off, deletes all that it wrote, and boots it from the image as `up` made it. Returns when it is up.
    The lab's known_hosts has the new key. Interrupted, the same again finishes it. Raises LabError."""
    machine.require_root()
    lab = load(cloud)
    target = lab.host(host)
    directory = lab.host_directory(host)
    with locked(LABS, lambda: say("waiting for another lab up or down")):
        directory.mkdir(parents=True, exist_ok=True)  # an earlier run may have ended just now
        power(cloud, host, "off")
        say(f"{host}: power off")
        (directory / "host_key.pub").unlink(missing_ok=True)  # without it, `up` makes the disk anew too
        shutil.rmtree(directory, ignore_errors=True)
        seed.seed(lab, target)
        seed.known_hosts(lab)
        say(f"{host}: power on, with an empty disk")
        power(cloud, host, "on")
    await_hosts(lab, [target], say)
