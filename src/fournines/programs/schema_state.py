"""Whether databases have the tables that the installed packages want.

    schema-state    NAME=STATE of every database that SETTINGS describes, on one line

STATE is `ok` when the database is at the heads of the migrations that the package has (alembic's); of one branch of
them, where that is all that is wanted.

SETTINGS/NAME.json: {"config": file, "section" and "option": where in it the database's URL is, "versions": folder of
the migrations below PACKAGES, "branch": folder's name, left out where all are wanted}
"""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import fournines_pymysql
import pymysql

SETTINGS = Path("/etc/fournines/schema")
PACKAGES = Path("/usr/lib/python3/dist-packages")
_REVISION = re.compile(r"^revision(?:\s*:[^=\n]+)?\s*=\s*['\"](\w+)", re.MULTILINE)
#: Alembic keeps no row of a revision that another one follows or depends on.
_FOLLOWS = re.compile(r"^(?:down_revision|depends_on)(?:\s*:[^=\n]+)?\s*=\s*(\([^)]*\)|[^\n]*)", re.MULTILINE)


def heads(folder: Path, branch: str = "") -> set[str]:
    """Revisions below `folder` that no other one follows. branch: name of the folder that alone counts."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for path in folder.rglob("*.py"):
        if branch and branch != path.parent.name:
            continue
        text = path.read_text()
        if found := _REVISION.search(text):
            revisions.add(found[1])
            followed.update(re.findall(r"['\"](\w+)['\"]", "".join(_FOLLOWS.findall(text))))
    return revisions - followed


def stored(url: str) -> set[str]:
    """Revisions that the database is at; none where it has no tables. Raises OSError or pymysql.Error."""
    with fournines_pymysql.at(url, connect_timeout=3, read_timeout=5) as connection, connection.cursor() as cursor:
        if not cursor.execute("show tables like 'alembic_version'"):
            return set()
        cursor.execute("select version_num from alembic_version")
        return {version for (version,) in cursor.fetchall()}


def state(described: dict[str, Any]) -> str:
    config = configparser.RawConfigParser(strict=False)
    if not config.read(described["config"]):
        return "no-configuration"
    try:
        found = stored(config[described["section"]][described["option"]])
    except (OSError, pymysql.Error):
        return "no-database"
    branch = described.get("branch", "")
    wanted = heads(PACKAGES / described["versions"], branch)
    if not found:
        return "no-tables"
    there = wanted <= found if branch else wanted == found
    return "ok" if wanted and there else "other-version"


def main() -> None:
    described = sorted(SETTINGS.glob("*.json"))
    print(*(f"{path.stem}={state(json.loads(path.read_text()))}" for path in described))


if __name__ == "__main__":
    main()
