"""Computes in their cells, and host aggregates, as SETTINGS has them.

    nova-hosts check SHA256    `ok`, or what differs in Nova's tables from SETTINGS, whose digest must be that
    nova-hosts apply           makes them so, then says the same

`apply` waits up to 150 s for computes that have not reported, then makes the rest by Nova's API.

SETTINGS: {"identity" and "compute": URLs of Keystone's and Nova's APIs, "hosts": [names of computes], "aggregates":
{name: {"zone": availability zone or "", "project": name or "", "hosts": [names]}}}
"""

from __future__ import annotations

import configparser
import hashlib
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import fournines_pymysql

SETTINGS = Path("/etc/fournines/nova-hosts.json")
CONFIG = Path("/etc/nova/nova.conf")
CA = "/etc/fournines/ca.crt"
#: Key, in an aggregate's metadata, of those that are made here: the others are the operator's. Its value is what is
#: their own, a project's name or `zone`.
MARK = "fournines"
REPORTS = 150.0  # seconds for computes to report

Document = dict[str, Any]


class Aggregate(NamedTuple):
    number: int
    metadata: dict[str, str]
    hosts: set[str]


ABSENT = Aggregate(0, {}, set())


@cache
def configuration() -> configparser.RawConfigParser:
    config = configparser.RawConfigParser(strict=False)
    config.read(CONFIG)
    return config


# What is there, by the database


def rows(section: str, *queries: str) -> list[list[tuple[Any, ...]]]:
    return fournines_pymysql.rows(configuration()[section]["connection"], *queries)


def aggregates() -> dict[str, Aggregate]:
    named, described, members = rows(
        "api_database",
        "select id, name from aggregates",
        "select aggregate_id, `key`, value from aggregate_metadata",
        "select aggregate_id, host from aggregate_hosts",
    )
    return {
        name: Aggregate(
            number,
            {key: value for of, key, value in described if of == number},
            {host for of, host in members if of == number},
        )
        for number, name in named
    }


def unmapped(wanted: Document) -> set[str]:
    (mapped,) = rows("api_database", "select host from host_mappings")
    return set(wanted["hosts"]) - {host for (host,) in mapped}


def differences(wanted: Document) -> Iterator[str]:
    for host in sorted(unmapped(wanted)):
        yield f"{host} is in no cell"
    found = aggregates()
    for name, aggregate in wanted["aggregates"].items():
        _, metadata, hosts = found.get(name, ABSENT)
        zone, project = aggregate["zone"], aggregate["project"]
        if MARK not in metadata or metadata.get("availability_zone", "") != zone:
            yield f"aggregate {name}"
        elif metadata[MARK] != (project or "zone") or bool(project) != ("filter_tenant_id" in metadata):
            yield f"metadata of {name}"
        elif hosts != set(aggregate["hosts"]):
            yield f"hosts of {name}"
    for name, (_, metadata, _) in found.items():
        if MARK in metadata and name not in wanted["aggregates"]:
            yield f"aggregate {name} too many"


# What makes it so


@cache
def direct() -> urllib.request.OpenerDirector:
    """Past every proxy."""
    trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=CA))
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), trust)


def call(method: str, url: str, body: object = None, token: str = "") -> tuple[Any, Message]:
    """What the API says, and the headers of that. Raises OSError; HTTPError, which is one, where it refuses."""
    headers = {"Content-Type": "application/json", **({"X-Auth-Token": token} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - of the cloud file
    with direct().open(request, timeout=60) as reply:
        said = reply.read()
        return (json.loads(said) if said else {}), reply.headers


def plain(text: str) -> str:
    """As oslo.config reads it."""
    return (text[1:-1] if text[0] in "\"'" and text[0] == text[-1] else text).replace("$$", "$")


class Api:
    """Nova's and Keystone's, as the account that Nova itself has."""

    def __init__(self, wanted: Document) -> None:
        own = configuration()["keystone_authtoken"]
        password = plain(own["password"])
        user = {"name": own["username"], "domain": {"name": own["user_domain_name"]}, "password": password}
        scope = {"project": {"name": own["project_name"], "domain": {"name": own["project_domain_name"]}}}
        auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        self._identity, self._compute = wanted["identity"], wanted["compute"]
        self._token = call("POST", f"{self._identity}/auth/tokens", auth)[1]["X-Subject-Token"] or ""

    def _nova(self, method: str, path: str = "", body: object = None) -> Any:
        return call(method, f"{self._compute}/os-aggregates{path}", body, self._token)[0]

    def make(self, name: str) -> int:
        """The number of an aggregate of that name."""
        return self._nova("POST", body={"aggregate": {"name": name}})["aggregate"]["id"]

    def act(self, number: int, action: str, **said: object) -> None:
        self._nova("POST", f"/{number}/action", {action: said})

    def delete(self, number: int) -> None:
        self._nova("DELETE", f"/{number}")

    def project(self, name: str) -> str:
        """Its id."""
        url = f"{self._identity}/projects?domain_id=default&name={quote(name)}"
        found = call("GET", url, token=self._token)[0]["projects"]
        if not found:
            sys.exit(f"there is no project {name} in the default domain: openstack project create {name}")
        return found[0]["id"]


def manage(*command: str) -> int:
    """Nova's own tool, as Nova's user. Its exit status."""
    words = ["runuser", "-u", "nova", "--", "nova-manage", *command]
    return subprocess.run(words, stdout=sys.stderr, check=False).returncode


def discover(wanted: Document) -> None:
    """Into their cells, once all have reported; what has not is said in the end."""
    deadline = time.monotonic() + REPORTS
    while missing := unmapped(wanted):
        (reported,) = rows("database", "select host from compute_nodes where deleted = 0")
        here = {host for (host,) in reported}
        if missing <= here or (time.monotonic() > deadline and missing & here):
            manage("cell_v2", "discover_hosts")
        if time.monotonic() > deadline:
            return
        time.sleep(1)


def arrange(wanted: Document, api: Api) -> None:
    """Hosts leave their old aggregates first: one that is in two availability zones is refused."""
    mapped = set(wanted["hosts"]) - unmapped(wanted)
    found = aggregates()
    for name, (number, metadata, hosts) in found.items():
        keep = set(wanted["aggregates"].get(name, {"hosts": ()})["hosts"])
        if MARK in metadata:
            for host in sorted(hosts - keep):
                api.act(number, "remove_host", host=host)
            if name not in wanted["aggregates"]:
                api.delete(number)
    for name, aggregate in wanted["aggregates"].items():
        number, metadata, hosts = found.get(name, ABSENT)
        number = number or api.make(name)
        project = aggregate["project"]
        tenant = api.project(project) if project else None
        said = {MARK: project or "zone", "availability_zone": aggregate["zone"] or None, "filter_tenant_id": tenant}
        changed = {key: value for key, value in said.items() if metadata.get(key) != value}
        if changed:
            api.act(number, "set_metadata", metadata=changed)
        for host in sorted((set(aggregate["hosts"]) & mapped) - hosts):
            api.act(number, "add_host", host=host)


def apply(wanted: Document) -> None:
    try:
        discover(wanted)
        arrange(wanted, Api(wanted))
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.url}: {error.code}: {error.read(500).decode(errors='replace')}")
    # Placement learns of an aggregate's host only if it knew the host when this was added.
    for _ in range(3):
        if manage("placement", "sync_aggregates") == 0:
            break
        time.sleep(10)
    if silent := unmapped(wanted):
        names = ", ".join(sorted(silent))
        sys.exit(f"no compute service has reported from {names}: systemctl status nova-compute there")


def main(words: list[str]) -> None:
    document = SETTINGS.read_bytes()
    wanted = json.loads(document)
    match words:
        case ["check", digest]:
            if hashlib.sha256(document).hexdigest() != digest:
                print("another document")
                return
        case ["apply"]:
            apply(wanted)
        case _:
            sys.exit(__doc__)
    print(", ".join(differences(wanted)) or "ok")


if __name__ == "__main__":
    main(sys.argv[1:])
