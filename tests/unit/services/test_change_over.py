"""Whether a running cluster may change over to TLS, as its hosts say: the checks are run, by the shell."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fournines.cloud.model import Cloud, Tls
from fournines.services import broker, mariadb, registry, valkey
from fournines.services.resource import File, Task
from samples import cases

NAMES = {"mariadb": mariadb.CONFIG, "rabbitmq": broker.ENVIRONMENT, "valkey": valkey.CONFIG}


def with_tls(directory: Path, mode: str) -> Cloud:
    cloud = cases.Case(Path("none"), {"cloud": {"components": "compute"}}).cloud(directory)
    return replace(cloud, tls=Tls(internal=mode))  # type: ignore[arg-type]  # a parameter


def said(directory: Path, service: str, now: str, then: str, *, runs: bool = True) -> str:
    """What the check of `then` says on a host whose files are those of `now`."""
    directory.joinpath("systemctl").write_text(f"#!/bin/sh\nexit {0 if runs else 3}\n")
    directory.joinpath("systemctl").chmod(0o755)
    own = registry()[service]
    text: dict[str, Path] = {}
    for file in own.desired(with_tls(directory, now), with_tls(directory, now).hosts[0]):
        if isinstance(file, File) and file.path in (NAMES[service], broker.CONFIG):
            text[file.path] = directory / file.path.rpartition("/")[2]
            text[file.path].write_text(file.content)
    task = next(
        r
        for r in own.desired(with_tls(directory, then), with_tls(directory, then).hosts[0])
        if isinstance(r, Task) and r.name.endswith("can change over one by one")
    )
    script = task.check
    for path, copy in text.items():
        script = script.replace(path, str(copy))
    environment = {"PATH": f"{directory}:/usr/bin:/bin"}
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("now", "then", "may"),
    [
        ("off", "off", True),
        ("off", "optional", True),
        ("off", "required", False),
        ("optional", "required", True),
        ("optional", "off", True),
        ("required", "required", True),
        ("required", "optional", True),
        ("required", "off", False),
    ],
)
def test_galera_takes_one_step_at_a_time(tmp_path: Path, now: str, then: str, may: bool) -> None:
    assert (said(tmp_path, "mariadb", now, then) == "ok\n") is may
    assert said(tmp_path, "mariadb", now, then, runs=False) == "ok\n"


@pytest.mark.parametrize(
    ("now", "then", "may"),
    [
        ("off", "optional", True),
        ("optional", "off", True),
        ("optional", "required", False),
        ("required", "required", True),
        ("required", "optional", False),
    ],
)
def test_the_distribution_changes_on_all_nodes_at_once(tmp_path: Path, now: str, then: str, may: bool) -> None:
    answer = said(tmp_path, "rabbitmq", now, then)
    assert (answer == "ok\n") is may
    assert may or "full stop" in answer
    assert said(tmp_path, "rabbitmq", now, then, runs=False) == "ok\n"


@pytest.mark.parametrize(
    ("now", "then", "may"),
    [
        ("off", "optional", True),
        ("off", "required", False),
        ("optional", "required", False),
        ("required", "required", True),
        ("required", "optional", False),
    ],
)
def test_valkey_needs_a_full_stop(tmp_path: Path, now: str, then: str, may: bool) -> None:
    assert (said(tmp_path, "valkey", now, then) == "ok\n") is may
    assert said(tmp_path, "valkey", now, then, runs=False) == "ok\n"
