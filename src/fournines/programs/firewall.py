"""The host's firewall: a table of nftables of its own, `inet fournines`; other tables are left alone.

    firewall load             the rules that were confirmed last, at boot, before any daemon starts
    firewall apply DIGEST     loads WANTED; undone after UNDO_AFTER seconds, unless they are confirmed
    firewall confirm DIGEST   these rules let fournines in: they stay, and are loaded at each boot
    firewall check DIGEST     `ok` when rules of this digest are loaded and confirmed, and where fournines runs is known
    firewall undo             back to the rules that were confirmed last
    firewall stop             no rules

`confirm` is asked over SSH, and rules for SSH come before the one for what is established: a connection that was open
when the rules were loaded gets through only if a new one would.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TABLE = "inet fournines"
SETTINGS = Path("/etc/fournines/firewall.json")
WANTED = Path("/etc/fournines/firewall.nft")
CONFIRMED = Path("/var/lib/fournines/firewall.nft")
#: Addresses that have applied a cloud file to this host, one a line, the latest last.
OPERATORS = Path("/var/lib/fournines/operators")
MOST_OPERATORS = 8
UNDO = "fournines-firewall-undo"
UNDO_AFTER = 30


def nft(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/usr/sbin/nft", *words], input=text, capture_output=True, text=True, check=False)


def load(path: Path) -> None:
    """One transaction: there is never a moment without rules, and all of them are taken or none."""
    known = ", ".join(operators())
    added = f"add element {TABLE} operators {{ {known} }}\n" if known else ""
    done = nft("-f", "-", text=path.read_text() + added)
    if done.returncode:
        sys.exit(f"nft refuses {path}: {done.stderr.strip()}")


def stop() -> None:
    nft("-f", "-", text=f"table {TABLE}\ndelete table {TABLE}\n")


def undo() -> None:
    if CONFIRMED.exists():
        load(CONFIRMED)
    else:
        stop()


def operators() -> list[str]:
    try:
        lines = OPERATORS.read_text().split()
    except FileNotFoundError:
        return []
    return [line for line in lines if re.fullmatch(r"[0-9.]+", line)]


def client() -> str:
    """The address that this was asked from over SSH; "" when it was not. sudo hides it from its children."""
    process = os.getpid()
    while process > 1:
        try:
            environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            return ""
        for variable in environment:
            if variable.startswith(b"SSH_CONNECTION="):
                return variable.partition(b"=")[2].split()[0].decode()
        parent = re.search(r"^PPid:\s*(\d+)", status, re.MULTILINE)
        process = int(parent[1]) if parent else 0
    return ""


def learns(who: str) -> bool:
    """Whether `who` has to be remembered: an IPv4 address, where the cloud file does not say who the operators are."""
    return bool(re.fullmatch(r"[0-9.]+", who)) and json.loads(SETTINGS.read_text())["learn"]


def learn() -> None:
    who = client()
    if learns(who):
        latest = [*(o for o in operators() if o != who), who][-MOST_OPERATORS:]
        new = OPERATORS.with_suffix(".new")
        new.write_text("".join(f"{address}\n" for address in latest))
        new.replace(OPERATORS)


def refuse_lockout() -> None:
    """SSH from elsewhere only: the run that brings such rules must itself come from there."""
    allowed = [ipaddress.ip_network(a) for a in json.loads(SETTINGS.read_text())["ssh"]]
    who = client()
    if allowed and who and not any(ipaddress.ip_address(who) in network for network in allowed):
        sys.exit(
            f"these rules let SSH in from {', '.join(map(str, allowed))} only, and this run comes from {who}: "
            "nothing was changed. Add its address to sources.ssh, or run fournines from one of those networks"
        )


def loaded(digest: str) -> bool:
    return nft("list", "chain", *TABLE.split(), f"rules_{digest}").returncode == 0


def apply(digest: str) -> None:
    refuse_lockout()
    if f"chain rules_{digest} " not in WANTED.read_text():
        sys.exit(f"{WANTED} holds other rules than those to be applied")
    learn()
    disarm()
    subprocess.run(
        ["systemd-run", "--quiet", "--collect", f"--unit={UNDO}", f"--on-active={UNDO_AFTER}",
         "--timer-property=AccuracySec=1s", sys.argv[0], "undo"],
        check=True,
    )  # fmt: skip
    try:
        load(WANTED)
    except SystemExit:
        disarm()
        raise


def confirm(digest: str) -> None:
    if not loaded(digest):
        sys.exit("other rules are loaded: they were not confirmed in time, and undone. Apply again")
    if not confirmed(digest):
        new = CONFIRMED.with_suffix(".new")
        shutil.copyfile(WANTED, new)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(CONFIRMED)
    disarm()


def disarm() -> None:
    """The service too: it may be about to start."""
    subprocess.run(["systemctl", "stop", f"{UNDO}.timer", f"{UNDO}.service"], check=False, stderr=subprocess.DEVNULL)


def confirmed(digest: str) -> bool:
    return CONFIRMED.exists() and f"chain rules_{digest} " in CONFIRMED.read_text()


def check(digest: str) -> str:
    if not loaded(digest):
        return "other rules"
    if not confirmed(digest):
        return "not confirmed"
    who = client()
    return f"{who} is a new operator" if learns(who) and who not in operators() else "ok"


def main(verb: str, digest: str) -> None:
    match verb:
        case "load":
            if CONFIRMED.exists():
                load(CONFIRMED)
        case "apply":
            apply(digest)
        case "confirm":
            confirm(digest)
        case "check":
            print(check(digest))
        case "undo":
            undo()
        case "stop":
            stop()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2] if len(sys.argv) > 2 else "")
