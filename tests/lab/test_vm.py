"""Hosts that are virtual machines, beside one that is none: one boot after another, slow where KVM does not work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fournines import lab
from fournines.errors import LabError
from fournines.services import load
from lab.conftest import Run
from lab.test_lab import traces

pytestmark = pytest.mark.timeout(2400)

NAME = "test-vm"
#: Seconds in which a guest boots without KVM, on a machine that has other work.
BOOT = 600.0
_CLOUD = """\
cloud: test-vm
release: "2025.1"
components: core
roles: {bare: [node_exporter]}
regions:
  one:
    vips: {internal: 198.19.40.100, public: 198.19.41.100}
    networks: {management: 198.19.40.0/24, public: 198.19.41.0/24}
    zones: {rack1: {power: pdu-a, switch: tor-1}}
    hosts:
      c1: {zone: rack1, address: 198.19.40.11, roles: [bare]}
      v1: {zone: rack1, address: 198.19.40.12, roles: [bare], interfaces: {management: eth1, public: eth0}}
lab: {hosts: {v1: vm}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Path]:
    if not lab.has("qemu"):
        pytest.skip("no QEMU: sudo scripts/bootstrap.sh vm")
    path = tmp_path_factory.mktemp("vm") / f"{NAME}.yaml"
    path.write_text(_CLOUD)
    lab.down(NAME)
    try:
        fournines("lab", "up", path, timeout=1200.0)
        yield path
    finally:
        lab.down(NAME)
        assert traces(NAME) == []


@pytest.fixture
def on(made: Path, fournines: Run) -> Callable[[str], str]:
    """What a script on v1 prints."""
    return lambda script: fournines("lab", "ssh", f"{NAME}/v1", script).stdout.strip()


def booted() -> None:
    """Returns when v1 answers."""
    deadline = time.monotonic() + BOOT
    while not lab.answers(lab.load(NAME).host("v1")):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_it_has_a_kernel_of_its_own_and_the_same_networks(on: Callable[[str], str], fournines: Run) -> None:
    assert on("uname -r") != fournines("lab", "ssh", f"{NAME}/c1", "uname -r").stdout.strip()
    assert on("modprobe -a drbd sch_netem softdog && echo loaded") == "loaded"
    assert on("systemctl is-system-running --wait") == "running"
    # The kernel has called them the other way round.
    addresses = on("ip -brief -4 address").split()
    assert addresses[addresses.index("eth1") + 2] == "198.19.40.12/24"
    assert addresses[addresses.index("eth0") + 2] == "198.19.41.12/24"
    assert on("ping -q -c 1 -w 5 198.19.41.11 > /dev/null && echo reached") == "reached"
    assert on("ss -Hltn | grep -v '127.0.0' | tr -s ' ' | cut -d' ' -f4") == "198.19.40.12:22"
    said = fournines("lab", "status", NAME).stdout
    assert "they run by " in said
    assert [line.split()[0] for line in said.splitlines() if line.endswith("virtual machine")] == ["v1"]


def test_up_again_changes_nothing(made: Path, on: Callable[[str], str], fournines: Run) -> None:
    before = lab.load(NAME), on("cat /proc/sys/kernel/random/boot_id")
    fournines("lab", "up", made)
    assert (lab.load(NAME), on("cat /proc/sys/kernel/random/boot_id")) == before


def test_a_power_failure_takes_what_was_not_written(on: Callable[[str], str], fournines: Run) -> None:
    on("echo kept > /root/kept; sync; echo lost > /root/lost")
    fournines("lab", "power", "off", f"{NAME}/v1")
    assert not lab.is_on(NAME, "v1") and not lab.answers(lab.load(NAME).host("v1"))
    fournines("lab", "power", "on", f"{NAME}/v1")
    booted()
    assert on("cat /root/kept /root/lost 2> /dev/null || true") == "kept"


def test_it_reboots_by_itself(on: Callable[[str], str], fournines: Run) -> None:
    before = on("cat /proc/sys/kernel/random/boot_id")
    fournines("lab", "ssh", f"{NAME}/v1", "systemctl reboot", ok=False)
    deadline = time.monotonic() + BOOT
    while lab.answers(lab.load(NAME).host("v1")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert lab.is_on(NAME, "v1")
    booted()
    assert on("cat /proc/sys/kernel/random/boot_id") != before


def test_it_is_cut_off_and_frozen_as_others_are(made: Path) -> None:
    host = lab.load(NAME).host("v1")
    lab.isolate(NAME, "v1", "management")
    assert lab.isolated(NAME, "v1") == ["management"] and not lab.answers(host)
    lab.heal(NAME, "v1", "management")
    assert lab.isolated(NAME, "v1") == [] and lab.answers(host, 10.0)
    lab.freeze(NAME, "v1")
    assert lab.is_frozen(NAME, "v1") and not lab.answers(host)
    lab.thaw(NAME, "v1")
    assert lab.answers(host, 10.0)


def test_its_processes_and_memory_are_its_own(made: Path) -> None:
    with pytest.raises(LabError, match="is a virtual machine"):
        lab.leader(NAME, "v1")
    with pytest.raises(LabError, match="keeps account"):
        lab.limit_memory(NAME, "v1", 1 << 20)
    assert lab.memory(NAME, "v1") > 100 << 20


def test_a_new_machine_in_its_place(on: Callable[[str], str], fournines: Run) -> None:
    on("echo old > /root/old; sync")
    key = on("cat /etc/ssh/ssh_host_ed25519_key.pub")
    fournines("lab", "wipe", f"{NAME}/v1", timeout=2 * BOOT)
    assert on("ls -A /root/old 2> /dev/null || true") == ""
    assert on("cat /etc/ssh/ssh_host_ed25519_key.pub") != key


def test_it_cannot_become_a_container(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(_CLOUD.replace("{v1: vm}", "{}"))
    with pytest.raises(LabError, match="another kind"):
        lab.up(load(other), lambda _: None)
