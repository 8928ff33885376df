"""Nothing to change on 100 hosts: 100 addresses of one sshd in a network namespace, 200 managed files each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figure import Figure, measure

HOSTS, FILES = 100, 200
TREE = "/mnt/fournines-benchmark"
_SSHD = """\
ListenAddress 0.0.0.0
HostKey {0}/host_key
AuthorizedKeysFile {0}/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
MaxStartups 200
"""
_CLOUD = """\
cloud: benchmark
release: "2025.1"
ssh: {{user: root, key: {directory}/key, known_hosts: {directory}/known_hosts}}
regions:
  one:
    vips: {{internal: 198.18.0.250, public: 198.18.1.250}}
    networks: {{management: 198.18.0.0/24, public: 198.18.1.0/24}}
    zones: {{rack1: {{}}}}
    hosts:
      host[001-{hosts}]: {{zone: rack1, address: 198.18.0.1+, roles: [compute]}}
"""


def figures() -> Iterable[Figure]:
    with tempfile.TemporaryDirectory() as directory, _sshd(Path(directory)) as namespace:
        cloud = Path(directory) / "cloud.yaml"
        cloud.write_text(_CLOUD.format(directory=directory, hosts=HOSTS))
        command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "benchmarks.hosts"]
        # One host is brought up: all of them are the same tree.
        subprocess.run([*command, "apply", str(cloud), "--yes", "--hosts", "host001"], check=True, capture_output=True)
        yield measure(
            "nothing to change, 100 hosts",
            [*command, "apply", str(cloud), "--yes"],
            target=4.0,
            note=f"{FILES} files a host; the machine also runs the sshd",
            runs=3,
        )


@contextmanager
def _sshd(directory: Path) -> Generator[str]:
    """A network namespace whose 100 addresses reach one sshd, which sees a tree of its own. Yields its name."""
    name = f"fnbench{os.getpid()}"
    for key in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key], check=True)
    (directory / "sshd_config").write_text(_SSHD.format(directory))
    public = (directory / "host_key.pub").read_text()
    (directory / "known_hosts").write_text("".join(f"198.18.0.{n} {public}" for n in range(1, HOSTS + 1)))
    # An empty home as well: what root's own shell start-up files do on this machine is no host's business.
    trees = f"{TREE} /var/lib/fournines /run/fournines /run/sshd {Path.home()}"
    mounts = f"mkdir -p {trees} && for t in {trees}; do mount -t tmpfs -o mode=755 tmpfs $t; done"
    start = f"{mounts} && exec {_find_sshd()} -D -e -f $1"
    config = directory / "sshd_config"
    subprocess.run(["ip", "netns", "add", name], check=True)
    server = None
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        batch = "".join(f"addr add 198.18.0.{n}/32 dev lo\n" for n in range(1, HOSTS + 1))
        subprocess.run(["ip", "-n", name, "-batch", "-"], input=batch, text=True, check=True)
        # A mount namespace of its own: what the run writes is gone with it, and this machine never sees it.
        server = subprocess.Popen(
            ["unshare", "-m", "ip", "netns", "exec", name, "sh", "-c", start, "sh", config],
            stderr=(directory / "sshd.log").open("w"),
        )
        while "Server listening" not in (directory / "sshd.log").read_text():
            if server.poll() is not None:
                raise RuntimeError(f"sshd: {(directory / 'sshd.log').read_text()}")
            time.sleep(0.05)
        yield name
    finally:
        if server:
            server.terminate()
            server.wait()
        subprocess.run(["ip", "netns", "del", name], check=True)


def _find_sshd() -> str:
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        raise RuntimeError("no sshd: apt-get install openssh-server")
    return found


def main() -> None:
    """The command itself, with one service of 200 files in place of the shipped ones."""
    from fournines import services
    from fournines.cli.main import main as run
    from fournines.cloud.model import Cloud, Host
    from fournines.services.resource import File, Resource
    from fournines.services.service import Check, HaPattern, Service

    class Base(Service):
        name = "base"
        pattern = HaPattern.PER_HOST

        def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
            return [File(f"{TREE}/{n:03}", f"file {n}\n" * 50) for n in range(FILES)]

        def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
            return []

    services.registry = lambda: {"base": Base()}
    run()


if __name__ == "__main__":
    main()
