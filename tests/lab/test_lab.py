"""The lab itself: real bridges, real power, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fournines import lab
from fournines.errors import LabError
from fournines.services import load
from lab.conftest import Run, write_cloud

BARE = "test-bare"
HOME = Path("/var/lib/fournines")


def quiet(_: str) -> None:
    pass


def traces(name: str) -> list[str]:
    """Whatever of the lab `name` can be found on the machine: links, mounts, cgroups, processes, files."""
    links: list[dict[str, Any]] = json.loads(subprocess.check_output(["ip", "-json", "link"]))
    found = [f"link {link['ifname']}" for link in links if f" {name} " in f"{link.get('ifalias', '')} "]
    found += [f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines() if name in line]
    found += [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"**/fournines/{name}")]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (process / "cmdline").read_text() + (process / "cgroup").read_text()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if f"/{name}/" in text and state != "Z":  # a zombie only waits for the machine's init
                found.append(f"process {process.name} {text}")
    found += [f"file {path}" for path in (HOME / "labs").glob(name)]
    found += [f"file {path}" for path in Path("/run/systemd/nspawn").glob(f"*/*{name}*")]
    return found


def route() -> str:
    return subprocess.check_output(["ip", "route", "show", "type", "unreachable"], text=True)


def reaches(address: str) -> bool:
    """Whether a host there answers, be it with a refusal."""
    try:
        socket.create_connection((address, 22), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def up(path: Path) -> lab.Lab:
    return lab.up(load(path), quiet)


def pids(made: lab.Lab) -> list[int]:
    return [lab.leader(made.cloud, host.name) for host in made.hosts]


def test_up_twice_is_once(small: Path) -> None:
    first = up(small)
    before = pids(first)
    assert up(small) == first
    assert pids(first) == before
    assert route()


def test_down_leaves_nothing(small: Path) -> None:
    made = up(small)
    assert traces(BARE)
    assert lab.down(BARE)
    assert traces(BARE) == []
    assert not lab.down(BARE)
    assert made.root_image.is_dir()
    if not lab.names():
        assert not route()


@pytest.mark.parametrize("after", [0.2, 0.25, 0.3, 0.35, 0.4, 0.6])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("then", ["up", "down"])
def test_a_killed_up_is_continued_or_cleaned(
    small: Path, fournines: Run, after: float, number: signal.Signals, then: str
) -> None:
    fournines("lab", "image", small)
    argv = [str(Path(sys.executable).with_name("fournines")), "lab", "up", str(small)]
    with subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        time.sleep(after)
        # A terminal interrupts the programs that `up` has started too; a SIGKILL hits it alone.
        os.killpg(process.pid, number) if number == signal.SIGINT else process.kill()
    if then == "up":
        assert all(lab.answers(host) for host in up(small).hosts)
    lab.down(BARE)
    assert traces(BARE) == []


def test_a_damaged_record_does_not_stop_down(small: Path) -> None:
    up(small)
    (HOME / "labs" / BARE / "lab.json").write_text("{")
    with pytest.raises(LabError, match="cannot be read"):
        lab.load(BARE)
    lab.down(BARE)
    assert traces(BARE) == []


def test_power_off_is_silent_and_data_stay(small: Path, fournines: Run) -> None:
    made = up(small)
    host = made.host("b1")
    fournines("lab", "ssh", "test-bare/b1", "echo kept > /root/data")
    with socket.create_connection((str(host.address), 22), timeout=2) as connection:
        assert connection.recv(100)
        fournines("lab", "power", "off", "test-bare/b1")
        assert not lab.is_on(BARE, "b1")
        # A host without power sends neither FIN nor RST: the other side hears nothing at all.
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(100)
    assert not reaches(str(host.address))
    with pytest.raises(LabError, match="off"):
        lab.leader(BARE, "b1")
    fournines("lab", "power", "on", "test-bare/b1")
    assert until(lambda: lab.answers(host))
    assert fournines("lab", "ssh", "test-bare/b1", "cat /root/data").stdout == "kept\n"


def test_reset_boots_again(small: Path, fournines: Run) -> None:
    host = up(small).host("b2")
    was = fournines("lab", "ssh", "test-bare/b2", "cat /proc/sys/kernel/random/boot_id").stdout
    lab.power(BARE, "b2", "reset")
    assert until(lambda: lab.answers(host))
    assert fournines("lab", "ssh", "test-bare/b2", "cat /proc/sys/kernel/random/boot_id").stdout != was


def test_isolation_is_of_one_network_and_heals_exactly(small: Path) -> None:
    ports = {port.network: str(port.address.ip) for port in up(small).host("b1").ports}
    lab.isolate(BARE, "b1", "management")
    assert lab.isolated(BARE, "b1") == ["management"]
    assert (reaches(ports["management"]), reaches(ports["public"])) == (False, True)
    # The carrier stays: a partition is not a pulled cable, which keepalived would notice at once.
    inside = ["nsenter", f"--net=/proc/{lab.leader(BARE, 'b1')}/ns/net", "ip", "-json", "link", "show", "management"]
    assert json.loads(subprocess.check_output(inside))[0]["operstate"] == "UP"
    lab.heal(BARE, "b1", "management")
    assert lab.isolated(BARE, "b1") == []
    assert reaches(ports["management"])


def test_resume_undoes_what_a_campaign_left(small: Path) -> None:
    made = up(small)
    lab.power(BARE, "b1", "off")
    lab.isolate(BARE, "b2", "public")
    lab.resume(BARE)
    assert all(until(lambda host=host: lab.answers(host)) for host in made.hosts)
    assert lab.isolated(BARE, "b2") == []


def test_hosts_know_one_another_and_no_packet_leaves(small: Path, fournines: Run) -> None:
    up(small)
    fournines("lab", "ssh", "test-bare/b1", "ping -q -c 1 -w 2 198.19.17.12")
    away = fournines("lab", "ssh", "test-bare/b1", "ping -q -c 1 -w 2 198.19.99.1", ok=False)
    assert "unreachable" in away.stderr
    assert fournines("lab", "ssh", "test-bare/b1", "systemctl is-system-running --wait").stdout == "running\n"
    listening = fournines("lab", "ssh", "test-bare/b1", "ss -Hltn").stdout.split()
    assert [word for word in listening if ":" in word and not word.endswith(":*")] == ["198.19.16.11:22"]


def test_a_host_taken_from_the_file_goes(small: Path, tmp_path: Path) -> None:
    up(small)
    made = up(write_cloud(tmp_path, BARE, 16, hosts=1))
    assert [host.name for host in made.hosts] == ["b1"]
    assert not lab.is_on(BARE, "b2")
    assert not (HOME / "labs" / BARE / "hosts" / "b2").exists()


def test_other_addresses_are_refused(small: Path, tmp_path: Path) -> None:
    before = up(small)
    with pytest.raises(LabError, match="other addresses"):
        up(write_cloud(tmp_path, BARE, 20, hosts=2))
    assert lab.load(BARE) == before
    assert pids(before)


def test_two_labs_side_by_side(small: Path, tmp_path: Path, fournines: Run) -> None:
    other = write_cloud(tmp_path, "test-other", 18, hosts=1)
    clash = write_cloud(tmp_path, "test-clash", 17, hosts=1)
    try:
        up(small)
        up(other)
        refused = fournines("lab", "up", clash, ok=False)
        assert refused.returncode == 1
        assert "overlaps one of lab test-bare" in refused.stderr
        assert not lab.exists("test-clash")
        lab.down("test-other")
        assert all(lab.is_on(BARE, name) for name in ("b1", "b2"))
        assert route()
    finally:
        lab.down_all("test-other")
        lab.down_all("test-clash")


def test_redfish_presses_the_button(small: Path) -> None:
    made = up(small)
    directory = HOME / "labs" / BARE
    record = json.loads((directory / "redfish.json").read_text())
    assert (directory / "redfish.json").stat().st_mode & 0o777 == 0o600
    base = f"https://{record['address']}:{record['port']}"
    trust = ssl.create_default_context(cafile=directory / "tls" / "certificate.pem")
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, base, record["user"], record["password"])
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=trust), urllib.request.HTTPBasicAuthHandler(passwords)
    )

    def state() -> str:
        with opener.open(base + record["systems"]["b1"], timeout=5) as reply:
            return str(json.load(reply)["PowerState"])

    def reset(kind: str) -> int:
        request = urllib.request.Request(
            f"{base}{record['systems']['b1']}/Actions/ComputerSystem.Reset", json.dumps({"ResetType": kind}).encode()
        )
        with opener.open(request, timeout=5) as reply:
            return int(reply.status)

    assert state() == "On"
    assert reset("ForceOff") == 204
    assert state() == "Off"
    assert not lab.is_on(BARE, "b1")
    assert reset("On") == 204
    assert until(lambda: lab.answers(made.host("b1")))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust)).open(base + "/redfish/v1/Systems")


def test_a_machine_says_what_it_has() -> None:
    found = {capability.name: capability for capability in lab.capabilities()}
    assert all(c.present for c in found.values() if c.essential)
    assert all(c.why and c.next for c in found.values() if not c.present)
