"""The release that the file wants, and how the cloud is to come there."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.releases import refusal, releases
from fournines.design.finding import Flaw


def step(cloud: Cloud) -> Iterator[Flaw]:
    """From what the lock beside the file says, or else from the first release that fournines knew."""
    if cloud.release not in releases():
        return  # the file's own error
    carried = {name for host in cloud.hosts for name in host.services}
    why, change = refusal(cloud.versions.release, cloud.release, carried)
    if why:
        what = f"the cloud cannot go to {cloud.release}"
        yield Flaw(("release",), "error", what, why, change)
