"""Runs on a host that is no lab's: loses packets at its own device, as a fault, and takes that back by itself.

    network_fault apply SETTINGS     these losses and no others, for so long as SETTINGS says at most
    network_fault remove DEVICE      none any more; prints how long they lasted, in seconds, if it is known
    network_fault lost DEVICE        prints how many packets were lost so far

SETTINGS: {"device", "own": the host's address on it, "operator": the address that asks, "ssh": its port, "seconds",
"losses": [{"direction": as the host sees it, "in" or "out", "peers": addresses, "match": nftables, "percent"}, …]}

What the operator asks over SSH gets through whatever is lost, so that the losses can be ended; with it the address
resolution between the host and the next hop to the operator, for the host's own address alone. Where that is not
enough, a timer of systemd ends them: it is there before the first packet is lost.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HOOKS = {"in": "ingress", "out": "egress"}
#: Before whatever else looks at packets there.
PRIORITY = -500


def table(device: str) -> str:
    return f"netdev fournines-fault-{device}"


def unit(device: str) -> str:
    return f"fournines-fault-{device}"


def times(device: str) -> Path:
    """When the losses began, and when the timer ended them: seconds since boot, a line each."""
    return Path(f"/run/fournines-fault-{device}")


def apply(settings: dict[str, Any]) -> None:
    device = settings["device"]
    remove(device)
    end = f"nft delete table {table(device)}; cut -d' ' -f1 /proc/uptime >> {times(device)}"
    run(
        *("systemd-run", "--quiet", "--collect", f"--unit={unit(device)}", f"--on-active={settings['seconds']}s"),
        *("--timer-property=AccuracySec=10ms", "sh", "-c", end),
    )
    try:
        run("nft", "-f", "-", text=ruleset(settings, next_hop(settings["operator"])))
    except subprocess.CalledProcessError:
        remove(device)
        raise
    times(device).write_text(f"{time.clock_gettime(time.CLOCK_BOOTTIME):.3f}\n")


def ruleset(settings: dict[str, Any], neighbour: str) -> str:
    """`neighbour`: the next hop to the operator."""
    device, own, operator, ssh = (settings[name] for name in ("device", "own", "operator", "ssh"))
    kept = {
        "in": (f"ip saddr {operator} tcp dport {ssh}", f"arp saddr ip {neighbour} arp daddr ip {own}"),
        "out": (f"ip daddr {operator} tcp sport {ssh}", f"arp saddr ip {own} arp daddr ip {neighbour}"),
    }
    chains = ""
    for direction, hook in HOOKS.items():
        losses = [loss for loss in settings["losses"] if loss["direction"] == direction]
        if losses:
            rules = [*(f"{rule} accept" for rule in kept[direction]), *map(rule, losses)]
            begin = f'type filter hook {hook} device "{device}" priority {PRIORITY}; policy accept;'
            chains += f"chain {direction}put {{ {begin}\n" + "".join(f"{line}\n" for line in rules) + "}\n"
    return f"table {table(device)} {{\n{chains}}}\n"


def rule(loss: dict[str, Any]) -> str:
    side = "saddr" if loss["direction"] == "in" else "daddr"
    words = [
        f"ip {side} {{ {', '.join(loss['peers'])} }}" if loss["peers"] else "",
        loss["match"],
        f"numgen random mod 100 < {loss['percent']}" if loss["percent"] < 100 else "",
        "counter drop",
    ]
    return " ".join(filter(None, words))


def next_hop(operator: str) -> str:
    (route,) = json.loads(run("ip", "-json", "route", "get", operator))
    return str(route.get("gateway", operator))


def remove(device: str) -> None:
    for words in (("systemctl", "stop", f"{unit(device)}.timer"), ("nft", "delete", "table", *table(device).split())):
        with contextlib.suppress(subprocess.CalledProcessError):  # the timer has done it, or nothing was applied
            run(*words)
    lines: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        lines = times(device).read_text().split()
        times(device).unlink()
    if lines:
        end = float(lines[1]) if len(lines) > 1 else time.clock_gettime(time.CLOCK_BOOTTIME)
        print(f"{end - float(lines[0]):.3f}")


def lost(device: str) -> int:
    return sum(map(int, re.findall(r"counter packets (\d+)", run("nft", "list", "table", *table(device).split()))))


def run(*words: str, text: str = "") -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, input=text, timeout=10).stdout


def main(words: list[str]) -> None:
    try:
        match words:
            case ["apply", settings]:
                apply(json.loads(settings))
            case ["remove", device]:
                remove(device)
            case ["lost", device]:
                print(lost(device))
            case _:
                sys.exit(__doc__)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)}: {error.stderr.strip()}")
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
