"""How much a fault takes away: what it may cost follows from that. Pure."""

from __future__ import annotations

from typing import Literal

from fournines.prove.model import Fault, FaultResult

#: One process that ends, one that says nothing more, one host, several hosts that are no majority, a majority or all.
Severity = Literal["kill", "freeze", "host", "zone", "whole"]

#: Those that end one process, or change nothing that a client may notice.
_ENDS = frozenset(
    ("service.kill", "service.stop", "service.crash_loop", "agent.skew_previous", "agent.skew_next", "network.vrrp")
)
#: Those by which one process, or one host, answers late or not at all while all else takes it to be there.
_SILENT = frozenset(("service.freeze", "service.files", "network.block", "host.cpu", "host.run_full"))
_MOST = frozenset(("half", "majority", "all"))


def severity(result: FaultResult) -> Severity:
    """Of any fault, also of one that nobody has classified: that one is held to what a host's loss may cost, or a
    frozen process where it strikes a service."""
    fault, count = result.fault, len(result.hosts)
    most = count > (result.candidates - 1) // 2 if result.candidates else fault.target in _MOST
    if (count > 1 and most) or 0 < result.candidates <= count:
        return "whole"
    return "zone" if count > 1 or fault.parts else _of_one(fault)


def _of_one(fault: Fault) -> Severity:
    if fault.name in _ENDS:
        return "kill"
    return "freeze" if fault.name in _SILENT or fault.service else "host"
