"""A real sshd on a loopback port: what the engine says to hosts is SSH and POSIX sh, so those must judge it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from fournines.cloud.model import Host
from samples import toy

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
SetEnv FOURNINES_RUN={directory}/run
Subsystem none /bin/false
"""


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the scripts keep their locks, instead of /run/fournines."""
    monkeypatch.setenv("FOURNINES_RUN", str(tmp_path / "run"))
    return tmp_path / "run"


@dataclass(frozen=True)
class Sshd:
    directory: Path
    port: int

    def host(self, name: str = "h1", **ssh: Any) -> Host:
        """A host that is this sshd; `ssh` overrides what it takes to reach it."""
        reach = {
            "user": getpass.getuser(),
            "port": self.port,
            "key": self.directory / "key",
            "known_hosts": self.directory / "known_hosts",
        }
        address = ssh.pop("address", IPv4Address("127.0.0.1"))
        (host,) = toy.cloud({name: []}, **{**reach, **ssh}).hosts
        return replace(host, address=address)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "these tests need sshd: apt-get install openssh-server"
    directory = tmp_path_factory.mktemp("sshd")
    for key in ("host_key", "key", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key], check=True)
    port = free_port()
    known = (directory / "host_key.pub").read_text()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {known}")
    (directory / "config").write_text(_CONFIG.format(port=port, directory=directory))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = subprocess.Popen([program, "-D", "-e", "-f", directory / "config"], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield Sshd(directory, port)
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("sshd did not start")
