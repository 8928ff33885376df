"""Packages of another suite of Debian for hosts that have no network: taken from the machine's own mirror, as the image
of a lab is, and put on each host as a package source that is a folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from fournines.lab import sources

_CONFIGURATION = """\
Dir::State "{here}/state";
Dir::State::status "{image}/var/lib/dpkg/status";
Dir::Cache "{here}/cache";
Dir::Etc::sourcelist "{here}/sources.list";
Dir::Etc::sourceparts "{here}/none";
Dir::Etc::preferencesparts "{here}/none";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
"""
_THERE = "/srv/packages"
_TAKEN = """\
rm -rf {there} && mkdir -p {there} && tar -x -C {there}
rm -rf /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:{there} {old} main' > /etc/apt/sources.list
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/lab
apt-get -q update
"""


def gathered(image: Path, suite: str, here: Path) -> Path:
    """A repository, below `here`, with what a host of this image needs to go to `suite`: nothing of the suite that it
    has, for no host needs that again. image: root directory."""
    for name in ("state/lists/partial", "cache/archives/partial", "none"):
        (here / name).mkdir(parents=True)
    lines = sources.debian(sources.read(), os.environ.get("FOURNINES_DEBIAN_MIRROR", ""), suite)
    (here / "sources.list").write_text(f"{lines[0]}\n")
    (here / "apt.conf").write_text(_CONFIGURATION.format(here=here, image=image))
    # A file that APT_CONFIG names is read first, before the machine's own, which says how its mirror is reached.
    environment = {**os.environ, "APT_CONFIG": str(here / "apt.conf"), "LC_ALL": "C.UTF-8"}
    for words in (("update",), ("--yes", "--download-only", "full-upgrade")):
        done = subprocess.run(["apt-get", "-q", *words], check=False, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    repository = here / "repository"
    (repository / "pool").mkdir(parents=True)
    for archive in (here / "cache/archives").glob("*.deb"):
        archive.rename(repository / "pool" / archive.name.replace("%", "_"))
    _index(repository, sources.SUITE, [])
    _index(repository, suite, sorted((repository / "pool").iterdir()))
    return repository


def _index(repository: Path, suite: str, archives: list[Path]) -> None:
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout
    architecture = architecture.strip()
    entries: list[str] = []
    for path in archives:
        control = subprocess.run(["dpkg-deb", "-f", str(path)], check=True, capture_output=True, text=True).stdout
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        size = path.stat().st_size
        entries.append(f"{control.rstrip()}\nFilename: pool/{path.name}\nSize: {size}\nSHA256: {digest}\n")
    packages = "\n".join(entries).encode()
    name = f"main/binary-{architecture}/Packages"
    path = repository / "dists" / suite / name
    path.parent.mkdir(parents=True)
    path.write_bytes(packages)
    said = {"Origin": "Debian", "Label": "Debian", "Suite": suite, "Codename": suite, "Components": "main"}
    lines = [f"{key}: {value}" for key, value in {**said, "Architectures": architecture}.items()]
    lines += [
        f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S UTC}",
        "SHA256:",
        f" {hashlib.sha256(packages).hexdigest()} {len(packages)} {name}",
    ]
    (repository / "dists" / suite / "Release").write_text("\n".join(lines) + "\n")


def taken(repository: Path, host: str) -> None:
    """Puts it on a host of a lab, `CLOUD/HOST`, as its only source. What it installs is not flushed: no test takes its
    power meanwhile."""
    script = _TAKEN.format(there=_THERE, old=sources.SUITE)
    program = str(Path(sys.executable).with_name("fournines"))
    with subprocess.Popen(["tar", "-C", str(repository), "-c", "."], stdout=subprocess.PIPE) as archive:
        done = subprocess.run(
            [program, "lab", "ssh", host, script], stdin=archive.stdout, check=False, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
