"""A package source made here: real .deb files and what apt reads of them, in a directory."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path


def deb(directory: Path, fields: Mapping[str, str], scripts: Mapping[str, str] | None = None) -> Path:
    """Builds a package of these control fields (`Package`, `Version`) and maintainer scripts, in `directory`."""
    name = f"{fields['Package']}_{fields['Version'].replace(':', '%3a')}_all"
    control = directory / "work" / name / "DEBIAN"
    control.mkdir(parents=True, exist_ok=True)
    said = {"Architecture": "all", "Maintainer": "tests <tests@example.org>", "Description": "made by a test", **fields}
    (control / "control").write_text("".join(f"{key}: {value}\n" for key, value in said.items()))
    for script, text in (scripts or {}).items():
        (control / script).write_text(f"#!/bin/sh\n{text}\n")
        (control / script).chmod(0o755)
    built = directory / f"{name}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(control.parent), str(built)],
        check=True,
        capture_output=True,
    )
    return built


def index(directory: Path, release: Mapping[str, str]) -> str:
    """Writes `Packages` and `Release` (with these fields) for all packages there. The line for sources.list."""
    entries: list[str] = []
    for built in sorted(directory.glob("*.deb")):
        content = built.read_bytes()
        control = subprocess.run(["dpkg-deb", "-f", str(built)], check=True, capture_output=True, text=True).stdout
        digest = hashlib.sha256(content).hexdigest()
        entries.append(f"{control.rstrip()}\nFilename: ./{built.name}\nSize: {len(content)}\nSHA256: {digest}\n")
    packages = "\n".join(entries).encode()
    (directory / "Packages").write_bytes(packages)
    lines = [f"{key}: {value}" for key, value in release.items()]
    lines.append(f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S UTC}")
    lines += ["SHA256:", f" {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages"]
    (directory / "Release").write_text("\n".join(lines) + "\n")
    return f"deb [trusted=yes] file:{directory} ./"
