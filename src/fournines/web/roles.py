"""Who may do what. A role may do all that those before it may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from fournines.errors import UsageError

#: In the order of what they may. reader: sees everything but secrets. operator: plans, smoke tests, logs. admin:
#: changes hosts and injects faults.
Role = Literal["reader", "operator", "admin"]
ROLES: tuple[Role, ...] = ("reader", "operator", "admin")

#: Keystone's role -> what it may here. Those that `keystone-manage bootstrap` makes.
KEYSTONE: Mapping[str, Role] = {"reader": "reader", "member": "reader", "manager": "operator", "admin": "admin"}


@dataclass(frozen=True, slots=True)
class Identity:
    """how: `keystone` or `break-glass`."""

    name: str
    role: Role
    how: str

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)


def best(names: Iterable[str], mapping: Mapping[str, Role]) -> Role | None:
    """The most that any of Keystone's roles `names` gives; None: nothing at all."""
    found = {mapping[name] for name in names if name in mapping}
    return next((role for role in reversed(ROLES) if role in found), None)


def mapping(pairs: Iterable[str]) -> Mapping[str, Role]:
    """`KEYSTONE_ROLE=ROLE`, as typed after `--role`; without any, Keystone's default roles. Raises UsageError."""
    found: dict[str, Role] = {}
    for pair in pairs:
        name, _, wanted = pair.partition("=")
        role: Role | None = next((r for r in ROLES if r == wanted), None)
        if not name or role is None:
            raise UsageError(f"--role {pair} is not KEYSTONE_ROLE=ROLE", next=f"ROLE is one of {', '.join(ROLES)}")
        found[name] = role
    return found or KEYSTONE
