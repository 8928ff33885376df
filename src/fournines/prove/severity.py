"""How much a fault takes away: what it may cost follows from that. Pure."""

from __future__ import annotations

from typing import Literal

from fournines.prove.model import FaultResult

#: One process that ends, one that says nothing more, one host, several hosts that are no majority, a majority or all.
#: `calm`: nothing at all.
Severity = Literal["kill", "freeze", "host", "zone", "whole", "calm"]

#: Faults that end one process or change nothing that a client may notice.
_ENDS = frozenset(
    ("service.kill", "service.stop", "service.crash_loop", "agent.skew_previous", "agent.skew_next", "network.vrrp")
)
#: Those whose families say so little that the name must.
_SILENT_FAMILIES = ("service.", "agent.")
_SILENT = frozenset(("network.block", "host.cpu", "host.run_full"))
#: Names of a fault that consists of several.
_SEVERAL = frozenset(("and", "then"))
CALM = "calm"


def severity(result: FaultResult) -> Severity:
    """Of every fault there is, also of one that nobody has classified: that one is held to what a host's loss may
    cost, or a frozen process where it strikes a service."""
    fault, count = result.fault, len(result.hosts)
    if fault.name == CALM:
        return "calm"
    most = count > (result.candidates - 1) // 2 if result.candidates else fault.target in ("majority", "all")
    if (count > 1 and most) or 0 < result.candidates <= count:
        return "whole"
    if count > 1 or fault.name in _SEVERAL:
        return "zone"
    if fault.name in _ENDS:
        return "kill"
    return "freeze" if fault.name in _SILENT or fault.name.startswith(_SILENT_FAMILIES) else "host"
