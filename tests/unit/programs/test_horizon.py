"""Horizon's application beside its health check, and whether Django's tables are there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import fournines_pymysql, horizon_tables
from fournines.programs.horizon_application import Environ, StartResponse, checked


def _dashboard(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("302 Found", [("Location", "/auth/login/")])
    return [environ["PATH_INFO"].encode()]


def test_only_the_health_check_is_answered_without_the_dashboard() -> None:
    said: list[str] = []

    def start_response(status: str, _headers: list[tuple[str, str]]) -> None:
        said.append(status)

    application = checked(_dashboard)
    assert list(application({"PATH_INFO": "/healthcheck"}, start_response)) == [b"OK\n"]
    assert list(application({"PATH_INFO": "/project/"}, start_response)) == [b"/project/"]
    assert said == ["200 OK", "302 Found"]


class Connection:
    """With so many of the tables."""

    def __init__(self, tables: int) -> None:
        self.tables = tables
        self.values: list[str] = []

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def cursor(self) -> Connection:
        return self

    def execute(self, query: str, name: str) -> None:
        assert query.count("%s") == 1
        self.values.append(name)

    def fetchone(self) -> tuple[int]:
        return (self.tables,)


@pytest.mark.parametrize(("tables", "said"), [(2, "ok"), (1, "no tables"), (0, "no tables")])
def test_tables(
    tables: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database: dict[str, Any] = {
        "HOST": "198.18.0.100",
        "PORT": 3306,
        "NAME": "horizon",
        "USER": "horizon",
        "PASSWORD": "secret",
        "OPTIONS": {"charset": "utf8mb4", "ssl": {"ca": "/ca.crt", "required": True}},
    }
    settings = tmp_path / "settings.py"
    settings.write_text(f"DATABASES = { ({'default': database})!r}\n")
    connection = Connection(tables)
    asked: dict[str, Any] = {}

    def connect(**arguments: Any) -> Connection:
        asked.update(arguments)
        return connection

    monkeypatch.setattr(horizon_tables, "SETTINGS", str(settings))
    monkeypatch.setattr(fournines_pymysql, "connect", connect)
    horizon_tables.main()
    assert capsys.readouterr().out == f"{said}\n"
    assert connection.values == ["horizon"]
    assert (asked["host"], asked["password"]) == ("198.18.0.100", "secret")
    assert asked["ssl"] == {"ca": "/ca.crt", "required": True}, "a database without TLS is refused"
