"""The functions that are probed, how often, and what each one says about the cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fournines.prove.model import Connection


@dataclass(frozen=True, slots=True)
class Probe:
    """`interval` seconds between intended sends. `connections` take turns. `kind`: whether it changes anything.

    `idempotent`: GET and SELECT, which a load balancer or a client library may send again.
    """

    name: str
    interval: float
    connections: tuple[Connection, ...]
    kind: Literal["read", "write"]
    idempotent: bool
    what: str


#: Light functions every 100 ms. The others as often as two cores bear: a password costs Keystone 0.3 s of bcrypt, a
#: token issued from a token 30 ms, a project created 40 ms, and a saturated machine measures only itself.
PROBES = {
    probe.name: probe
    for probe in (
        Probe("authenticate", 0.5, ("fresh", "kept"), "read", False, "a token issued for a token, on the public VIP"),
        Probe("authenticate_password", 2.0, ("fresh",), "read", False, "a token issued for a password"),
        Probe("validate", 0.1, ("fresh", "kept"), "read", True, "a token validated, on the public VIP"),
        Probe("list_projects", 0.1, ("fresh", "kept"), "read", True, "projects listed, on the public VIP"),
        Probe("create_project", 0.5, ("fresh", "kept"), "write", False, "a project created: acknowledged writes"),
        Probe("read_row", 0.1, ("fresh", "kept"), "read", True, "the register read, through the writer's path"),
        Probe("write_row", 0.1, ("fresh", "kept"), "write", False, "a row committed, through the writer's path"),
        Probe("publish", 0.1, ("kept",), "write", False, "a message confirmed by a quorum queue"),
        Probe("consume", 0.1, ("kept",), "read", False, "a message delivered, counted from its intended publish"),
    )
}
