"""OpenStack's APIs, asked with a token of a service's own account.

    openstack-get CONFIG URL...             exits 0 when each is answered with 2xx; else says which was not, and how
    openstack-get --none KEY CONFIG URL     `ok` when the list KEY of the answer is empty, else how many it has
    openstack-get --delete KEY CONFIG URL   deletes each of that list, by its id

CONFIG: a file with the account, in [keystone_authtoken] or, as Swift has it, in [filter:authtoken]. PROJECT in a URL
stands for the id of the account's project.
"""

from __future__ import annotations

import configparser
import json
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

CA = "/etc/fournines/ca.crt"


class Answer(NamedTuple):
    url: str
    headers: dict[str, str]  # of the request
    body: bytes


@cache
def direct() -> urllib.request.OpenerDirector:
    """Past every proxy."""
    trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=CA))
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), trust)


def call(url: str, headers: Mapping[str, str], body: bytes | None = None, method: str | None = None) -> Any:
    """The reply. Raises SystemExit with what the API said, or why it said nothing."""
    request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310 - of the cloud file
    try:
        return direct().open(request, timeout=10)
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.reason}: {error.read(300).decode(errors='replace').strip()}")
    except OSError as error:
        sys.exit(f"{url}: {error}")


def plain(text: str) -> str:
    """As oslo.config reads it."""
    return (text[1:-1] if text[0] in "\"'" and text[0] == text[-1] else text).replace("$$", "$")


def account(path: str) -> tuple[str, dict[str, Any]]:
    """Keystone's URL, and what the account in the file `path` asks it for."""
    config = configparser.RawConfigParser(strict=False)
    config.read(path)
    oslo = "keystone_authtoken" in config
    own = config["keystone_authtoken" if oslo else "filter:authtoken"]
    password = plain(own["password"]) if oslo else own["password"]
    user = {"name": own["username"], "domain": {"name": own["user_domain_name"]}, "password": password}
    scope = {"project": {"name": own["project_name"], "domain": {"name": own["project_domain_name"]}}}
    wanted = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    return own["auth_url"], wanted


def token(path: str) -> tuple[str, str]:
    """Of the account in the file `path`, and its project's id."""
    keystone, wanted = account(path)
    headers = {"Content-Type": "application/json"}
    with call(f"{keystone}/auth/tokens", headers, json.dumps(wanted).encode()) as reply:
        return reply.headers["X-Subject-Token"], json.load(reply)["token"]["project"]["id"]


def asked(config: str, urls: list[str]) -> Iterator[Answer]:
    mine, project = token(config)
    # Of Nova alone: from 2.53 its services have ids that hold in every cell. Cinder refuses the header that names a
    # service.
    headers = {"X-Auth-Token": mine, "Accept": "application/json", "X-OpenStack-Nova-API-Version": "2.53"}
    for url in urls:
        with call(url.replace("PROJECT", project), headers) as reply:
            yield Answer(url, headers, reply.read())


def main(words: list[str]) -> None:
    match words:
        case ["--none" | "--delete" as action, key, config, url]:
            (answer,) = asked(config, [url])
            found = json.loads(answer.body)[key]
            if action == "--none":
                print(f"{len(found)} {key}" if found else "ok")
                return
            for each in found:
                call(f"{url.partition('?')[0]}/{each['id']}", answer.headers, method="DELETE").close()
        case [config, *urls] if urls and not config.startswith("--"):
            for _ in asked(config, urls):
                pass
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
