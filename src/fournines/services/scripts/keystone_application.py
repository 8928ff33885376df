"""Keystone's application for uWSGI. What it refuses while its database does not answer is 503, not "forbidden".

Keystone turns any failure to look something up while it checks a policy into 403 (`RBACEnforcer.enforce_call`), and
others into 401 or 404. A client takes those for the last word; a 503 it asks again, and so does the load balancer, of
another Keystone.

Its policies are registered and its tables mapped before its threads take requests. By itself Keystone does both during
the first request that needs them; to another thread's request in that moment, a policy that is not registered yet is
forbidden. Managed by fournines.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

#: Answers that say something of the client's rights, or of nothing that it could change.
REFUSALS = ("401", "403", "404", "500")
#: DBAPI's errors of the server and the way to it; a statement that is wrong is another matter.
UNREACHABLE = {"OperationalError", "InterfaceError", "InternalError"}
SAID = json.dumps(
    {"error": {"code": 503, "title": "Service Unavailable", "message": "The database does not answer: try again."}}
).encode()
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(SAID))), ("Retry-After", "1")]

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

_request = threading.local()


def failed(context: Any) -> None:
    """SQLAlchemy's `handle_error`: a statement or a connect of this thread has failed."""
    if type(context.original_exception).__name__ in UNREACHABLE or context.is_disconnect:
        _request.failed = True


class OneLine(logging.Filter):
    """What a request logs whose database does not answer, without its traceback. They are some two hundred lines each,
    several a request, and fill the journal up to its limit, where the lines that tell why it is away are lost."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and getattr(_request, "failed", False):
            error = record.exc_info[1]
            said, first = (str(text).partition("\n")[0] for text in (record.getMessage(), error))
            record.msg = f"{said or 'Failed'}, as the database does not answer: {type(error).__name__}: {first}"
            record.args = None
            record.exc_info = record.exc_text = None
        return True


class Guarded:
    """`application`, whose refusals are 503 where the database was asked in vain in the same request."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        _request.failed = False
        try:
            return self._ask(environ, start_response)
        finally:
            _request.failed = False

    def _ask(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        said: list[Any] = []
        try:
            answer = self._application(environ, lambda *arguments: said.extend(arguments) or said.append)
            try:
                body = b"".join(answer)
            finally:
                getattr(answer, "close", lambda: None)()
        except Exception:
            if not _request.failed:
                raise
            return _unavailable(start_response)
        if _request.failed and str(said[0])[:3] in REFUSALS:
            return _unavailable(start_response)
        start_response(*said)
        return [body]


def _unavailable(start_response: Start) -> Iterable[bytes]:
    start_response("503 Service Unavailable", HEADERS)
    return [SAID]


def keystone() -> Application:
    engine: Any = importlib.import_module("sqlalchemy.engine")
    importlib.import_module("sqlalchemy.event").listen(engine.Engine, "handle_error", failed)
    application = importlib.import_module("keystone.server.wsgi").initialize_public_application()
    for handler in logging.getLogger().handlers:
        handler.addFilter(OneLine())
    register_policies()
    importlib.import_module("sqlalchemy.orm").configure_mappers()
    return Guarded(application)


def register_policies() -> None:
    policies = importlib.import_module("keystone.common.rbac_enforcer.enforcer").RBACEnforcer()
    policies.suppress_deprecation_warnings = True  # one line a rule; the first request says it in one
    policies._enforcer.load_rules()


if "uwsgi" in sys.modules:
    application = keystone()
