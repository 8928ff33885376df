"""What services want to be known by in Keystone, gathered into one document that one task makes true."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from fournines.cloud.model import Cloud, Region
from fournines.services import endpoints
from fournines.services.accounts import GENERATIONS, Login, logins
from fournines.services.capabilities import Account, Registers, Registration, present
from fournines.services.render import program
from fournines.services.resource import File, Resource, Task

WANTED = "/etc/fournines/registration.json"
SCRIPT = "/usr/lib/fournines/keystone-register"

#: Of accounts whose passwords nobody can guess: locking one for wrong passwords would lock what depends on it.
_OPTIONS = {"ignore_lockout_failure_attempts": True}


def registration(cloud: Cloud, region: Region, own_url: str) -> Iterable[Resource]:
    """For one host: the task that makes all of a region's catalogue entries, projects, roles and accounts, through the
    API at `own_url`, once it answers. Compared in the database, for a probe must not cost a password's hash."""
    yield File(SCRIPT, program("keystone_register.py"), mode=0o755)
    wanted = json.dumps(_document(cloud, region, own_url), indent=2) + "\n"
    yield File(WANTED, wanted, mode=0o600, secret=True)
    yield Task(
        name="keystone registration",
        # What lies on the host while it is probed may be an older document.
        check=f"{SCRIPT} check {hashlib.sha256(wanted.encode()).hexdigest()}",
        script=f"{SCRIPT} apply",
        python=True,
        timeout=300,
    )


def _registrations(cloud: Cloud, region: Region) -> Iterator[Registration]:
    for service in present(cloud, region.name):
        if isinstance(service, Registers):
            yield service.registration(cloud, region)


def _document(cloud: Cloud, region: Region, own_url: str) -> dict[str, Any]:
    parts = list(_registrations(cloud, region))
    accounts = list(dict.fromkeys(a for p in parts for a in p.accounts))
    roles = dict.fromkeys([*(r for p in parts for r in p.roles), *(r for a in accounts for r in a.roles)])
    domains = dict.fromkeys([*(d for p in parts for d in p.domains), *(a.domain for a in accounts)])
    return {
        "url": own_url,
        "region": region.name,
        "password": cloud.secrets.get("keystone.admin"),
        "domains": [d for d in domains if d != "Default"],
        "projects": list(dict.fromkeys(["service", *(name for p in parts for name in p.projects)])),
        "roles": list(roles),
        "administrator": {"name": "admin", "options": _OPTIONS},
        "accounts": [
            _account(account, login)
            for account in accounts
            for login in logins(cloud, account.name, password_of(account))
        ],
        # Of one of these names, and not among the accounts: another generation has taken its place.
        "generations": [
            {"name": f"{re.escape(account.name)}{GENERATIONS}", "domain": account.domain} for account in accounts
        ],
        "services": [
            {
                "type": entry.type,
                "name": entry.name,
                "endpoints": {
                    "internal": endpoints.internal(cloud, region, entry.port, entry.path),
                    "public": endpoints.public(region, entry.port, entry.path),
                },
            }
            for entry in dict.fromkeys(e for p in parts for e in p.catalogue)
        ],
    }


def password_of(account: Account) -> str:
    """Name of the secret."""
    return f"{account.name}.keystone"


def accounts(cloud: Cloud) -> list[Account]:
    """Of all regions."""
    found = (r for region in cloud.regions.values() for r in _registrations(cloud, region))
    return list(dict.fromkeys(account for r in found for account in r.accounts))


def _account(account: Account, login: Login) -> dict[str, Any]:
    marked = json.dumps([login.password, _OPTIONS]).encode()
    return {
        "name": login.name,
        "domain": account.domain,
        "password": login.password,
        "options": _OPTIONS,
        # What Keystone stores of a password takes 0.3 s to compare with. This is of 192 random bits: safe to show.
        "mark": hashlib.sha256(marked).hexdigest()[:32],
        "roles": list(account.roles),
        "on": {"project": "service"} if account.domain == "Default" else {"domain": account.domain},
    }
