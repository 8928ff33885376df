"""A host as a virtual machine: QEMU with Debian's own kernel, for what this machine's kernel lacks (DRBD, netem, a
watchdog).

Its root is what a container's is: an overlay on the image. Both are disks: the image one that all virtual machines of
all labs read, the layer one of its own. The initial RAM disk (`customize_vm.sh`) lays one over the other. QEMU is
killed when the power fails: what the guest's kernel has not written to its disk is lost, as on a machine.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from fournines.errors import LabError
from fournines.lab import cgroup, machine, network
from fournines.lab.access import ssh_command
from fournines.lab.recipe import Recipe
from fournines.lab.shell import run
from fournines.lab.state import IMAGES, Lab, LabHost, VirtualMachines, write_atomically

#: Beside those of the services: a kernel, what loads its modules, and what makes its initial RAM disk.
PACKAGES = ("linux-image-cloud-amd64", "initramfs-tools", "udev", "kmod")
_MEMORY_MB = 768
_DISK = 8 << 30  # bytes; what is not written takes no room
#: Seconds in which a guest under KVM must have come to the end of its kernel's boot; on a machine of ours it takes one.
_TRIAL = 15.0
#: What a kernel says that has booted and found no root file system: of all words it has, the last ones.
_REACHED = "Unable to mount root fs"
_CUSTOMIZE = Path(__file__).with_name("customize_vm.sh")
_CABLES = "etc/fournines-lab/cables"
_CABLES_UNIT = f"""\
[Unit]
Description=Names and addresses of this host's network devices
DefaultDependencies=no
After=systemd-udevd.service
Before=sysinit.target network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip -batch /{_CABLES}
"""


class Vm:
    memory = (_MEMORY_MB + 140) << 20  # the guest's, and QEMU's own: 905 MB in all were seen
    boots_within = 600.0  # without KVM every instruction is translated
    greets_within = 20.0

    def require(self) -> None:
        if platform.machine() != "x86_64":
            raise LabError(
                f"Virtual machines of a lab are x86-64, this machine is {platform.machine()}",
                next="take `vm` out of `lab: hosts:`",
            )
        machine.require_capability("qemu", "a virtual machine")
        machine.require_capability("tap", "a virtual machine")

    def recipe(self, packages: Sequence[str]) -> Recipe:
        return Recipe((*packages, *PACKAGES)).with_own(_CUSTOMIZE, finish=_make_disk)

    def root(self, lab: Lab) -> Path:
        return _image(lab) / "root"

    def layer(self, directory: Path) -> Path:
        return directory / "layer" / "upper"

    def finish(self, lab: Lab, host: LabHost) -> None:
        directory = lab.host_directory(host.name)
        upper = self.layer(directory)
        for path, content in _own_files(host).items():
            (upper / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(upper / path, content.encode())
        wanted = upper / "etc/systemd/system/sysinit.target.wants"
        wanted.mkdir()
        (wanted / "cables.service").symlink_to("../cables.service")
        (directory / "layer" / "work").mkdir(exist_ok=True)  # an earlier run may have ended here
        _make_file_system(directory / "disk", directory / "layer", _DISK)
        shutil.rmtree(directory / "layer")

    def start(self, lab: Lab, host: LabHost, groups: Sequence[Path]) -> None:
        network.plug_taps(lab, host)
        payload = groups[0] / "payload"
        payload.mkdir()
        # Returns when QEMU has opened all that it needs and gone on in the background.
        script = 'for group in $1; do echo $$ > "$group/cgroup.procs"; done; shift; exec "$@"'
        try:
            run(["sh", "-ec", script, "sh", " ".join(map(str, [payload, *groups[1:]])), *_qemu(lab, host)])
        except LabError as error:
            raise LabError(f"{host.name} of lab {lab.cloud} does not start", why=error.why or error.what) from None

    def lose_power(self, lab: Lab, host: LabHost) -> None:
        """The memory in which its kernel holds what is not written is QEMU's, and ends with it."""

    def command(self, lab: Lab, host: LabHost, words: Sequence[str]) -> list[str]:
        return [*ssh_command(lab.cloud, str(host.address), self.greets_within), shlex.join(words)]

    def account(self, group: Path) -> cgroup.Memory | None:
        """It has the memory that it was made with."""
        return None


def _own_files(host: LabHost) -> dict[str, str]:
    """Path below the root -> content. The kernel numbers network devices as they are plugged in; they get their names
    by way of others, for one may be to have another's."""
    renamed = [f"link set eth{i} name fournines{i}" for i in range(len(host.ports))]
    renamed += [f"link set fournines{i} name {port.interface}" for i, port in enumerate(host.ports)]
    return {
        _CABLES: "\n".join([*renamed, *network.addresses(host)]) + "\n",
        "etc/systemd/system/cables.service": _CABLES_UNIT,
    }


def _image(lab: Lab) -> Path:
    assert lab.vms
    return IMAGES / lab.vms.image


def _make_file_system(file: Path, content: Path, size: int, *options: str) -> None:
    file.unlink(missing_ok=True)
    run(["mke2fs", "-q", "-t", "ext4", *options, "-d", str(content), str(file), f"{size >> 10}k"], timeout=600.0)


def _make_disk(image: Path) -> None:
    """Of the image that mmdebstrap has made in `image`: a disk, a kernel and its initial RAM disk."""
    boot = image / "root" / "boot"
    for name, pattern in (("kernel", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        (found,) = boot.glob(pattern)
        found.rename(image / name)
    held = int(run(["du", "--summarize", "--block-size=1", str(image / "root")], timeout=120.0).split()[0])
    # Nobody writes to it: no journal, nothing held back. Room for the file system's own tables, with many small files.
    size = held + held // 4 + (256 << 20)
    _make_file_system(image / "disk", image / "root", size, "-O", "^has_journal", "-m", "0", "-i", "8192")


def _machine(accelerator: str) -> list[str]:
    """The machine without its disks and cables."""
    argv = [
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        f"pc,accel={accelerator}",
    ]
    return [*argv, "-cpu", "host" if accelerator == "kvm" else "max", "-smp", "1", "-m", str(_MEMORY_MB)]


def _qemu(lab: Lab, host: LabHost) -> list[str]:
    assert lab.vms
    image, directory = _image(lab), lab.host_directory(host.name)
    line = "root=/dev/vda ro rootfstype=ext4 net.ifnames=0 console=ttyS0 loglevel=4 panic=5"
    # Without KVM each line costs, and none tells more than that all is well.
    line += " systemd.show_status=error"
    argv = [*_machine(lab.vms.accelerator), "-daemonize", "-name", f"{host.name}.{lab.cloud}"]
    argv += ["-kernel", str(image / "kernel"), "-initrd", str(image / "initrd"), "-append", line]
    argv += ["-serial", f"file:{directory / 'console.log'}", "-device", "virtio-rng-pci"]
    argv += _disk("image", image / "disk", "readonly=on")
    argv += _disk("layer", directory / "disk", "discard=unmap")
    for i, port in enumerate(host.ports):
        argv += ["-netdev", f"tap,id=n{i},ifname={port.device},script=no,downscript=no"]
        argv += ["-device", f"virtio-net-pci,netdev=n{i},mac={port.mac},romfile="]
    return argv


def _disk(name: str, file: Path, *options: str) -> list[str]:
    drive = ",".join([f"file={file}", "format=raw", "if=none", f"id={name}", *options])
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name}"]


def virtual_machines(image: str) -> VirtualMachines:
    """For a lab whose virtual machines are made from `image`: by KVM if a guest boots under it, which is tried."""
    why = _why_not_kvm(IMAGES / image / "kernel")
    return VirtualMachines(image, "tcg" if why else "kvm", why)


@cache
def _why_not_kvm(kernel: Path) -> str:
    """Empty when a guest boots under it. That /dev/kvm opens says little: in a virtual machine it may be there and
    run nothing."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "there is no /dev/kvm that opens"
    argv = ["setpriv", "--pdeathsig", "KILL", *_machine("kvm"), "-no-reboot", "-serial", "stdio"]
    argv += ["-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]
    said = b""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRIAL, check=False)
        said = done.stdout
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or ["QEMU said nothing"]
            return f"a guest under KVM ended: {lines[-1]}"
    if _REACHED.encode() not in said:
        return f"a guest under KVM did not boot within {_TRIAL:g} s"
    return ""
