"""What programs on hosts ask, as far as they know it: a database, an API over HTTP."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Database:
    """SQLite in place of MariaDB, for queries that both take. urls: where it was asked."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:")
        self.urls: list[str] = []

    def table(self, name: str, columns: str, *rows: tuple[Any, ...]) -> None:
        """With these rows, and no others."""
        self._connection.execute(f"drop table if exists {name}")
        self._connection.execute(f"create table {name} ({columns})")
        places = ", ".join("?" for _ in columns.split(","))
        self._connection.executemany(f"insert into {name} values ({places})", rows)

    def rows(self, url: str, *queries: str) -> list[list[tuple[Any, ...]]]:
        self.urls.append(url)
        return [self._connection.execute(query).fetchall() for query in queries]

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: Any = field(compare=False)

    @property
    def what(self) -> str:
        return f"{self.method} {self.path}"


class Api:
    """An HTTP server. answers: `METHOD PATH` -> status and body; of a list, each once, the last one for ever."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answers: dict[str, tuple[int, Any] | list[tuple[int, Any]]] = {}
        self.headers = {"X-Subject-Token": "a-token"}
        api = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, json.loads(said) if said else None)
                api.asked.append(request)
                answer = api.answers.get(request.what, (404, {"error": "nothing is there"}))
                if isinstance(answer, list):
                    answer = answer.pop(0) if len(answer) > 1 else answer[0]
                status, body = answer
                text = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**api.headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # http.server's names

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def changes(self) -> list[tuple[str, Any]]:
        """What else than a reading, and a token, was asked."""
        return [(r.what, r.body) for r in self.asked if r.method != "GET" and not r.path.endswith("/auth/tokens")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
