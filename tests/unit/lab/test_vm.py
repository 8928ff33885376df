"""Hosts that are virtual machines: from the cloud file to their disks, cables and what QEMU is told."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fournines import lab
from fournines.cli import lab as cli
from fournines.cloud.model import Cloud
from fournines.errors import CloudFileError, LabError
from fournines.lab import kinds, lifecycle, machine, network, nspawn, seed, state, vm
from fournines.lab.power import limit_memory
from fournines.lab.state import Lab, VirtualMachines
from fournines.services import load

EXAMPLES = Path(__file__).parents[3] / "examples"
VMS = VirtualMachines("feed", "tcg", "no guest boots under KVM here")


def cloud(tmp_path: Path, kinds: str, example: str = "three-controllers") -> Cloud:
    path = tmp_path / "cloud.yaml"
    path.write_text((EXAMPLES / f"{example}.yaml").read_text() + f"\nlab: {{hosts: {kinds}}}\n")
    return load(path)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab of two containers and a virtual machine, ctl2."""
    monkeypatch.setattr(state, "LABS", tmp_path / "labs")
    monkeypatch.setattr(state, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(vm, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(vm, "_DISK", 16 << 20)
    root = tmp_path / "images/feed/root"
    (root / "etc/systemd/system").mkdir(parents=True)
    (root / "root").mkdir(mode=0o700)
    found = state.design(cloud(tmp_path, "{ctl2: vm}"), "0123", VMS)
    state.save(found)
    seed.keys(found)
    return found


def test_the_file_says_which(tmp_path: Path) -> None:
    found = cloud(tmp_path, "{'ctl[1-2]': vm, ctl3: nspawn}")
    assert [found.lab_kind(host) for host in found.hosts] == ["vm", "vm", "nspawn"]
    assert [host.kind for host in state.design(found, "0123", VMS).hosts] == ["vm", "vm", "nspawn"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{ctl7: vm}", "unknown host ctl7"),
        ("{'ctl[1-9]': vm}", "unknown host ctl4"),
        ("{'ctl[2-1]': vm}", "runs backwards"),
        ("{'ctl[1-2]': vm, ctl2: nspawn}", "ctl2 is vm by another entry"),
        ("{ctl1: kvm}", "'kvm' is not known here"),
    ],
)
def test_a_kind_of_nothing_is_refused(tmp_path: Path, written: str, message: str) -> None:
    with pytest.raises(CloudFileError) as error:
        cloud(tmp_path, written)
    assert [message in problem.message for problem in error.value.problems] == [True]


def test_a_lun_needs_the_machines_kernel(tmp_path: Path) -> None:
    found = cloud(tmp_path, "{ctl1: vm}", "mariadb-shared")
    with pytest.raises(LabError, match="ctl1 is to be a virtual machine and to see a LUN"):
        state.design(found, "0123", VMS)


def test_a_lab_of_an_earlier_version_has_no_virtual_machines(made: Lab) -> None:
    path = made.directory / "lab.json"
    record = json.loads(path.read_text())
    del record["vms"]
    for host in record["hosts"]:
        del host["kind"]
    path.write_text(json.dumps(record))
    read = state.load("acme")
    assert (read.vms, {host.kind for host in read.hosts}) == (None, {"nspawn"})
    assert made.images == {"0123", "feed"} and read.images == {"0123"}


def on_disk(disk: Path, request: str) -> str:
    """What debugfs(8) says."""
    return subprocess.run(["debugfs", "-R", request, str(disk)], check=True, capture_output=True, text=True).stdout


def test_its_disk_has_what_makes_it_this_host(made: Lab) -> None:
    host = made.host("ctl2")
    for one in made.hosts:
        seed.seed(made, one)
    seed.known_hosts(made)
    directory = made.host_directory("ctl2")
    assert sorted(path.name for path in directory.iterdir()) == ["disk", "host_key.pub"]
    assert on_disk(directory / "disk", "cat upper/etc/hostname") == "ctl2\n"
    assert on_disk(directory / "disk", "cat upper/etc/fournines-lab/cables").splitlines() == [
        "link set eth0 name fournines0",
        "link set eth1 name fournines1",
        "link set fournines0 name management",
        "link set fournines1 name public",
        *network.addresses(host),
    ]
    assert "/040700/0/0/.ssh/" in on_disk(directory / "disk", "ls -p upper/root"), "sshd wants it to be root's alone"
    with (directory / "disk").open("r+b") as disk:
        disk.write(b"written by the host")
    seed.seed(made, host)
    assert (directory / "disk").read_bytes().startswith(b"written"), "once: what the host has changed since stays"
    before = (directory / "host_key.pub").read_text()
    (directory / "console.log").write_text("the machine before\n")
    seed.empty(made, host)
    assert (directory / "host_key.pub").read_text() != before
    assert not (directory / "console.log").exists()
    assert on_disk(directory / "disk", "cat upper/etc/hostname") == "ctl2\n"


def test_what_qemu_is_told(made: Lab) -> None:
    host = made.host("ctl2")
    words = vm._qemu(made, host)  # pyright: ignore[reportPrivateUsage]
    text = " ".join(words)
    assert "accel=tcg" in text and "-cpu max" in text
    assert f"file={state.IMAGES}/feed/disk,format=raw,if=none,id=image,readonly=on" in text
    assert text.index("id=image") < text.index("id=layer"), "the kernel is told that /dev/vda is the image"
    for port in host.ports:
        assert f"ifname={port.device}," in text and f"mac={port.mac}," in text
    native = dataclasses.replace(made, vms=VirtualMachines("feed", "kvm"))
    assert "-cpu host" in " ".join(vm._qemu(native, host))  # pyright: ignore[reportPrivateUsage]


def test_its_processes_are_not_this_machines(made: Lab) -> None:
    with pytest.raises(LabError, match="ctl2 of lab acme is a virtual machine") as error:
        nspawn.leader("acme", "ctl2")
    assert error.value.next == "fournines lab ssh acme/ctl2"
    with pytest.raises(LabError, match="ctl1 of lab acme is off"):
        nspawn.leader("acme", "ctl1")
    with pytest.raises(LabError, match="Nothing keeps account of the memory of ctl2"):
        limit_memory("acme", "ctl2", 1 << 20)


def test_commands_reach_it_over_ssh(made: Lab) -> None:
    words = kinds.of(made.host("ctl2")).command(made, made.host("ctl2"), ["sh", "-c", "echo 'a b'"])
    assert "ConnectTimeout=20" in words, "what is translated greets late"
    assert words[0] == "ssh" and words[-2:] == ["root@198.18.0.12", "sh -c 'echo '\"'\"'a b'\"'\"''"]


def test_a_host_stays_what_it_was_made(made: Lab, tmp_path: Path) -> None:
    now = state.design(cloud(tmp_path, "{}"), "0123")
    with pytest.raises(LabError, match=r"ctl2 of lab acme was made with another kind \(lab: hosts:\)") as error:
        lifecycle._refuse_moves(made, now)  # pyright: ignore[reportPrivateUsage]
    assert error.value.where == "vm"
    lifecycle._refuse_moves(made, made)  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for QEMU: a script whose text the test writes."""
    program = tmp_path / "bin/qemu-system-x86_64"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "access", lambda *_: True)
    monkeypatch.setattr(vm, "_TRIAL", 1.0)
    vm._why_not_kvm.cache_clear()  # pyright: ignore[reportPrivateUsage]
    return program


@pytest.mark.parametrize(
    ("guest", "accelerator", "why"),
    [
        ("echo 'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)'", "kvm", ""),
        ("true", "tcg", "did not boot within 1 s"),
        ("echo 'Linux version 6.12'; exec sleep 60", "tcg", "did not boot within 1 s"),
        ("echo 'error: failed to set MSR 0x38f' >&2; exit 134", "tcg", "ended: error: failed to set MSR 0x38f"),
    ],
)
def test_kvm_is_what_a_guest_boots_under(qemu: Path, guest: str, accelerator: str, why: str) -> None:
    """A guest that resets by itself ends QEMU well, too: what counts is that its kernel came to its last words."""
    qemu.write_text(f"#!/bin/sh\n{guest}\n")
    found = vm.virtual_machines("feed")
    assert (found.image, found.accelerator) == ("feed", accelerator)
    assert why in found.why


def test_without_qemu_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = machine.Capability("qemu", False, False, "not found", "sudo scripts/bootstrap.sh vm")
    monkeypatch.setattr(machine, "capabilities", lambda: (lacking,))
    with pytest.raises(LabError, match="cannot run a virtual machine: no qemu") as error:
        kinds.KINDS["vm"].require()
    assert error.value.next == "sudo scripts/bootstrap.sh vm"


def test_status_says_what_runs_them(made: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    facts: Mapping[str, Any] = {
        "names": lambda: ["acme"],
        "exists": lambda _: True,
        "capabilities": lambda: (),
        "is_on": lambda *_: True,
        "memory": lambda *_: 5 << 20,
        "isolated": lambda *_: [],
    }
    for name, fact in facts.items():
        monkeypatch.setattr(lab, name, fact)
    said = CliRunner().invoke(cli.command, ["status"]).output.splitlines()
    assert said[0] == (
        "lab acme (image 0123; image of virtual machines feed; they run by TCG, for no guest boots under KVM here)"
    )
    assert [line.split()[0] for line in said[1:] if line.endswith("virtual machine")] == ["ctl2"]
    found = json.loads(CliRunner().invoke(cli.command, ["status", "--json"]).output)["labs"][0]
    assert found["virtual_machines"] == {"image": "feed", "accelerator": "tcg", "why": VMS.why}
    assert [host["kind"] for host in found["hosts"]] == ["nspawn", "vm", "nspawn"]
