"""The release that the file wants, and how the cloud is to come there."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.releases import refusal, releases, unseen
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


def untried(cloud: Cloud) -> Iterator[Flaw]:
    """A step that is possible, and of which a part has never been seen to work."""
    old, new = cloud.versions.release, cloud.release
    if new in releases() and old != new and not any(step(cloud)) and (left := unseen(old, new)):
        what = f"the whole way from {old} to {new} has not been tried"
        yield Flaw(("release",), "error", what, left, f"go it in a lab first; or release: {old}")
