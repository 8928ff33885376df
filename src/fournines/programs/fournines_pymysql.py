"""Connections to the database that are encrypted or not made: PyMySQL, without its way out.

PyMySQL before 1.2 takes `ssl` as a preference: a server whose greeting says that it speaks no TLS is answered in the
clear. Whoever stands in the path can say so in the database's place, then ask for the password as it is
(`mysql_clear_password`), and give any answer to any query. Here such a server is refused before it is sent a byte.

`connect` is in place of `pymysql.connect`; `at` for what has a URL as SQLAlchemy takes it; `rows` for what only asks
there, and must not wait; `Plugin` for SQLAlchemy itself, which finds it by `plugin=fournines_pymysql` in the URL and
the entry point of that name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT, CR

NAME = "fournines_pymysql"

if TYPE_CHECKING:

    class _Connection:
        """Of PyMySQL, what is used here: its types leave out half."""

        ssl: bool
        host: str
        server_capabilities: int

        def __init__(self, **arguments: Any) -> None: ...
        def __enter__(self) -> Self: ...
        def __exit__(self, *exc_info: object) -> None: ...
        def cursor(self) -> Any: ...
        def _request_authentication(self) -> None: ...

else:
    _Connection = pymysql.connections.Connection


class Connection(_Connection):
    """ssl: as PyMySQL's, and `required`: whether a server without TLS is refused."""

    def __init__(self, *, ssl: dict[str, Any] | None = None, **arguments: Any) -> None:
        self._required = bool(ssl and ssl.get("required"))
        super().__init__(ssl=ssl or None, **arguments)

    def _request_authentication(self) -> None:
        """PyMySQL calls it after the server's greeting, before it sends anything."""
        if self._required and not (self.ssl and self.server_capabilities & CLIENT.SSL):
            raise pymysql.OperationalError(
                CR.CR_SSL_CONNECTION_ERROR,
                f"{self.host} says that it speaks no TLS: it is not the database, or somebody stands in the path",
            )
        super()._request_authentication()


def connect(**arguments: Any) -> Connection:
    return Connection(**arguments)


def at(url: str, **arguments: Any) -> Connection:
    """What `url` leads to, encrypted if it says so."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    trust = query.get("ssl_ca")
    return Connection(
        host=parts.hostname,
        port=parts.port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path[1:],
        ssl={"ca": trust[0], "required": NAME in query.get("plugin", ())} if trust else None,
        **arguments,
    )


def rows(url: str, *queries: str) -> list[list[tuple[Any, ...]]]:
    """What each of `queries` gives, over one connection. Raises OSError or pymysql.Error, within seconds.""" ""
    found: list[list[tuple[Any, ...]]] = []
    with at(url, connect_timeout=3, read_timeout=5) as connection, connection.cursor() as cursor:
        for query in queries:
            cursor.execute(query)
            found.append(list(cursor.fetchall()))
    return found


if "_request_authentication" not in vars(_Connection):
    raise ImportError("PyMySQL has changed: what refuses a server without TLS would never be called")


class Plugin:
    """Of SQLAlchemy's engines (`sqlalchemy.engine.CreateEnginePlugin`)."""

    def __init__(self, url: Any, kwargs: dict[str, Any]) -> None:
        pass

    def update_url(self, url: Any) -> Any:
        return url.difference_update_query(["plugin"])

    def handle_dialect_kwargs(self, dialect_cls: type, dialect_args: dict[str, Any]) -> None:
        pass

    def handle_pool_kwargs(self, pool_cls: type, pool_args: dict[str, Any]) -> None:
        pass

    def engine_created(self, engine: Any) -> None:
        import_module("sqlalchemy.event").listen(engine, "do_connect", encrypted)


def encrypted(_dialect: Any, _record: Any, _positional: list[Any], arguments: dict[str, Any]) -> Connection:
    """A connection of an engine."""
    ssl: dict[str, Any] = {**(arguments.get("ssl") or {}), "required": True}
    return Connection(**{**arguments, "ssl": ssl})
