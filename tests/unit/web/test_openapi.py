"""The OpenAPI document, and that every route of it keeps out whom it must."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from fournines.web.app import MEDIA, WithHeaders, application
from fournines.web.kinds import KINDS
from fournines.web.openapi import document
from fournines.web.roles import ROLES
from samples.dashboard import Client, Site

DOCUMENT = document()
OPERATIONS = [
    pytest.param(method, path, operation, id=f"{method} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
PUBLIC = {("post", "/v1/session")}


def real(path: str) -> str:
    return re.sub(r"{\w+}", "x", path)


def routes_of(site: Site) -> list[Route]:
    whole = application(site.server)
    assert isinstance(whole, WithHeaders) and isinstance(whole.app, Starlette)
    return [r for r in whole.app.routes if isinstance(r, Route)]


def refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set[str]()
        return found.union(*(refs(v) for v in value.values()))
    return set[str]().union(*(refs(v) for v in value)) if isinstance(value, list) else set[str]()


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    schemas = DOCUMENT["components"]["schemas"]
    assert refs(DOCUMENT) <= {f"#/components/schemas/{name}" for name in schemas}
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names) > 20


def test_the_application_has_no_route_beside_those_of_the_document(site: Site) -> None:
    """So that none is without a role: what is not in the table is a part of the page, or is not there."""
    served = {(r.path, m.lower()) for r in routes_of(site) for m in r.methods or () if m != "HEAD"}
    parts = {(path, m) for path, m in served if not path.startswith("/v1")}
    assert served - parts == {(path, m) for path, methods in DOCUMENT["paths"].items() for m in methods}
    assert all(m == "get" and (path == "/" or path.rpartition(".")[2] in MEDIA) for path, m in parts)


def test_every_kind_of_job_is_a_route() -> None:
    assert {f"/v1/{name}" for name in KINDS} <= set(DOCUMENT["paths"])
    for name, kind in KINDS.items():
        assert DOCUMENT["paths"][f"/v1/{name}"]["post"]["x-role"] == kind.role


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_route_requires_a_role(site: Site, method: str, path: str, operation: dict[str, Any]) -> None:
    if (method, path) in PUBLIC:
        assert operation["security"] == []
        return
    assert operation["x-role"] in ROLES
    assert operation["security"]
    assert site.client().ask(method, real(path)).status_code == 401


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_a_role_that_is_too_small_is_refused(
    site: Site, reader: Client, method: str, path: str, operation: dict[str, Any]
) -> None:
    if operation["x-role"] in ("public", "reader"):
        return
    answer = reader.ask(method, real(path), {} if method == "post" else None)
    assert answer.status_code == 403
    assert operation["x-role"] in answer.json()["error"]["what"]
    if operation["x-role"] == "admin":
        assert site.client("token-otto").ask(method, real(path), {} if method == "post" else None).status_code == 403


@pytest.mark.parametrize(("method", "path", "operation"), [p for p in OPERATIONS if p.values[0] != "get"])  # pyright: ignore
def test_what_changes_anything_needs_the_sessions_csrf_token(
    site: Site, method: str, path: str, operation: dict[str, Any]
) -> None:
    if (method, path) in PUBLIC:
        return
    client = site.client()
    client.sign_in("ada")
    for header in ({}, {"x-csrf-token": "guess"}):
        answer = client.ask(method, real(path), {}, headers=header)
        assert answer.status_code == 403
        assert "CSRF" in answer.json()["error"]["what"]


def test_the_document_is_served(reader: Client) -> None:
    assert reader.ask("GET", "/v1/openapi.json").json() == DOCUMENT
