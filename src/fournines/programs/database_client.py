"""A client of MariaDB that misbehaves: for as long as it runs, it holds connections, locks or transactions, or writes.

    database_client SETTINGS

SETTINGS (JSON) is removed once it is read: it may hold a password. `connect`: arguments of `pymysql.connect`.
`connections`: how many; 0 as many as the server gives, and each that becomes free. `first`: statements that each
connection begins with; `again`: those that it repeats, whatever comes of them, `every` seconds.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pymysql

AGAIN_S = 0.1


def hold(connect: dict[str, Any], first: list[str], again: list[str], every: float) -> None:
    """Until the connection ends; raises pymysql.MySQLError when it is not given."""
    connection = pymysql.connect(**connect)
    with contextlib.suppress(pymysql.MySQLError):
        cursor = connection.cursor()
        for statement in first:
            cursor.execute(statement)
    while again and connection.open:
        for statement in again:
            with contextlib.suppress(pymysql.MySQLError):
                connection.cursor().execute(statement)
        time.sleep(every)
    while True:
        time.sleep(3600)


def worker(settings: dict[str, Any]) -> None:
    while True:
        with contextlib.suppress(pymysql.MySQLError, OSError):
            hold(settings["connect"], settings["first"], settings["again"], settings["every"])
        time.sleep(AGAIN_S)


def take_all(connect: dict[str, Any]) -> None:
    """One after another: what is taken is held until this process ends."""
    taken: list[Any] = []
    while True:
        try:
            taken.append(pymysql.connect(**connect))
        except (pymysql.MySQLError, OSError):
            time.sleep(AGAIN_S)


def main() -> None:
    path = Path(sys.argv[1])
    settings = json.loads(path.read_text())
    path.unlink()
    if not settings["connections"]:
        take_all(settings["connect"])
    workers = [threading.Thread(target=worker, args=(settings,)) for _ in range(settings["connections"])]
    for thread in workers:
        thread.start()


if __name__ == "__main__":
    main()
