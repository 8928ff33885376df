"""Who a request comes from: a browser's session, a token of Keystone's, or the break-glass token.

A session's identifier is new at each sign-in, and lives in a cookie that scripts cannot read and other sites do not
send. What changes anything must also carry the session's CSRF token in a header.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fournines.commands.private import write_private
from fournines.errors import FourninesError
from fournines.web.keystone import Identities, RefusedError
from fournines.web.roles import Identity

COOKIE = "__Host-fournines"
CSRF_HEADER = "x-csrf-token"
#: Seconds after which a session ends: whatever happens, and without a request.
LONGEST, IDLE = 12 * 3600.0, 2 * 3600.0
SESSIONS = 500
#: Sign-ins that may fail from one address, and from all of them, in so many seconds.
FAILURES, FAILURES_OF_ALL, WITHIN = 5, 50, 60.0
BREAK_GLASS = "serve.token"
SESSIONS_FILE = "serve.sessions"


class TooManyError(FourninesError):
    """Too many sign-ins failed. `after`: seconds until the next may be tried."""

    def __init__(self, after: float) -> None:
        super().__init__("too many sign-ins failed", next=f"try again in {after:.0f} s")
        self.after = after


@dataclass
class Session:
    """began, used: seconds since the epoch."""

    identity: Identity
    csrf: str
    began: float
    used: float


class Sessions:
    """`path`: where they are kept, so that a restart signs nobody out; under digests, so that it opens none."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._sessions: dict[str, Session] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # whoever was signed in signs in again
            for key, kept in json.loads(path.read_text()).items():
                self._sessions[key] = Session(Identity(**kept.pop("identity")), **kept)

    def open(self, identity: Identity) -> tuple[str, Session]:
        now = self._now()
        self._sessions = {key: s for key, s in self._sessions.items() if self._alive(s)}
        while len(self._sessions) >= SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].used)]
        key = secrets.token_urlsafe(32)
        made = self._sessions[_digest(key)] = Session(identity, secrets.token_urlsafe(32), now, now)
        self._save()
        return key, made

    def find(self, key: str) -> Session | None:
        session = self._sessions.get(_digest(key))
        if session is None or not self._alive(session):
            return None
        session.used = self._now()
        return session

    def close(self, key: str) -> None:
        if self._sessions.pop(_digest(key), None):
            self._save()

    def _save(self) -> None:
        write_private(self._path, json.dumps({key: asdict(s) for key, s in self._sessions.items()}))

    def _alive(self, session: Session) -> bool:
        now = self._now()
        return now - session.began < LONGEST and now - session.used < IDLE


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Failures:
    """Of sign-ins, by the address that they come from."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed: deque[tuple[float, str]] = deque()

    def require_few(self, address: str) -> None:
        """Raises TooManyError."""
        now = self._now()
        while self._failed and now - self._failed[0][0] >= WITHIN:
            self._failed.popleft()
        mine = [at for at, whose in self._failed if whose == address]
        if len(mine) >= FAILURES:
            raise TooManyError(WITHIN - (now - mine[0]))
        if len(self._failed) >= FAILURES_OF_ALL:
            raise TooManyError(WITHIN - (now - self._failed[0][0]))

    def note(self, address: str) -> None:
        self._failed.append((self._now(), address))


class Access:
    """`state`: the folder in which sessions are kept."""

    def __init__(self, identities: Identities, break_glass: str, state: Path) -> None:
        self.sessions = Sessions(state / SESSIONS_FILE)
        self.failures = Failures()
        self._identities = identities
        self._break_glass = break_glass

    async def sign_in(
        self, address: str, *, token: str = "", user: str = "", password: str = "", domain: str = ""
    ) -> Identity:
        """With the break-glass token, one of Keystone's, or a password. Raises RefusedError, KeystoneDownError,
        TooManyError."""
        self.failures.require_few(address)
        try:
            if token:
                return await self._by_token(token)
            return await self._identities.by_password(user, password, domain)
        except RefusedError:
            self.failures.note(address)
            raise

    async def by_headers(self, address: str, headers: Mapping[str, str]) -> Identity | None:
        """Of a request without a session; None when it has no token. Raises as `sign_in`."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        token = headers.get("x-auth-token") or (bearer.strip() if scheme.lower() == "bearer" else "")
        return await self.sign_in(address, token=token) if token else None

    async def _by_token(self, token: str) -> Identity:
        if hmac.compare_digest(token.encode(), self._break_glass.encode()):
            return Identity("break-glass", "admin", "break-glass")
        return await self._identities.by_token(token)


def break_glass_token(state_dir: Path) -> tuple[str, Path]:
    """The token, and the file that holds it: made once, for its owner alone to read. Raises FourninesError."""
    path = state_dir / BREAK_GLASS
    try:
        if path.exists():
            if path.stat().st_mode & 0o077:
                raise FourninesError(
                    "others may read the break-glass token",
                    where=str(path),
                    next=f"rm {path}, and start again: it is made anew",
                )
            token = path.read_text().strip()
            if len(token) < 32:
                raise FourninesError("the break-glass token is too short", where=str(path), next=f"rm {path}")
            return token, path
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FourninesError(
            "the break-glass token cannot be read",
            where=str(path),
            why=error.strerror or str(error),
            next="run as its owner",
        ) from error
    token = secrets.token_urlsafe(32)
    write_private(path, token + os.linesep)
    return token, path
