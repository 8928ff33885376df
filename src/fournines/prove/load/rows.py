"""The database through the writer's path, as OpenStack's services reach it: pooled connections, tested before use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiomysql
import pymysql

from fournines.prove.anomalies import Append, Read, written
from fournines.prove.load.attempt import Attempt, RefusedError
from fournines.prove.load.http import trusting
from fournines.prove.load.spec import Database

_mysql: Any = aiomysql  # ships no types

#: Errors by which the server says that the statement was not applied: read-only, lock wait timeout, deadlock (which is
#: also a failed certification), node not ready. Errors during commit (1180) are not among them.
NOT_APPLIED = frozenset({1047, 1205, 1213, 1290})


#: One round trip: a transaction of several would keep its locks while its client waits behind a dead load balancer.
WRITE = (
    "BEGIN NOT ATOMIC START TRANSACTION; INSERT INTO probe (value) VALUES (%s);"
    " UPDATE register SET value = %s WHERE id = 1; SELECT id, items FROM list WHERE id IN (%s, %s);"
    " INSERT INTO list VALUES (%s, %s) ON DUPLICATE KEY UPDATE items = CONCAT(items, ' ', VALUES(items)); COMMIT; END"
)

#: Lists come in pairs: a transaction reads both of one and appends to either. The next pair after so many transactions,
#: so that what is read stays short.
PER_PAIR = 40


class RowProbes:
    what = "the database on the internal VIP"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._idle: list[Any] = []  # of aiomysql.Connection

    async def start(self) -> None:
        """Opens the first connection, and empties the register and the lists that an earlier fault filled."""
        await self._execute(Attempt("kept", 0.0), "UPDATE register SET value = '' WHERE id = 1")
        await self._execute(Attempt("kept", 0.0), "DELETE FROM list")

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def write_row(self, attempt: Attempt) -> None:
        """Adds a row, sets the register to the same value, reads two lists and appends to one, in one transaction."""
        number = int(attempt.value.rpartition("-")[2])
        pair = (number // PER_PAIR * 2, number // PER_PAIR * 2 + 1)
        append = Append(str(pair[number % 2]), number)
        attempt.steps = written([append])
        args = (attempt.value, attempt.value, *pair, append.key, number)
        there = dict(await self._execute(attempt, WRITE, args))
        reads = [Read(str(key), tuple(map(int, there.get(key, "").split()))) for key in pair]
        attempt.steps = written([*reads, append])

    async def read_row(self, attempt: Attempt) -> None:
        """Sets `attempt.value` to what the register holds, "" before the first write."""
        rows = await self._execute(attempt, "SELECT value FROM register")
        attempt.value = rows[0][0]

    async def _execute(self, attempt: Attempt, statement: str, args: tuple[str | int, ...] = ()) -> Any:
        """The rows of its first result."""
        async with self._connection(attempt) as connection:
            cursor = await connection.cursor()
            attempt.sent = True
            try:
                await cursor.execute(statement, args)
                rows = await cursor.fetchall()
                while await cursor.nextset():  # the last one says whether it was committed
                    pass
                return rows
            except pymysql.MySQLError as error:
                if error.args and error.args[0] in NOT_APPLIED:
                    raise RefusedError(f"{error.args[0]} {error.args[-1]}") from error
                raise

    @asynccontextmanager
    async def _connection(self, attempt: Attempt) -> AsyncGenerator[Any, None]:
        connection = await self._checked_out() if attempt.connection == "kept" else await self._connect()
        healthy = False
        try:
            yield connection
            healthy = True
        finally:
            if healthy and attempt.connection == "kept":
                self._idle.append(connection)
            else:
                connection.close()

    async def _checked_out(self) -> Any:
        """An idle connection that answers a ping, as oslo.db's pool does it, else a new one."""
        while self._idle:
            connection = self._idle.pop()
            try:
                async with asyncio.timeout(self._database.read_timeout or None):
                    await connection.ping(reconnect=False)
            except (pymysql.MySQLError, OSError, TimeoutError):
                connection.close()
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        return await self._connect()

    async def _connect(self) -> Any:
        where = self._database
        return await _mysql.connect(
            host=where.host,
            port=where.port,
            user=where.user,
            password=where.password,
            db=where.schema,
            connect_timeout=where.connect_timeout or None,
            autocommit=True,
            ssl=trusting(where.cafile),
        )
