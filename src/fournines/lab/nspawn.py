"""A host as a container: systemd-nspawn with an overlay on the image, a network namespace and a cgroup of its own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from fournines.errors import LabError
from fournines.lab import cgroup, luns, network
from fournines.lab.recipe import Recipe
from fournines.lab.state import Lab, LabHost, load


class Nspawn:
    memory = 600 << 20  # a controller of three takes 0.57 GB
    boots_within = 90.0  # three hosts take about five on two idle cores
    greets_within = 5.0

    def require(self) -> None:
        """What it needs is essential to every lab."""

    def recipe(self, packages: Sequence[str]) -> Recipe:
        return Recipe(tuple(packages))

    def root(self, lab: Lab) -> Path:
        return lab.root_image

    def layer(self, directory: Path) -> Path:
        return directory / "upper"

    def finish(self, lab: Lab, host: LabHost) -> None:
        """The layer itself is the disk."""

    def start(self, lab: Lab, host: LabHost, groups: Sequence[Path]) -> None:
        group, *shares = groups
        directory = lab.host_directory(host.name)
        for name in ("upper", "work", "root"):
            (directory / name).mkdir(exist_ok=True)
        launcher = Path(__file__).with_name("launch.sh")
        argv = ["setsid", "--fork", "unshare", "--mount", "--net", "--propagation=private", "sh", str(launcher)]
        argv += [str(group), str(lab.root_image), str(directory), f"{host.name}.{lab.cloud}"]
        argv += [" ".join(map(str, shares)), *luns.of_host(lab, host)]
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            said = process.stdout.readline()
            word, _, pid = said.partition(" ")
            if word != "ready":
                raise LabError(f"{host.name} of lab {lab.cloud} does not start", why=said + process.stdout.read())
            network.plug(lab, host, int(pid))
            process.stdin.write("go\n")

    def lose_power(self, lab: Lab, host: LabHost) -> None:
        luns.lose_power(lab.cloud, host.name, leader(lab.cloud, host.name))

    def command(self, lab: Lab, host: LabHost, words: Sequence[str]) -> list[str]:
        return ["nsenter", f"--target={leader(lab.cloud, host.name)}", "--all", *words]

    def account(self, group: Path) -> cgroup.Memory | None:
        return cgroup.memory(group)


def leader(cloud: str, host: str) -> int:
    """The machine's id of the host's PID 1, for entering its namespaces. Raises LabError while the host is off, and for
    a virtual machine, which has a kernel and processes of its own."""
    procs = cgroup.of_host(cloud, host) / "payload" / "init.scope" / "cgroup.procs"
    with contextlib.suppress(OSError):
        for pid in procs.read_text().split():
            return int(pid)
    if load(cloud).host(host).kind != "nspawn":
        raise LabError(
            f"{host} of lab {cloud} is a virtual machine: its processes are not this machine's",
            next=f"fournines lab ssh {cloud}/{host}",
        )
    raise LabError(
        f"{host} of lab {cloud} is off or has only just been switched on", next=f"fournines lab status {cloud}"
    )
