"""keystone-register check SHA256|apply: compare Keystone's tables with registration.json (that of this digest), or make
what is missing by its API.

`check` prints `ok`, or what is missing. `apply` waits up to 150 s for an API that is starting. Managed by fournines.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import re
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

WANTED = Path("/etc/fournines/registration.json")
CA = "/etc/fournines/ca.crt"
STARTS = 150.0  # seconds
MARK = "Managed by fournines: "
#: What Keystone stores for an account's password begins so: bcrypt, of the fewest rounds that it has (2^4).
#: Keystone makes 2^12, a quarter of a second of CPU for each sign-in. They are there for passwords that can be guessed;
#: those of accounts are 192 random bits. Every process of every service signs in as its host starts.
HASHED = "$2b$04$"
ROUNDS = 4

Document = dict[str, Any]
Body = dict[str, Any]


# What is there, by the database


def connect() -> Any:
    """To Keystone's own database, as Keystone does."""
    config = configparser.RawConfigParser(strict=False)
    config.read("/etc/keystone/keystone.conf")
    url = config["database"]["connection"]
    return import_module("fournines_pymysql").at(url, connect_timeout=3, read_timeout=5)


def rows(cursor: Any, query: str) -> Any:
    cursor.execute(query)
    return cursor.fetchall()


def hashes(cursor: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """(name, domain's id) of a user -> id of its latest password, and what is stored of that."""
    query = (
        "select l.name, l.domain_id, p.id, p.password_hash from local_user l join password p on p.local_user_id = l.id"
        " order by p.created_at_int, p.id"
    )
    return {(name, domain): (str(id), hashed or "") for name, domain, id, hashed in rows(cursor, query)}


def missing(wanted: Document, cursor: Any) -> Iterator[str]:
    projects = {
        (name, bool(is_domain)): id for id, name, is_domain in rows(cursor, "select id, name, is_domain from project")
    }
    domains = {id: name for (name, is_domain), id in projects.items() if is_domain}
    roles = {name: id for id, name in rows(cursor, "select id, name from role where domain_id = '<<null>>'")}
    users = {
        (name, domains.get(domain)): (id, description(extra))
        for id, name, domain, extra in rows(
            cursor, "select u.id, l.name, l.domain_id, u.extra from user u join local_user l on l.user_id = u.id"
        )
    }
    grants = set(rows(cursor, "select actor_id, target_id, role_id from assignment"))
    exempt = {
        id
        for (id,) in rows(cursor, "select user_id from user_option where option_id = '1002' and option_value = 'true'")
    }
    endpoints = set(
        rows(
            cursor,
            "select s.type, e.interface, e.url, e.region_id from endpoint e join service s on s.id = e.service_id"
            " where e.enabled",
        )
    )
    stored = {(name, domains.get(domain)): hashed for (name, domain), (_, hashed) in hashes(cursor).items()}

    yield from (f"domain {name}" for name in wanted["domains"] if (name, True) not in projects)
    yield from (f"project {name}" for name in wanted["projects"] if (name, False) not in projects)
    yield from (f"role {name}" for name in wanted["roles"] if name not in roles)
    if users.get((wanted["administrator"]["name"], "Default"), (None, ""))[0] not in exempt:
        yield "options of the administrator"
    for account in wanted["accounts"]:
        known = (account["name"], account["domain"])
        id, described = users.get(known, (None, ""))
        kind, target = next(iter(account["on"].items()))
        on = projects.get((target, kind == "domain"))
        if described != MARK + account["mark"]:
            yield f"account {account['name']}"
        elif {roles.get(r) for r in account["roles"]} != {r for who, where, r in grants if (who, where) == (id, on)}:
            yield f"roles of {account['name']}"
        elif slow(stored.get(known, "")):
            yield f"password of {account['name']} takes long to compare with"
    for (name, domain), (_, described) in users.items():
        if replaced(wanted, name, domain, described):
            yield f"account {name} is of an earlier rotation"
    for service in wanted["services"]:
        for interface, url in service["endpoints"].items():
            if (service["type"], interface, url, wanted["region"]) not in endpoints:
                yield f"{interface} endpoint of {service['name']}"


def slow(hashed: str) -> bool:
    """Whether comparing with it takes bcrypt more rounds than it has to. Another algorithm is an operator's choice."""
    return hashed.startswith("$2") and not hashed.startswith(HASHED)


def description(extra: str | None) -> str:
    """Of what the table `user` has as its JSON."""
    return json.loads(extra or "{}").get("description") or ""


def replaced(wanted: Document, name: str, domain: str | None, described: str) -> bool:
    """Whether that user is an account of ours whose place another generation has taken."""
    return (
        described.startswith(MARK)
        and (name, domain) not in {(a["name"], a["domain"]) for a in wanted["accounts"]}
        and any(domain == old["domain"] and re.fullmatch(old["name"], name) for old in wanted["generations"])
    )


# What makes it so, by the API


class Api:
    """Keystone of this host, as administrator. Raises OSError; HTTPError, which is one, where it refuses."""

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        trust = ssl.create_default_context(cafile=CA)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        self._token = ""
        self._token = self._call("POST", "/auth/tokens", auth)[1]["X-Subject-Token"]

    def _call(self, method: str, path: str, body: Body | None = None) -> tuple[Any, Any]:
        headers = {"Content-Type": "application/json", **({"X-Auth-Token": self._token} if self._token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310 - of the cloud file
        with self._opener.open(request, timeout=30) as reply:
            said = reply.read()
            return (json.loads(said) if said else {}), reply.headers

    def all(self, kind: str, path: str = "") -> list[Any]:
        return self._call("GET", path or f"/{kind}")[0][kind]

    def make(self, kind: str, body: Body) -> Any:
        return self._call("POST", f"/{kind}", {kind[:-1]: body})[0][kind[:-1]]

    def change(self, kind: str, id: str, body: Body) -> None:
        self._call("PATCH", f"/{kind}/{id}", {kind[:-1]: body})

    def put(self, path: str) -> None:
        self._call("PUT", path)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)


def signed_in(wanted: Document) -> Api:
    """Once the API answers."""
    deadline = time.monotonic() + STARTS
    while True:
        try:
            return Api(wanted["url"], wanted["password"])
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{wanted['url']}: {error}")
            time.sleep(0.5)


def ensure(
    api: Api, kind: str, names: Iterable[str], body: Callable[[str], Body] = lambda name: {"name": name}
) -> dict[str, str]:
    """name -> id of all, after making the missing."""
    found = {item["name"]: item["id"] for item in api.all(kind) if item.get("domain_id") in (None, "default")}
    for name in names:
        if name not in found:
            found[name] = api.make(kind, body(name))["id"]
    return found


def register(wanted: Document, api: Api) -> None:
    domains = ensure(api, "domains", wanted["domains"])
    projects = ensure(api, "projects", wanted["projects"], lambda name: {"name": name, "domain_id": "default"})
    roles = ensure(api, "roles", wanted["roles"])
    users = {(user["name"], user["domain_id"]): user for user in api.all("users")}
    for account in wanted["accounts"]:
        user = registered(api, account, domains[account["domain"]], users)
        kind, target = next(iter(account["on"].items()))
        on = f"/projects/{projects[target]}" if kind == "project" else f"/domains/{domains[target]}"
        has = {role["id"] for role in api.all("roles", f"{on}/users/{user['id']}/roles")}
        needs = {roles[role] for role in account["roles"]}
        for role in needs - has:
            api.put(f"{on}/users/{user['id']}/roles/{role}")
        # What it had under an earlier version, or was given since, is more than it needs.
        for role in has - needs:
            api.delete(f"{on}/users/{user['id']}/roles/{role}")
    named = {id: name for name, id in domains.items()}
    for (name, domain), user in users.items():
        if replaced(wanted, name, named.get(domain), user.get("description") or ""):
            api.delete(f"/users/{user['id']}")
    admin = wanted["administrator"]
    mine = users[admin["name"], domains["Default"]]
    if any(mine.get("options", {}).get(name) != value for name, value in admin["options"].items()):
        api.change("users", mine["id"], {"options": admin["options"]})
    catalogue(wanted, api)


def registered(api: Api, account: Document, domain: str, users: dict[tuple[str, str], Any]) -> Any:
    """The account's user, made or changed where it is not as wanted."""
    said = {
        "description": MARK + account["mark"],
        "password": account["password"],
        "enabled": True,
        "options": account["options"],
    }
    user = users.get((account["name"], domain))
    if user is None:
        return api.make("users", {"name": account["name"], "domain_id": domain, **said})
    if user.get("description") != said["description"]:
        api.change("users", user["id"], said)
    return user


def catalogue(wanted: Document, api: Api) -> None:
    services = {service["type"]: service["id"] for service in api.all("services")}
    present = api.all("endpoints")
    for service in wanted["services"]:
        kind = service["type"]
        if kind not in services:
            services[kind] = api.make("services", {"type": kind, "name": service["name"]})["id"]
        for interface, url in service["endpoints"].items():
            of = (services[kind], interface, wanted["region"])
            same = [e for e in present if (e["service_id"], e["interface"], e["region_id"]) == of]
            if not same:
                made = {"service_id": of[0], "interface": interface, "url": url, "region_id": wanted["region"]}
                api.make("endpoints", made)
            elif same[0]["url"] != url or not same[0]["enabled"]:
                api.change("endpoints", same[0]["id"], {"url": url, "enabled": True})


# What its API cannot make


def hash_again(wanted: Document, cursor: Any) -> None:
    """Stores of each account's password what is quick to compare with, where what is stored is of that password."""
    bcrypt: Any = import_module("bcrypt")
    domains = {name: id for id, name in rows(cursor, "select id, name from project where is_domain")}
    stored = hashes(cursor)
    for account in wanted["accounts"]:
        id, hashed = stored.get((account["name"], domains.get(account["domain"], "")), ("", ""))
        password = account["password"].encode()
        if slow(hashed) and bcrypt.checkpw(password, hashed.encode()):
            quick = bcrypt.hashpw(password, bcrypt.gensalt(ROUNDS)).decode()
            cursor.execute("update password set password_hash = %s where id = %s", (quick, id))


def main() -> None:
    document = WANTED.read_bytes()
    wanted = json.loads(document)
    if sys.argv[1] == "check":
        if hashlib.sha256(document).hexdigest() != sys.argv[2]:
            print("another document")
            return
        with connect() as connection, connection.cursor() as cursor:
            print(", ".join(missing(wanted, cursor)) or "ok")
        return
    try:
        register(wanted, signed_in(wanted))
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.url}: {error.code}: {error.read(500).decode(errors='replace')}")
    with connect() as connection, connection.cursor() as cursor:
        hash_again(wanted, cursor)
        connection.commit()


if __name__ == "__main__":
    main()
