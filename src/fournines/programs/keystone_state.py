"""What Keystone's tables hold of what every cloud begins with.

    keystone-state bootstrap REGION INTERNAL PUBLIC MARK    `ok`, or what is missing or different

INTERNAL, PUBLIC: URLs of the identity service's endpoints. MARK: of the administrator's password; APPLIED holds that of
the one which Keystone was last given. The database's address is the one that Keystone has.
"""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from typing import Any

import fournines_pymysql

CONFIG = Path("/etc/keystone/keystone.conf")
APPLIED = Path("/var/lib/fournines/keystone-admin")
_ENDPOINTS = """select e.interface, e.url, e.region_id from endpoint e join service s on s.id = e.service_id
where s.type = 'identity' and e.enabled"""
_ADMINISTRATORS = """select 1 from local_user l join assignment a on a.actor_id = l.user_id
join role r on r.id = a.role_id where l.name = 'admin' and r.name = 'admin'"""


def rows(query: str) -> set[tuple[Any, ...]]:
    config = configparser.RawConfigParser(strict=False)
    config.read(CONFIG)
    (found,) = fournines_pymysql.rows(config["database"]["connection"], query)
    return set(found)


def bootstrap(region: str, internal: str, public: str, mark: str) -> str:
    wanted = {("internal", internal, region), ("public", public, region)}
    if not wanted <= rows(_ENDPOINTS):
        return "endpoints missing or different"
    if not rows(_ADMINISTRATORS):
        return "no administrator"
    applied = APPLIED.exists() and APPLIED.read_text().strip() == mark
    return "ok" if applied else "another password of the administrator"


def main(words: list[str]) -> None:
    match words:
        case ["bootstrap", region, internal, public, mark]:
            print(bootstrap(region, internal, public, mark))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
