"""The broker's vhosts, accounts and permissions.

    rabbitmq-definitions check SHA256    `ok`, or what is missing or too many, by SETTINGS, whose digest must be that
    rabbitmq-definitions apply           makes them so, then says the same

`apply` waits up to 150 s for a broker that is starting, and sets the administrator's password where another one is
refused.

SETTINGS: {"url": of the definitions in the management API, "cafile": path or null, "user" and "password" of the
administrator, "generations": [patterns of names that an account of ours had or will have], "definitions": {"vhosts",
"users", "permissions"}, as RabbitMQ has them}
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/fournines/rabbitmq.json")
#: Tag of a compute's accounts: those of hosts that are gone are deleted.
OF_HOST = "host"
STARTS = 150.0  # seconds for a broker that starts to answer
#: What is compared of each kind.
KEYS = {
    "vhosts": ("name",),
    "users": ("name", "password_hash"),
    "permissions": ("user", "vhost", "configure", "write", "read"),
}
UNAUTHORIZED = 401


class Api:
    """The management API. What it is asked raises OSError; HTTPError, which is one, where the broker refuses."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._url = wanted["url"]
        login = base64.b64encode(f"{wanted['user']}:{wanted['password']}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        trust = ssl.create_default_context(cafile=wanted["cafile"]) if wanted["cafile"] else None
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )

    def _call(self, url: str, method: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(url, body, self._headers, method=method)  # noqa: S310 - of the cloud file
        with self._opener.open(request, timeout=10) as reply:
            return reply.read()

    def definitions(self) -> dict[str, Any]:
        return json.loads(self._call(self._url, "GET"))

    def post(self, definitions: dict[str, Any]) -> None:
        self._call(self._url, "POST", json.dumps(definitions).encode())

    def delete_user(self, name: str) -> None:
        self._call(self._url.replace("definitions", f"users/{name}"), "DELETE")


def gone(wanted: dict[str, Any], present: dict[str, Any]) -> list[str]:
    """Accounts of computes that the cloud no longer has, and those whose place another generation has taken."""
    names = {user["name"] for user in wanted["definitions"]["users"]}
    old = re.compile("|".join(wanted["generations"]))
    return [
        user["name"]
        for user in present["users"]
        if user["name"] not in names and (OF_HOST in user["tags"] or old.fullmatch(user["name"]))
    ]


def differences(wanted: dict[str, Any], present: dict[str, Any]) -> Iterator[str]:
    for kind, keys in KEYS.items():
        have = {tuple(item[key] for key in keys) for item in present[kind]}
        for item in wanted["definitions"][kind]:
            if tuple(item[key] for key in keys) not in have:
                yield f"{kind} {item[keys[0]]}"
    yield from (f"{name} is of no host, or of an earlier rotation" for name in gone(wanted, present))


def missing(wanted: dict[str, Any], api: Api) -> str:
    try:
        present = api.definitions()
    except urllib.error.HTTPError as error:
        if error.code != UNAUTHORIZED:
            raise
        return f"the password of {wanted['user']}"
    return ", ".join(differences(wanted, present)) or "ok"


def control(*words: str, text: str | None = None, check: bool = True) -> int:
    """The exit status of RabbitMQ's own tool, which reads `text`."""
    command = ["rabbitmqctl", "-q", *words]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=check).returncode


def administrator(name: str, password: str) -> None:
    """Who posts the rest. The broker makes it at its very first start alone, with the password of that time."""
    if control("change_password", name, text=f"{password}\n", check=False):
        control("add_user", name, text=f"{password}\n")
    control("set_user_tags", name, "administrator")


def apply(wanted: dict[str, Any], api: Api) -> None:
    deadline = time.monotonic() + STARTS
    while True:
        try:
            api.post(wanted["definitions"])
            break
        except urllib.error.HTTPError as error:
            if error.code != UNAUTHORIZED or time.monotonic() > deadline:
                raise
            administrator(wanted["user"], wanted["password"])
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    for name in gone(wanted, api.definitions()):
        api.delete_user(name)


def main(words: list[str]) -> None:
    document = SETTINGS.read_bytes()
    wanted = json.loads(document)
    match words:
        case ["check", digest]:
            if hashlib.sha256(document).hexdigest() != digest:
                print("another document")
                return
        case ["apply"]:
            apply(wanted, Api(wanted))
        case _:
            sys.exit(__doc__)
    print(missing(wanted, Api(wanted)))


if __name__ == "__main__":
    main(sys.argv[1:])
