"""Whether what services say to one another can be read, or said by others."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.design.finding import Flaw


def not_required(cloud: Cloud) -> Iterator[Flaw]:
    mode = cloud.tls.internal
    if mode == "required":
        return
    what, why = {
        "optional": (
            "services inside also take connections without TLS",
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
