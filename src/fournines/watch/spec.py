"""What the prober's process is told, as one JSON document on its standard input: it carries passwords."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from fournines.prove.load.spec import Broker, Database, Identity


@dataclass(frozen=True, slots=True)
class WatchSpec:
    """`epoch`: zero of the watch's clock on CLOCK_MONOTONIC. `timeout`: of a request, seconds. `broker`: None without a
    message bus. `name` begins every value that is written. `renew`: seconds
    after which a token is taken anew, well before it ends."""

    epoch: float
    functions: tuple[str, ...]
    timeout: float
    name: str
    region: str
    identity: Identity
    database: Database
    broker: Broker | None
    renew: float = 900.0


_DOCUMENT = TypeAdapter(WatchSpec)


def dumps(spec: WatchSpec) -> str:
    return _DOCUMENT.dump_json(spec).decode()


def loads(text: str) -> WatchSpec:
    return _DOCUMENT.validate_json(text)
