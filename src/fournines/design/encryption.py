"""Whether what services say to one another can be read, or said by others."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.design.finding import Flaw
from fournines.services.capabilities import present

#: What knows TLS or none, and no state between: with `optional` it has none.
_WHOLLY = {"valkey": "Valkey and its Sentinels", "nova": "the console proxies, to the load balancers"}


def not_required(cloud: Cloud) -> Iterator[Flaw]:
    mode = cloud.tls.internal
    if mode == "required":
        return
    what, why = {
        "optional": (
            "services inside also take connections without TLS" + _without(cloud),
            "whoever reaches a port can still speak to it without being known, and be read by others",
        ),
        "off": (
            "nothing inside the cloud is encrypted",
            "any host on the management network reads tokens, passwords and data, and joins Galera as a member: it gets"
            " a full copy of the database and writes to it",
        ),
    }[mode]
    change = "tls.internal: required" + (", once every host runs with `optional`" if mode == "off" else "")
    yield Flaw(("tls", "internal"), "warning", what, why, change)


def _without(cloud: Cloud) -> str:
    found = {said for region in cloud.regions for s in present(cloud, region) if (said := _WHOLLY.get(s.name))}
    return f"; {' and '.join(sorted(found))} have none" if found else ""
