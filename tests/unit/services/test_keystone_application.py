"""A database that does not answer is 503 to whoever asks Keystone, never a refusal."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fournines.services

FILE = Path(fournines.services.__file__).parent / "scripts/keystone_application.py"
SPEC = importlib.util.spec_from_file_location("keystone_application", FILE)
assert SPEC and SPEC.loader
guard: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(guard)


class OperationalError(Exception):
    pass


class ProgrammingError(Exception):
    pass


def asked(status: str, error: Exception | None = None, *, raises: bool = False, disconnect: bool = False) -> Any:
    """(status, headers, body) of an application that answers `status`, after `error` of its database."""

    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if error:
            guard.failed(SimpleNamespace(original_exception=error, is_disconnect=disconnect))
        if raises:
            raise RuntimeError("as uWSGI would have it: 502")
        start(status, [("X-Subject-Token", "t")])
        return iter([b"one", b"two"])

    seen: list[Any] = []
    body = b"".join(guard.Guarded(application)({}, lambda *arguments: seen.extend(arguments)))
    return seen[0], dict(seen[1]), body


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Internal Server Error"])
@pytest.mark.parametrize("error", [OperationalError("2013: lost connection"), OperationalError("1047: WSREP")])
def test_a_refusal_after_a_failed_look_up_is_503(status: str, error: Exception) -> None:
    said, headers, body = asked(status, error)
    assert said == "503 Service Unavailable"
    assert headers["Retry-After"] == "1"
    assert b"try again" in body
    assert int(headers["Content-Length"]) == len(body)


def test_an_exception_after_a_failed_look_up_is_503() -> None:
    assert asked("", OperationalError("gone"), raises=True)[0] == "503 Service Unavailable"
    assert asked("", ProgrammingError("gone"), raises=True, disconnect=True)[0] == "503 Service Unavailable"
    with pytest.raises(RuntimeError):
        asked("", raises=True)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "200 OK"])
def test_a_refusal_by_right_stays_one(status: str) -> None:
    assert asked(status) == (status, {"X-Subject-Token": "t"}, b"onetwo")
    assert asked(status, ProgrammingError("a bug"))[0] == status


def test_what_worked_on_a_second_attempt_is_left_alone() -> None:
    assert asked("200 OK", OperationalError("stale connection"))[0] == "200 OK"
    assert asked("201 Created", OperationalError("stale connection"))[0] == "201 Created"


def test_one_request_says_nothing_of_the_next() -> None:
    assert asked("403 Forbidden", OperationalError("gone"))[0].startswith("503")
    assert asked("403 Forbidden")[0].startswith("403")


@pytest.mark.parametrize("error", [OperationalError("2013: lost\n(Background on this error)"), None])
def test_what_is_logged_while_the_database_is_away_has_no_traceback(error: Exception | None) -> None:
    kept: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: kept.append(handler.format(record))  # type: ignore[method-assign]
    handler.addFilter(guard.OneLine())
    log = logging.Logger("keystone")
    log.addHandler(handler)

    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if error:
            guard.failed(SimpleNamespace(original_exception=error, is_disconnect=False))
        try:
            raise error or KeyError("a bug of %s")
        except Exception:
            log.exception("Whatever")
        start("500 Internal Server Error", [])
        return [b""]

    list(guard.Guarded(application)({}, lambda *arguments: None))
    (said,) = kept
    if error:
        assert said == "Whatever, as the database does not answer: OperationalError: 2013: lost"
    else:
        assert said.startswith("Whatever\nTraceback")


def test_policies_are_registered_and_tables_mapped_before_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    policies = SimpleNamespace(_enforcer=SimpleNamespace(load_rules=lambda: done.append("policies")))
    modules = {
        "keystone.common.rbac_enforcer.enforcer": SimpleNamespace(RBACEnforcer=lambda: policies),
        "keystone.server.wsgi": SimpleNamespace(initialize_public_application=lambda: done.append("application")),
        "sqlalchemy.engine": SimpleNamespace(Engine=None),
        "sqlalchemy.event": SimpleNamespace(listen=lambda *_: None),
        "sqlalchemy.orm": SimpleNamespace(configure_mappers=lambda: done.append("tables")),
    }
    monkeypatch.setattr(guard.importlib, "import_module", modules.__getitem__)
    handler = logging.NullHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    guard.keystone()
    assert [type(f) for f in handler.filters] == [guard.OneLine]
    assert done == ["application", "policies", "tables"]


def test_what_is_logged_between_requests_is_left_alone() -> None:
    asked("403 Forbidden", OperationalError("gone"))
    record = logging.LogRecord(
        "keystone", logging.ERROR, "", 0, "a thread of its own", None, (KeyError, KeyError(), None)
    )
    assert guard.OneLine().filter(record)
    assert record.getMessage() == "a thread of its own"
