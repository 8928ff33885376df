"""Horizon's application for uWSGI, with a path that the load balancers may ask often."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

CODE = "/usr/share/openstack-dashboard"


def dashboard() -> Application:
    sys.path.insert(0, CODE)
    os.environ["DJANGO_SETTINGS_MODULE"] = "openstack_dashboard.settings"
    return import_module("django.core.wsgi").get_wsgi_application()


def checked(served: Application) -> Application:
    """`served`, beside a path that answers without it: no page is rendered for a health check."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/healthcheck":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"OK\n"]
        return served(environ, start_response)

    return application


if "uwsgi" in sys.modules:
    application = checked(dashboard())
