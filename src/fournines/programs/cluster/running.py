"""The running cluster: its configuration asked for and changed, its state judged."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from .difference import PREFIX, differences, merge, section

WANTED = Path("/etc/fournines/cib.xml")
#: Seconds until a cluster that has just been started has somebody to take changes (`dc-deadtime` is 20 s), and between
#: two attempts: members that apply the same change at the same moment refuse one another.
PATIENCE, AGAIN = 90.0, 1.0


def run(*argv: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout)


def _parsed(text: str) -> Element:
    return ElementTree.fromstring(text)  # noqa: S314 - of this host's own cluster


def query() -> Element | None:
    """The whole CIB; None while there is no cluster on this host that could be asked."""
    try:
        done = run("/usr/sbin/cibadmin", "--query", timeout=10.0)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _parsed(done.stdout) if done.returncode == 0 else None


def wanted() -> Element:
    return _parsed(WANTED.read_text())


def apply() -> None:
    deadline = time.monotonic() + PATIENCE
    said = ""
    while True:
        cib = query()
        if cib is not None:
            if not list(differences(section(cib, "configuration"), wanted())):
                return
            if not (said := attempt(cib)):
                return
        if time.monotonic() > deadline:
            sys.exit(f"the cluster takes no change of its configuration: {said or 'it does not run on this host'}")
        time.sleep(AGAIN)


def attempt(cib: Element) -> str:
    """One transaction; "" when it was taken, else why not. Exits when no later attempt can succeed."""
    with tempfile.TemporaryDirectory(prefix="fournines-cib-") as folder:
        old, new = Path(folder, "old.xml"), Path(folder, "new.xml")
        ElementTree.ElementTree(cib).write(old)
        merge(section(cib, "configuration"), wanted())
        ElementTree.ElementTree(cib).write(new)
        valid = run("/usr/sbin/crm_verify", "--xml-file", str(new))
        if valid.returncode:
            said = f"Pacemaker refuses this configuration: {(valid.stderr or valid.stdout).strip()}"
            # Without a designated controller it may not know its own members yet, and warns of each constraint that
            # names one.
            if cib.get("dc-uuid"):
                sys.exit(said)
            return said
        # Without versions: what somebody else has changed meanwhile, elsewhere, is no reason to fail.
        made = run("/usr/sbin/crm_diff", "--no-version", "--original", str(old), "--new", str(new))
        if made.returncode == 0:
            return ""
        if not made.stdout.strip():
            return made.stderr.strip()
        patch = Path(folder, "patch.xml")
        patch.write_text(made.stdout)
        done = run("/usr/sbin/cibadmin", "--patch", "--xml-file", str(patch))
        return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()


def health(later: Collection[str] = ()) -> None:
    """later: ids of resources that may not run yet."""
    done = run("/usr/sbin/crm_mon", "--one-shot", "--inactive", "--output-as=xml")
    if done.returncode:
        sys.exit(f"the cluster does not run here: {done.stderr.strip()}")
    if faults := list(ailing(_parsed(done.stdout), later)):
        sys.exit("; ".join(faults))


def ailing(status: Element, later: Collection[str] = ()) -> Iterator[str]:
    """What keeps the cluster of a `crm_mon` from doing all that is ours. later: as of `health`."""
    dc = status.find("summary/current_dc")
    if dc is None or dc.get("present") != "true":
        yield "there is no designated controller yet"
    elif dc.get("with_quorum") != "true":
        yield "the cluster has no quorum"
    for node in status.iterfind("nodes/node"):
        if node.get("online") != "true":
            yield f"{node.get('name')} is not online"
    for resource in status.iter("resource"):
        name = resource.get("id", "")
        if name in later:
            continue
        if name.startswith(PREFIX) and (resource.get("failed") == "true" or resource.get("active") != "true"):
            on = ", ".join(node.get("name", "") for node in resource.iter("node"))
            yield f"{name} is {resource.get('role', 'Stopped').lower()}{f' on {on}' if on else ''}"
    for failure in status.iterfind("failures/failure"):
        if failure.get("op_key", "").rsplit("_", 2)[0] in later:
            continue
        reason = failure.get("exitreason") or failure.get("exitstatus")
        yield f"{failure.get('op_key')} on {failure.get('node')}: {reason}"
