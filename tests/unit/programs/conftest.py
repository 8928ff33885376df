"""What programs find on their hosts: a module of ours beside Python's packages, a database, an API."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from fournines.programs import fournines_pymysql
from samples.asked import Api, Database

sys.modules.setdefault(fournines_pymysql.NAME, fournines_pymysql)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    made = Database()
    monkeypatch.setattr(fournines_pymysql, "rows", made.rows)
    yield made
    made.close()


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.close()
