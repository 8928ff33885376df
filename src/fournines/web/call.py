"""One request, as handlers get it, and what they need of the server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from fournines.errors import FourninesError
from fournines.web.access import Access, Session
from fournines.web.audit import Audit
from fournines.web.computed import Computed
from fournines.web.feed import Feed
from fournines.web.jobs import Jobs
from fournines.web.roles import Identity


class DeniedError(FourninesError):
    """`status`: HTTP's. `whom`: whose request it was, where that is known."""

    def __init__(self, status: int, what: str, next: str = "", whom: Identity | None = None) -> None:
        super().__init__(what, next=next)
        self.status = status
        self.whom = whom


@dataclass(frozen=True)
class Server:
    """watched: the folder in which `watch` keeps what it has; None: beside the cloud file."""

    feed: Feed
    jobs: Jobs
    access: Access
    audit: Audit
    computed: Computed
    watched: Path | None = None


@dataclass(frozen=True)
class Call:
    """identity: who asks; of a public route nobody. session: of a browser. body: as the route's model has it."""

    server: Server
    request: Request
    address: str
    identity: Identity | None
    session: Session | None
    body: Any

    @property
    def who(self) -> Identity:
        assert self.identity
        return self.identity

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])
