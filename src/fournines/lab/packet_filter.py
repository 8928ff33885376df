"""Packets that are lost at a host's switch port: an nftables table a port, hooked to the machine's end of the cable.

What the host receives leaves the port (hook egress, Linux 5.16), what it sends enters there (hook ingress).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fournines.errors import LabError
from fournines.lab.shell import run

_HOOKS = {"in": "egress", "out": "ingress"}
_PREFIX = "fournines-"


@dataclass(frozen=True, slots=True)
class Loss:
    """`direction`: as the host sees it. `macs`: only what comes from (or goes to) these; () for all. `match`: an
    nftables expression. `percent` of these packets, chosen at random."""

    direction: Literal["in", "out"]
    macs: tuple[str, ...] = ()
    match: str = ""
    percent: int = 100


def apply(device: str, losses: Sequence[Loss]) -> None:
    """These losses and no others. Raises LabError when the port is not there, or the kernel cannot."""
    run(["nft", "-f", "-"], stdin=_removal(device) + ruleset(device, losses))


def ruleset(device: str, losses: Sequence[Loss]) -> str:
    chains = "".join(
        f'chain {direction}put {{ type filter hook {hook} device "{device}" priority 0; policy accept;\n{rules} }}\n'
        for direction, hook in _HOOKS.items()
        if (rules := "".join(_rule(loss) for loss in losses if loss.direction == direction))
    )
    return f"table netdev {_PREFIX}{device} {{\n{chains}}}\n"


def _rule(loss: Loss) -> str:
    side = "saddr" if loss.direction == "in" else "daddr"
    words = [
        f"ether {side} {{ {', '.join(loss.macs)} }}" if loss.macs else "",
        loss.match,
        f"numgen random mod 100 < {loss.percent}" if loss.percent < 100 else "",
        "counter drop",
    ]
    return " ".join(filter(None, words)) + "\n"


def lost(device: str) -> int:
    """Packets lost so far. Raises LabError when nothing is filtered at this port."""
    try:
        found: dict[str, Any] = json.loads(run(["nft", "-j", "list", "table", "netdev", _PREFIX + device]))
    except LabError as error:
        raise LabError("No packet filter is at this port", where=device, why=error.why) from None
    rules = [entry["rule"]["expr"] for entry in found["nftables"] if "rule" in entry]
    return sum(int(part["counter"]["packets"]) for rule in rules for part in rule if "counter" in part)


def remove(devices: Iterable[str]) -> None:
    """Of no effect where nothing is filtered. The kernel itself forgets the hook with the port, not the table."""
    if shutil.which("nft") is None:
        return
    wanted = {_PREFIX + device for device in devices}
    tables = json.loads(run(["nft", "-j", "list", "tables", "netdev"]))["nftables"]
    there = [entry["table"]["name"] for entry in tables if "table" in entry and entry["table"]["name"] in wanted]
    if there:
        run(["nft", "-f", "-"], stdin="".join(_removal(name.removeprefix(_PREFIX)) for name in there))


def _removal(device: str) -> str:
    """nftables before 1.0.7 has no `destroy`: a table that is made first is there to be deleted."""
    return f"add table netdev {_PREFIX}{device}\ndelete table netdev {_PREFIX}{device}\n"
