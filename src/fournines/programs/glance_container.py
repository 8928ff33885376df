"""Makes the container of images in Swift, as Glance's account. Of no effect when it is there.

SETTINGS: {"account": file that glance_store has the account from, "reference": section of it, "region": name,
"container": name}
"""

from __future__ import annotations

import configparser
import json
from importlib import import_module
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/fournines/glance-container.json")
CA = "/etc/fournines/ca.crt"


def plain(text: str) -> str:
    """As glance_store reads it."""
    return text[1:-1] if text[0] in "\"'" else text


def login(settings: dict[str, str]) -> dict[str, Any]:
    """Arguments of `swiftclient.Connection`."""
    parser = configparser.ConfigParser()
    with Path(settings["account"]).open(encoding="utf-8") as file:
        parser.read_file(file)
    account = parser[settings["reference"]]
    project, _, user = account["user"].partition(":")
    return {
        "authurl": account["auth_address"],
        "user": user,
        "key": plain(account["key"]),
        "tenant_name": project,
        "auth_version": "3",
        "os_options": {
            "user_domain_name": account["user_domain_name"],
            "project_domain_name": account["project_domain_name"],
            "region_name": settings["region"],
            "endpoint_type": "internalURL",
        },
        "cacert": CA,
    }


def main() -> None:
    settings = json.loads(SETTINGS.read_text())
    swift = import_module("swiftclient").Connection(**login(settings))
    swift.put_container(settings["container"])


if __name__ == "__main__":
    main()
