"""The OpenAPI 3.1 document, made of the table of routes and of the models."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from fournines import __version__
from fournines.web.access import COOKIE, CSRF_HEADER
from fournines.web.models import Error
from fournines.web.routes import ROUTES, Route

API = "1.0.0"
#: What any route may answer, and when.
REFUSALS = {
    "400": "the body is no JSON",
    "401": "nobody is signed in",
    "403": "the role may not, or the CSRF token is wrong",
    "404": "there is no such thing",
    "409": "another run holds the cloud",
    "413": "the body is too large",
    "415": "the body is not JSON",
    "422": "the body is not what this route takes, or the request cannot be done",
    "429": "too many sign-ins failed",
    "502": "a host does not answer or fails",
    "503": "Keystone does not answer",
}


def document() -> dict[str, Any]:
    models = {m for route in ROUTES for m in (route.request, route.response) if m} | {Error}
    ordered = sorted(models, key=lambda m: m.__name__)
    _, schema = models_json_schema([(m, "validation") for m in ordered], ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fournines",
            "version": API,
            "summary": "The control plane of one OpenStack cloud: what is true, and what can be done",
            "x-program": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schema["$defs"],
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER},
                "keystone": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    session: dict[str, list[str]] = {"session": []} if route.method == "GET" else {"session": [], "csrf": []}
    found: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z]+', '_', route.path.removeprefix('/v1')).rstrip('_')}",
        "summary": route.summary,
        "x-role": route.role,
        "security": [] if route.role == "public" else [session, {"keystone": []}, {"bearer": []}],
        "responses": {
            str(route.status): {"description": "done", "content": {route.media: {"schema": _ref(route.response)}}},
            **{code: _refusal(why) for code, why in REFUSALS.items()},
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    parameters += [{"name": name, "in": "query", "schema": {"type": "string"}} for name in route.query]
    if parameters:
        found["parameters"] = parameters
    if route.request:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(route.request)}}}
    return found


def _refusal(why: str) -> dict[str, Any]:
    return {"description": why, "content": {"application/json": {"schema": _ref(Error)}}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
