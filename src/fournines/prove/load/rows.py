"""The database through the writer's path, as OpenStack's services reach it: pooled connections, tested before use."""

from __future__ import annotations

import asyncio
import itertools
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

#: Errors by which the server says that the statement was not applied: record changed since it was read, read-only, lock
#: wait timeout, deadlock (also a failed certification), node not ready. Errors during commit (1180) are not among them.
NOT_APPLIED = frozenset({1020, 1047, 1205, 1213, 1290})


#: One round trip: a transaction of several would keep its locks while its client waits behind a dead load balancer.
#: It locks the lists before it reads them, always in the same order: what InnoDB alone would let pass between two
#: transactions is then an anomaly, and none waits for another in a circle. The register, which all write, comes last:
#: transactions on different lists run side by side until then.
WRITE = (
    "BEGIN NOT ATOMIC START TRANSACTION; INSERT INTO probe (value) VALUES (%s);"
    " SELECT id, items FROM list WHERE id IN (%s, %s) ORDER BY id FOR UPDATE;"
    " INSERT INTO list VALUES (%s, %s), (%s, %s) ON DUPLICATE KEY UPDATE items = CONCAT(items, ' ', VALUES(items));"
    " UPDATE register SET value = %s WHERE id = 1; COMMIT; END"
)

#: Lists in use at a time. A transaction reads two of them and appends to both: two transactions that share a list or
#: both lists can come in different orders, which is a cycle.
AT_ONCE = 4
PAIRS = tuple(itertools.combinations(range(AT_ONCE), 2))
#: After so many transactions the next lists are used, so that what is read stays short; after all, the first again.
PER_BLOCK = 60
BLOCKS = 100


def lists_of(number: int) -> tuple[int, int]:
    """The two lists of the transaction of that number, in ascending order."""
    first = number // PER_BLOCK % BLOCKS * AT_ONCE
    one, other = PAIRS[number % len(PAIRS)]
    return first + one, first + other


#: Of a table that is not there.
_NO_TABLE = 1146


class RowProbes:
    what = "the database on the internal VIP"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._idle: list[Any] = []  # of aiomysql.Connection

    async def start(self) -> None:
        """Opens the first connection, and empties the register and the lists that an earlier fault filled."""
        await self._execute(Attempt("kept", 0.0), "UPDATE register SET value = '' WHERE id = 1")
        await self._execute(Attempt("kept", 0.0), "DELETE FROM list")
        # A list that is not there cannot be locked, only the gap where it will be: that would end in deadlocks.
        empty = ", ".join(f"({key}, '')" for key in range(BLOCKS * AT_ONCE))
        await self._execute(Attempt("kept", 0.0), f"INSERT INTO list VALUES {empty}")  # noqa: S608  numbers alone

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def write_row(self, attempt: Attempt) -> None:
        """Adds a row, reads two lists, appends to both, sets the register to the row's value, in one transaction."""
        number = int(attempt.value.rpartition("-")[2])
        one, other = lists_of(number)
        appends = [Append(str(key), number) for key in (one, other)]
        attempt.steps = written(appends)
        args = (attempt.value, one, other, one, number, other, number, attempt.value)
        there = dict(await self._execute(attempt, WRITE, args))
        reads = [Read(str(key), tuple(map(int, there.get(key, "").split()))) for key in (one, other)]
        attempt.steps = written([*reads, *appends])

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


_COLUMNS = "id TINYINT NOT NULL PRIMARY KEY, value VARCHAR(80) NOT NULL"
_THERE = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'watch'"


class RegisterProbes(RowProbes):
    """One row of a table of its own, which is left as it is: for who probes for months, beside a campaign or not."""

    async def start(self) -> None:
        first = Attempt("kept", 0.0)
        # Not asked of a table that is there: a statement that defines one stops the whole cluster for an instant.
        if not await self._execute(first, _THERE):
            await self._execute(first, f"CREATE TABLE IF NOT EXISTS watch ({_COLUMNS}) ENGINE=InnoDB")
        await self._execute(first, "INSERT INTO watch VALUES (1, '') ON DUPLICATE KEY UPDATE id = id")

    async def write_row(self, attempt: Attempt) -> None:
        await self._in_table(attempt, "UPDATE watch SET value = %s WHERE id = 1", (attempt.value,))

    async def read_row(self, attempt: Attempt) -> None:
        rows = await self._in_table(attempt, "SELECT value FROM watch WHERE id = 1")
        attempt.value = rows[0][0]

    async def _in_table(self, attempt: Attempt, statement: str, args: tuple[str | int, ...] = ()) -> Any:
        """The table is made where it is missing: a database may have been restored since the probes began."""
        try:
            return await self._execute(attempt, statement, args)
        except pymysql.ProgrammingError as error:
            if not error.args or error.args[0] != _NO_TABLE:
                raise
            await self.start()
            return await self._execute(attempt, statement, args)
