"""Nova's cell mappings: cell0 and cell1 as they must be. Other cells are left alone.

    nova-cells check TRANSPORT    `ok`, or the names of those that are missing or different
    nova-cells apply TRANSPORT    makes them so, then says the same

Mappings are templates, which Nova fills in from its own file. TRANSPORT: that of `transport_url`.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import fournines_pymysql

CONFIG = Path("/etc/nova/nova.conf")
_DATABASE = "{scheme}://{username}:{password}@{hostname}:{port}/%s?{query}"


class Mapping(NamedTuple):
    transport: str
    database: str


class Found(NamedTuple):
    uuid: str
    mapping: Mapping


def mappings_for(transport: str) -> dict[str, Mapping]:
    """Name of each cell -> its mapping, as it must be."""
    return {
        "cell0": Mapping("none:///", _DATABASE % "nova_cell0"),
        "cell1": Mapping(transport, _DATABASE % "{path}"),
    }


def mappings() -> dict[str, Found]:
    """Name of each cell -> what Nova's tables have of it."""
    config = configparser.RawConfigParser(strict=False)
    config.read(CONFIG)
    query = "select name, uuid, transport_url, database_connection from cell_mappings"
    (found,) = fournines_pymysql.rows(config["api_database"]["connection"], query)
    return {name: Found(uuid, Mapping(transport, database)) for name, uuid, transport, database in found}


def different(wanted: dict[str, Mapping], found: dict[str, Found]) -> list[str]:
    return [name for name, mapping in wanted.items() if name not in found or found[name].mapping != mapping]


def command(name: str, wanted: Mapping, found: Found | None) -> list[str]:
    """Of Nova's own tool, which makes or changes that cell's mapping."""
    if found:
        options = ["update_cell", "--cell_uuid", found.uuid, "--transport-url", wanted.transport]
    elif name == "cell0":
        options = ["map_cell0"]
    else:
        options = ["create_cell", "--name", name, "--transport-url", wanted.transport]
    return ["nova-manage", "cell_v2", *options, "--database_connection", wanted.database]


def apply(wanted: dict[str, Mapping]) -> None:
    found = mappings()
    for name in different(wanted, found):
        subprocess.run(command(name, wanted[name], found.get(name)), check=True)


def main(words: list[str]) -> None:
    match words:
        case ["check" | "apply" as action, transport]:
            wanted = mappings_for(transport)
            if action == "apply":
                apply(wanted)
            print(", ".join(different(wanted, mappings())) or "ok")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
