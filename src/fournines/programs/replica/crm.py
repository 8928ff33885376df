"""What the agent keeps in the cluster: the record, each host's own word, its promotion score. `values` is pure."""

from __future__ import annotations

import os
import subprocess
from xml.etree import ElementTree

from .record import Record, Seen, record, seen

#: In a set of its own: none of Pacemaker's options.
SET, RECORD = "fournines-database", "fournines-database-record"
#: Kept in the members' memory, gone with a member, and never written to the configuration: it changes all the time.
WORD = "fournines-database"


class ClusterError(Exception):
    """Why it took no change."""


def _run(*argv: str, timeout: float = 10.0) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", f"{argv[0]} does not answer within {timeout:g} s")


def _record(*words: str) -> subprocess.CompletedProcess[str]:
    return _run("/usr/sbin/crm_attribute", "--type", "crm_config", "--set-name", SET, "--name", RECORD, *words)


def read() -> Record | None:
    """None before the first promotion. Raises ClusterError: it cannot be known."""
    done = _record("--query", "--quiet")
    # CRM_EX_NOSUCH: there is none.
    if done.returncode not in (0, 105, 6):
        raise ClusterError(done.stderr.strip() or f"crm_attribute ends with {done.returncode}")
    return record(done.stdout.strip())


def write(wanted: Record) -> None:
    """Raises ClusterError: nobody knows it."""
    done = _record("--update", wanted.text)
    if done.returncode:
        raise ClusterError(done.stderr.strip() or f"crm_attribute ends with {done.returncode}")


def quorate() -> bool:
    return _run("/usr/sbin/crm_node", "--quorum").stdout.strip() == "1"


def tell(word: Seen, *, everywhere: bool = False) -> None:
    """everywhere: it returns once all members would be given it."""
    wait = ("--wait", "cluster") if everywhere else ()
    _run("/usr/sbin/attrd_updater", "--name", WORD, "--private", "--update", word.text, *wait)


def silence() -> None:
    _run("/usr/sbin/attrd_updater", "--name", WORD, "--delete")


def words() -> dict[str, Seen]:
    """Of all members that are there."""
    return values(_run("/usr/sbin/attrd_updater", "--name", WORD, "--query", "--all", "--output-as=xml").stdout)


def values(text: str) -> dict[str, Seen]:
    """`attrd_updater --query --all --output-as=xml`."""
    try:
        said = ElementTree.fromstring(text)  # noqa: S314 - of this host's own cluster
    except ElementTree.ParseError:
        return {}
    entries = ((each.get("host", ""), each.get("value") or "") for each in said.iter("attribute"))
    found = (seen(host, value) for host, value in entries)
    return {one.host: one for one in found if one}


def promote_by(score: int) -> None:
    """This host's promotion score; 0: it has none."""
    name = os.environ.get("OCF_RESOURCE_INSTANCE", "").partition(":")[0]
    words = ("--update", str(score)) if score else ("--delete",)
    _run("/usr/sbin/crm_attribute", f"--promotion={name}", "--lifetime", "reboot", *words)
