"""The functions that are probed, how often, and what each one says about the cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fournines.prove.model import Connection


@dataclass(frozen=True, slots=True)
class Turns:
    """Of work that takes seconds, and is done by several requests: one after the other. Seconds.

    `timeout` of one. `again`: how soon after one that did not succeed the next begins: an outage is looked at more
    closely than its interval.
    """

    timeout: float
    again: float = 1.0


@dataclass(frozen=True, slots=True)
class Probe:
    """`interval` seconds between intended sends. `connections` take turns. `kind`: whether it changes anything.

    `idempotent`: GET and SELECT, which a load balancer or a client library may send again. `turns` None: an open loop,
    each is sent at its time whatever became of the ones before. `in_project`: in the campaign's own project.
    `database`, `bus`, `api`: whether the database's writer, the message bus, an API carries it. `routed`: by a second
    client, behind a router.
    """

    name: str
    interval: float
    connections: tuple[Connection, ...]
    kind: Literal["read", "write"]
    idempotent: bool
    what: str
    turns: Turns | None = None
    in_project: bool = False
    database: bool = True
    bus: bool = False
    api: bool = True
    routed: bool = False

    def within(self, usual: float) -> float:
        """Seconds from its intended time in which a request must be answered to count as answered well. `usual`: the
        median before the fault."""
        return usual + TURNS_OVER_S if self.turns else ANSWERED_WITHIN_S

    def period(self, kinds: int = 1) -> float:
        """The longest time between two intended sends over one of `kinds` connections that take turns, seconds."""
        if self.turns is None:
            return self.interval * kinds
        return max(self.interval, self.turns.timeout) + self.turns.again

    def retried_after(self, kinds: int = 1) -> float:
        """From one that was not answered to the next over the same kind of connection, seconds."""
        return self.turns.again if self.turns else self.interval * kinds


#: A request is answered well within so many seconds of its intended time.
ANSWERED_WITHIN_S = 1.0
#: Work in turns takes seconds when nothing is wrong: within so many seconds more than it usually takes.
TURNS_OVER_S = 10.0
#: Between probes of a light function, seconds.
LIGHT_S = 0.1

#: Light functions every 100 or 200 ms. The others as often as two cores bear: of CPU, a password costs Keystone 0.3 s
#: of bcrypt, projects listed 15 ms, a token validated 8 ms, and a saturated machine measures only itself.
#: Those that a service declares bear the name by which `design` knows them.
PROBES = {
    probe.name: probe
    for probe in (
        Probe("authenticate", 0.5, ("fresh", "kept"), "read", False, "a token issued for a token, on the public VIP"),
        Probe("authenticate_password", 2.0, ("fresh",), "read", False, "a token issued for a password"),
        Probe("validate", 0.1, ("fresh", "kept"), "read", True, "a token validated, on the public VIP"),
        Probe("list_projects", 0.2, ("fresh", "kept"), "read", True, "projects listed, on the public VIP"),
        Probe("create_project", 0.5, ("fresh", "kept"), "write", False, "a project created: acknowledged writes"),
        Probe("read_row", 0.1, ("fresh", "kept"), "read", True, "the register read, by the writer's path", api=False),
        Probe("write_row", 0.1, ("fresh", "kept"), "write", False, "a row committed, by the writer's path", api=False),
        Probe(
            "publish",
            0.1,
            ("kept",),
            "write",
            False,
            "a message confirmed by a quorum queue",
            database=False,
            bus=True,
            api=False,
        ),
        Probe(
            "consume",
            0.1,
            ("kept",),
            "read",
            False,
            "a message delivered, counted from its publish",
            database=False,
            bus=True,
            api=False,
        ),
        Probe(
            "validate_through_router",
            0.2,
            ("fresh", "kept"),
            "read",
            True,
            "a token validated by a second client, behind a router",
            routed=True,
        ),
        Probe("list_servers", 0.5, ("fresh", "kept"), "read", True, "servers listed", in_project=True),
        Probe("dashboard", 2.0, ("fresh", "kept"), "read", True, "a page of who has signed in before", in_project=True),
        Probe("create_network", 5.0, ("fresh", "kept"), "write", False, "a network created", in_project=True, bus=True),
        Probe("upload_image", 20.0, ("fresh",), "write", False, "an image read back", Turns(30.0), in_project=True),
        Probe(
            "create_volume",
            10.0,
            ("fresh",),
            "write",
            False,
            "a volume available",
            Turns(30.0),
            in_project=True,
            bus=True,
        ),
        Probe(
            "create_stack", 20.0, ("fresh",), "write", False, "a stack complete", Turns(30.0), in_project=True, bus=True
        ),
        Probe(
            "boot_server", 20.0, ("fresh",), "write", False, "a server ACTIVE", Turns(30.0), in_project=True, bus=True
        ),
    )
}
