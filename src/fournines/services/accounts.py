"""Accounts whose password is rotated by a second account: where a server keeps one password for each name.

The first generation has the plain name, later ones the number of theirs after it: `nova`, `nova.2`. In the middle of a
rotation both exist, with the same rights; whoever signs in changes over, and then the old one is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fournines.cloud.model import Cloud
from fournines.cloud.secrets import Secret

#: After the base of a name, as a regular expression.
GENERATIONS = r"(\.\d+)?"


@dataclass(frozen=True)
class Login:
    name: str
    password: Secret = field(repr=False)


def in_use(cloud: Cloud, base: str, secret: str) -> Login:
    """By which clients sign in. secret: name of the password."""
    return Login(_name(base, cloud.secrets.generation(secret)), cloud.secrets.get(secret))


def logins(cloud: Cloud, base: str, secret: str) -> list[Login]:
    """All that the server has to know, oldest first: the same list before and after clients change over."""
    found = {cloud.secrets.generation(secret): in_use(cloud, base, secret)}
    if (other := cloud.secrets.other(secret)) is not None:
        generation = cloud.secrets.generation(secret, other=True)
        found[generation] = Login(_name(base, generation), other)
    return [found[generation] for generation in sorted(found)]


def _name(base: str, generation: int) -> str:
    return base if generation == 1 else f"{base}.{generation}"
