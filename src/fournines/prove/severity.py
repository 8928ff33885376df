"""How much a fault takes away: what it may cost follows from that. Pure."""

from __future__ import annotations

from typing import Literal

from fournines.prove.model import Fault, FaultResult

#: What an operator does on purpose, to however many hosts one after another; one process that ends, one that says
#: nothing more, one host, several hosts that are no majority, a majority or all.
Severity = Literal["operation", "kill", "freeze", "host", "zone", "whole"]

_MOST = frozenset(("half", "majority", "all"))


def severity(result: FaultResult) -> Severity:
    """Of any fault, also of one that nobody has classified: that one is held to what a host's loss may cost, or a
    frozen process where it strikes a service."""
    fault, count = result.fault, len(result.hosts)
    most = count > (result.candidates - 1) // 2 if result.candidates else fault.target in _MOST
    of_one: list[Severity] = [_of_one(single) for single in fault.singles]
    if set(of_one) == {"operation"}:
        return "operation"
    if (count > 1 and most) or 0 < result.candidates <= count or "whole" in of_one:
        return "whole"
    if count > 1 or fault.parts:
        return "zone"
    return of_one[0]


def _of_one(fault: Fault) -> Severity:
    from fournines.prove.faults.catalogue import CATALOGUE  # whose classes name their severity

    kind = CATALOGUE.get(fault.name)
    if kind is None:
        return "freeze" if fault.service else "host"
    return kind.costs
