"""The operator's own certificate of the public VIP, held against its key, its chain, its names and its dates."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.design.finding import Flaw
from fournines.services.certificate import own


def unusable(cloud: Cloud) -> Iterator[Flaw]:
    for wrong in own(cloud)[1]:
        yield Flaw(wrong.path, "error" if wrong.fatal else "warning", wrong.what, wrong.why, wrong.change)
