"""Fernet keys of a cloud, as keystone reads them: index 0 is staged (it decrypts, and will be the next primary), the
highest index is primary (it encrypts), those between decrypt what they once encrypted.

Because the staged key is on every host before it becomes primary, hosts may change over in any order and at any time:
whatever one of them encrypts, all others can already decrypt. A key is dropped only when no token that it encrypted can
still be used, however often the operator rotates.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from fournines.cloud.model import Cloud

SECRET = "keystone.fernet-keys"  # noqa: S105 - a secret's name
CREDENTIAL_SECRET = "keystone.credential-keys"  # noqa: S105
MAX_ACTIVE_KEYS = 3


def new_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class FernetKeys:
    """`files`: index -> key. `retired`: index -> when it stopped being primary, seconds since the epoch."""

    files: dict[int, str] = field(repr=False)
    retired: dict[int, float]

    @property
    def primary(self) -> int:
        return max(self.files)


def rotated(
    keys: FernetKeys, now: float, usable: float, max_active: int = MAX_ACTIVE_KEYS, new: Callable[[], str] = new_key
) -> FernetKeys:
    """The staged key becomes primary and a new one is staged.

    The oldest are dropped down to `max_active`, except those that encrypted a token less than `usable` seconds ago.
    """
    files = {**keys.files, keys.primary + 1: keys.files[0], 0: new()}
    retired = {**keys.retired, keys.primary: now}
    for index in sorted(retired):
        if len(files) > max_active and now - retired[index] >= usable:
            del files[index], retired[index]
    return FernetKeys(files, retired)


def dumps(keys: FernetKeys) -> str:
    return json.dumps({"files": keys.files, "retired": keys.retired})


def loads(text: str) -> FernetKeys:
    stored = json.loads(text)
    return FernetKeys(
        {int(i): str(k) for i, k in stored["files"].items()}, {int(i): float(t) for i, t in stored["retired"].items()}
    )


def keys(cloud: Cloud) -> FernetKeys:
    """The cloud's own, made on first use: one staged, one primary."""
    return loads(cloud.secrets.get(SECRET, lambda: dumps(FernetKeys({0: new_key(), 1: new_key()}, {}))))


def credential_keys(cloud: Cloud) -> dict[int, str]:
    """Keys that encrypt stored credentials (EC2, TOTP): same layout, rotated by re-encrypting, not by time."""
    stored = cloud.secrets.get(CREDENTIAL_SECRET, lambda: dumps(FernetKeys({0: new_key(), 1: new_key()}, {})))
    return loads(stored).files
