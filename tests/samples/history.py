"""A history as a measurement leaves it, in which nothing went wrong: tests plant in it what must be found."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from fournines.prove.anomalies import Append, Read, written
from fournines.prove.history import EVENTS, OPERATIONS, Event, Log
from fournines.prove.model import Fault, Operation
from fournines.prove.probes import PROBES

FAULT = Fault("service.freeze", "keystone", "one", 20.0)
FUNCTIONS = ("validate", "create_project", "write_row", "read_row", "publish", "consume")
#: A pair of lists for so many transactions.
PER_PAIR = 20


def keys_of(i: int) -> tuple[str, str]:
    return str(i // PER_PAIR * 2), str(i // PER_PAIR * 2 + 1)


def appends(i: int) -> str:
    """What the i-th transaction does: reads both lists of its pair, and appends to both."""
    before = tuple(range(i // PER_PAIR * PER_PAIR, i))
    return written([*(Read(key, before) for key in keys_of(i)), *(Append(key, i) for key in keys_of(i))])


def shown(but: int = -1) -> list[str]:
    """The lists as a node shows them at the end, without the value `but` in one of them."""
    lines: list[str] = []
    for block in range(400 // PER_PAIR):
        values = range(block * PER_PAIR, (block + 1) * PER_PAIR)
        lines += [
            " ".join(map(str, (2 * block, *(v for v in values if v != but)))),
            " ".join(map(str, (2 * block + 1, *values))),
        ]
    return lines


STEPS = {"write_row": appends, "consume": lambda i: f"from 1 {i} to 2"}
#: Began at 0 s, struck at 10 s, healed at 30 s, whole at 32 s, ended at 40 s.
ENDED = 40.0


def operations() -> list[Operation]:
    """Everything fine, ten times a second."""
    done: list[Operation] = []
    for i in range(400):
        t = i / 10
        values = {"write_row": f"r{i}", "read_row": f"r{i - 1}" if i else "", "publish": f"m{i}", "consume": f"m{i}"}
        values["create_project"] = f"p{i}"
        for name in FUNCTIONS:
            # The read of the register comes just before the next write.
            shift = -0.02 if name == "read_row" and i else 0.0
            connections = PROBES[name].connections
            kind = connections[i % len(connections)]
            done.append(
                Operation(
                    name,
                    kind,
                    t + shift,
                    t + shift,
                    t + shift + 0.01,
                    "ok",
                    values.get(name, ""),
                    steps=STEPS.get(name, lambda _: "")(i),
                )
            )
    return done


def events(**changes: Any) -> list[Event]:
    """`changes`: event -> its data, or None to leave it out."""
    said = {
        "fault": asdict(FAULT),
        "cloud": "acme",
        "profile": "lan",
        "hosts": ["ctl3"],
        "roles": [],
        "probes": FUNCTIONS,
        "busy": False,
    }
    numbers = range(400)
    usual: list[tuple[str, float, dict[str, Any]]] = [
        ("began", 0.0, said),
        *(("machine", t / 2, {"idle": 0.5, "cpu": 0.1, "io": 0.0, "memory": 0.0}) for t in range(80)),
        ("sighting", 0.1, {"vip": "public", "holders": ["ctl1"], "serving": []}),
        ("injecting", 10.0, {}),
        ("injected", 10.1, {}),
        ("seen", 10.2, {"what": ["ctl3: its main process changed"]}),
        ("healed", 30.0, {}),
        ("redundant", 32.0, {}),
        ("ended", ENDED, {}),
        ("drained", 41.0, {"left": 0}),
        ("read", 42.0, {"kind": "projects", "reader": "keystone on ctl1", "values": [f"p{i}" for i in numbers]}),
        ("read", 42.0, {"kind": "rows", "reader": "database on ctl1", "values": [f"r{i}" for i in numbers]}),
        ("read", 42.0, {"kind": "lists", "reader": "database on ctl1", "values": shown()}),
        ("finding", 43.0, {"name": "quorum", "ok": True, "detail": "3 of 3"}),
    ]
    made = [Event(name, at, changes.get(name, data)) for name, at, data in usual if changes.get(name, data) is not None]
    return made + [Event(name, 43.0, data) for name, data in changes.items() if name not in {n for n, *_ in usual}]


def store(directory: Path, ops: list[Operation], happened: list[Event]) -> Path:
    with Log(directory / OPERATIONS) as log:
        for operation in ops:
            log.operation(operation)
    with Log(directory / EVENTS) as log:
        for event in happened:
            log.event(event)
    return directory
