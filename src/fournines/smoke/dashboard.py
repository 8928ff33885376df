"""Pages: the dashboard's, and a server's console."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import requests

from fournines.cloud.model import Region
from fournines.services.horizon import PUBLIC_PORT
from fournines.smoke.model import SIGNED_IN
from fournines.smoke.pinned import pin

_TOKEN = re.compile(r"name=['\"]csrfmiddlewaretoken['\"] value=['\"]([^'\"]+)")
TIMEOUT = 30


def sign_in(region: Region, password: str, ca: Path) -> str:
    """Signs in as the administrator and opens the first page, each request a connection of its own: any backend."""
    with signed_in(region, password, ca) as browser:
        page = browser.get(address(region, "/identity/"), timeout=TIMEOUT)
        page.raise_for_status()
        if SIGNED_IN not in page.text:
            raise RuntimeError("signed in, and the next page did not know it: the backends do not share sessions")
    return f"{len(page.content)} bytes of the first page"


@contextmanager
def signed_in(region: Region, password: str, ca: Path) -> Generator[requests.Session, None, None]:
    """A browser with the administrator's session. Raises RuntimeError, requests.RequestException."""
    login = address(region, "/auth/login/")
    with _browser(region, ca) as browser:
        form = browser.get(login, timeout=TIMEOUT)
        form.raise_for_status()
        token = _TOKEN.search(form.text)
        if token is None:
            raise RuntimeError("the login page has no form")
        fields = {"csrfmiddlewaretoken": token[1], "username": "admin", "password": password, "region": "default"}
        reply = browser.post(login, fields, headers={"Referer": login}, timeout=TIMEOUT, allow_redirects=False)
        if reply.status_code != 302 or "/auth/login" in reply.headers.get("Location", ""):
            raise RuntimeError(f"signing in was answered with {reply.status_code}")
        yield browser


def address(region: Region, path: str) -> str:
    return f"https://{region.public_host}" + ("" if PUBLIC_PORT == 443 else f":{PUBLIC_PORT}") + path


def console_page(region: Region, url: str, ca: Path) -> str:
    """The console's page comes through the load balancer."""
    with _browser(region, ca) as browser:
        reply = browser.get(url, timeout=TIMEOUT)
        reply.raise_for_status()
    if "noVNC" not in reply.text:
        raise RuntimeError(f"{url.partition('?')[0]} is not noVNC's page")
    return url.partition("?")[0]


def _browser(region: Region, ca: Path) -> requests.Session:
    """It trusts `ca` alone, and each request is a connection of its own."""
    browser = pin(requests.Session(), region.public_hosts)
    browser.trust_env = False  # REQUESTS_CA_BUNDLE would go before `verify`
    browser.verify = str(ca)
    browser.headers["Connection"] = "close"
    return browser
