"""A secret as the place that it goes to takes it. Each function gives the text that the program there reads back as the
secret, or raises FourninesError, which names the secret and never shows it.

Secrets are printable ASCII (`cloud.secrets`): nothing here has to deal with line breaks.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from fournines.cloud.secrets import Secret
from fournines.errors import FourninesError


def userinfo(secret: Secret) -> str:
    """In a URL, before the host (RFC 3986, 3.2.1)."""
    return quote(secret, safe="")


def unreserved(secret: Secret, why: str) -> str:
    """In a URL whose reader does not decode it. `why` completes "…, for …"."""
    return _refused(secret, r"[A-Za-z0-9._~-]+", "letters, digits and . _ ~ -", why)


def oslo(secret: Secret) -> str:
    """oslo.config: `$` begins a substitution, and a pair of quotes is taken off."""
    text = secret.replace("$", "$$")
    return f'"{text}"' if text[0] in "\"'" else text


def interpolated(secret: Secret) -> str:
    """Python's ConfigParser."""
    return secret.replace("%", "%%")


def glance_reference(secret: Secret) -> str:
    """glance_store's file of Swift accounts: a ConfigParser that takes quotes off."""
    text = interpolated(secret)
    return f'"{text}"' if text[0] in "\"'" else text


def paste(secret: Secret) -> str:
    """Swift's own reading of a paste.deploy file: nothing is decoded, unless there is a `%(`."""
    if "%(" in secret:
        raise _error(secret, "cannot have a `%(`", "Swift's proxy takes it for a reference to another option")
    return secret


def rabbitmq(secret: Secret) -> str:
    """`rabbitmq.conf`: a `#` begins a comment, a `:` ends the name of an encryption."""
    return _refused(secret, r"[^#:'\"\\ ]+", "printable characters except # : ' \" \\ and blanks", "rabbitmq.conf")


def valkey(secret: Secret) -> str:
    """An argument of `valkey.conf`."""
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
    return secret if re.fullmatch(r"[A-Za-z0-9._~-]+", secret) else f'"{escaped}"'


def _refused(secret: Secret, pattern: str, allowed: str, why: str) -> str:
    if not re.fullmatch(pattern, secret):
        raise _error(secret, f"may hold {allowed} only", why)
    return secret


def _error(secret: Secret, what: str, why: str) -> FourninesError:
    return FourninesError(
        f"The secret {secret.name} {what}",
        where=secret.file,
        why=f"it goes into {why}" if " " not in why else why,
        next=f"give {secret.name} another value, or remove it there: a new one is made",
    )
