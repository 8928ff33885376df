"""What Keystone has of a cloud, against what it should have, in tables of the same columns."""

from __future__ import annotations

import sqlite3
import sys
from types import ModuleType
from typing import Any, cast

import pytest

from fournines.programs import keystone_register as program

SLOW, QUICK = "$2b$12$slow-of-secret", "$2b$04$quick-of-secret"
WANTED: dict[str, Any] = {
    "region": "r1",
    "domains": [],
    "projects": ["service"],
    "roles": ["service"],
    "administrator": {"name": "admin", "options": {}},
    "accounts": [
        {
            "name": "nova",
            "domain": "Default",
            "password": "secret",
            "mark": "m",
            "roles": ["service"],
            "on": {"project": "service"},
        }
    ],
    "generations": [{"name": "nova(-[0-9]+)?", "domain": "Default"}],
    "services": [{"type": "compute", "name": "nova", "endpoints": {"internal": "https://198.18.0.100:8774"}}],
}


class Cursor:
    """sqlite's, asked in the words of PyMySQL's."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def execute(self, query: str, arguments: tuple[Any, ...] = ()) -> None:
        self._cursor.execute(query.replace("%s", "?").replace("from user ", 'from "user" '), arguments)

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()


@pytest.fixture
def cursor() -> Cursor:
    made = sqlite3.connect(":memory:").cursor()
    made.executescript(
        """
        create table project (id, name, is_domain);
        create table role (id, name, domain_id);
        create table "user" (id, extra);
        create table local_user (id, user_id, name, domain_id);
        create table password (id integer, local_user_id, password_hash, created_at_int);
        create table assignment (actor_id, target_id, role_id);
        create table user_option (user_id, option_id, option_value);
        create table service (id, type);
        create table endpoint (service_id, interface, url, region_id, enabled);
        insert into project values ('default', 'Default', 1), ('p', 'service', 0);
        insert into role values ('r', 'service', '<<null>>');
        insert into "user" values ('admin', '{}'), ('u', '{"description": "Managed by fournines: m"}');
        insert into local_user values (1, 'admin', 'admin', 'default'), (2, 'u', 'nova', 'default');
        insert into password values (1, 1, '$2b$12$person', 1), (2, 2, '$2b$12$older', 1), (3, 2, '$2b$04$quick', 2);
        insert into assignment values ('u', 'p', 'r');
        insert into user_option values ('admin', '1002', 'true');
        insert into service values ('s', 'compute');
        insert into endpoint values ('s', 'internal', 'https://198.18.0.100:8774', 'r1', 1);
        """
    )
    return Cursor(made)


def stored(cursor: Cursor, id: int) -> str:
    return program.rows(cursor, f"select password_hash from password where id = {id}")[0][0]


def test_nothing_is_missing(cursor: Cursor) -> None:
    assert list(program.missing(WANTED, cursor)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("delete from project where id = 'p'", "project service"),
        ("delete from role", "role service"),
        ("delete from user_option", "options of the administrator"),
        ("update \"user\" set extra = '{}' where id = 'u'", "account nova"),
        ("delete from assignment", "roles of nova"),
        ("update endpoint set enabled = 0", "internal endpoint of nova"),
        (f"update password set password_hash = '{SLOW}' where id = 3", "password of nova takes long to compare with"),
        ("update local_user set name = 'nova-2' where id = 2", "account nova-2 is of an earlier rotation"),
    ],
)
def test_what_is_missing_is_said(cursor: Cursor, change: str, said: str) -> None:
    cursor.execute(change)
    assert said in list(program.missing(WANTED, cursor))


class Bcrypt:
    """Of which SLOW and QUICK are hashes of `secret`."""

    @staticmethod
    def checkpw(password: bytes, hashed: bytes) -> bool:
        return hashed.endswith(b"-of-" + password)

    @staticmethod
    def gensalt(rounds: int) -> bytes:
        return f"$2b${rounds:02d}$quick".encode()

    @staticmethod
    def hashpw(password: bytes, salt: bytes) -> bytes:
        return salt + b"-of-" + password


@pytest.fixture
def bcrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", cast(ModuleType, Bcrypt))


@pytest.mark.usefixtures("bcrypt")
@pytest.mark.parametrize(
    ("was", "then"),
    [
        (SLOW, QUICK),
        ("$2b$12$slow-of-another", "$2b$12$slow-of-another"),  # somebody has changed it meanwhile
        ("$scrypt$ln=16$chosen", "$scrypt$ln=16$chosen"),
        ("$2b$04$as-it-was", "$2b$04$as-it-was"),
    ],
)
def test_only_the_latest_password_of_an_account_is_hashed_again(cursor: Cursor, was: str, then: str) -> None:
    cursor.execute("update password set password_hash = %s where id = 3", (was,))
    program.hash_again(WANTED, cursor)
    assert [stored(cursor, id) for id in (1, 2, 3)] == ["$2b$12$person", "$2b$12$older", then]
