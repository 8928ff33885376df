"""A command that runs on one host at a time, under a lease in the database.

    lease NAME -- COMMAND...    waits for the lease, then runs COMMAND for as long as it is this host's
    lease NAME --holder         says who has it, and exits 1 when nobody has

The holder counts its row up. Who sees no count for a whole lease, by its own clock, takes the row over, if it is still
as it was seen. The holder has sent its last count before anybody can have seen it, and kills COMMAND three quarters of
a lease after that: first. systemd's watchdog does the same should this process not run. No two clocks are compared.

SETTINGS/NAME.json: {"host": this one's name, "lease": seconds, "database": arguments of `fournines_pymysql.connect`}
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import fournines_pymysql
import pymysql

SETTINGS = Path("/etc/fournines/lease")
GRACE = 45.0  # seconds that COMMAND has to end by itself when it is told to, while the lease is still renewed
_TABLE = """create table if not exists lease
(name varchar(64) primary key, holder varchar(128) not null, counter bigint not null)"""


class Seen(NamedTuple):
    holder: str  # host/random; "" for nobody
    counter: int

    @property
    def host(self) -> str:
        return self.holder.partition("/")[0]


class Lease:
    """One row; every call is one transaction. Raises OSError or pymysql.Error."""

    def __init__(self, name: str) -> None:
        wanted = json.loads((SETTINGS / f"{name}.json").read_text())
        self.name = name
        self.seconds: float = wanted["lease"]
        self.every = self.seconds / 12
        self._me = f"{wanted['host']}/{uuid.uuid4().hex[:12]}"
        self._database: dict[str, Any] = wanted["database"]
        self._connection: Any = None

    def _connected(self) -> Any:
        if self._connection is None:
            limit = 2 * self.every
            self._connection = fournines_pymysql.connect(
                **self._database,
                connect_timeout=limit,
                read_timeout=limit,
                write_timeout=limit,
                autocommit=True,
                # What another node has committed must be seen after the writer has moved.
                init_command="set session wsrep_sync_wait = 1",
            )
        return self._connection

    def _execute(self, statement: str, *values: object) -> tuple[int, tuple[Any, ...] | None]:
        """Rows that it concerned, and the first that it gave."""
        try:
            with self._connected().cursor() as cursor:
                count = cursor.execute(statement, values)
                return count, cursor.fetchone()
        except (OSError, pymysql.Error):
            self._close()
            raise

    def _close(self) -> None:
        if self._connection is not None:
            self._connection._force_close()
            self._connection = None

    def read(self) -> Seen:
        """The row is made if there is none."""
        try:
            _, row = self._execute("select holder, counter from lease where name = %s", self.name)
        except pymysql.err.ProgrammingError:
            self._execute(_TABLE)
            row = None
        if row is None:
            self._execute("insert ignore into lease values (%s, '', 0)", self.name)
            return self.read()
        return Seen(*row)

    def take(self, seen: Seen) -> bool:
        """Unless it has changed since."""
        statement = (
            "update lease set holder = %s, counter = counter + 1 where name = %s and holder = %s and counter = %s"
        )
        count, _ = self._execute(statement, self._me, self.name, *seen)
        return count == 1

    def renew(self) -> bool:
        """Unless another one has it."""
        statement = "update lease set counter = counter + 1 where name = %s and holder = %s"
        count, _ = self._execute(statement, self.name, self._me)
        return count == 1

    def release(self) -> None:
        statement = "update lease set holder = '', counter = counter + 1 where name = %s and holder = %s"
        self._execute(statement, self.name, self._me)


def tell(*lines: str) -> None:
    """systemd."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto("\n".join(lines).encode(), path.replace("@", "\0", 1))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
    tell(f"STATUS={text}")


class Run:
    """One run of this program: waits for the lease, then holds it as long as the command runs."""

    def __init__(self, lease: Lease, command: list[str]) -> None:
        self.lease = lease
        self.command = command
        self.child: subprocess.Popen[bytes] | None = None
        self.told = False
        signal.signal(signal.SIGTERM, self._tell)
        signal.signal(signal.SIGINT, self._tell)
        signal.signal(signal.SIGALRM, self._expired)

    def _tell(self, *_: object) -> None:
        self.told = True

    def wait(self) -> float | None:
        """Until the lease is ours: when what took it was sent, by this host's clock. None: told to end before."""
        seen, since = None, 0.0
        while not self.told:
            tell("WATCHDOG=1")
            try:
                now = self.lease.read()
                if now != seen:
                    seen, since = now, time.monotonic()
                    say(f"waits: {now.host or 'nobody'} has the lease")
                if not now.holder or time.monotonic() - since > self.lease.seconds:
                    sent = time.monotonic()
                    if self.lease.take(now):
                        return sent
            except (OSError, pymysql.Error) as error:
                seen = None  # what could not be seen may have been counted
                say(f"waits: the database does not answer: {error}")
            time.sleep(self.lease.every)
        return None

    def hold(self, sent: float) -> int:
        """The command's exit status, once it has ended and the lease is released."""
        say("has the lease")
        self._until(sent)
        own = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        environment = {name: value for name, value in os.environ.items() if name not in own}
        self.child = child = subprocess.Popen(self.command, start_new_session=True, env=environment)
        ends = None
        while child.poll() is None:
            if self.told and ends is None:
                ends = time.monotonic() + GRACE
                child.terminate()
            elif ends is not None and time.monotonic() > ends:
                self._kill()
            self._renew()
            self._sleep(child, stopping=ends is not None)
        self._kill()  # what it may have left behind
        self.lease.release()
        return child.returncode

    def _renew(self) -> None:
        try:
            sent = time.monotonic()
            if not self.lease.renew():
                self._end("another host has the lease")
            self._until(sent)
        except (OSError, pymysql.Error) as error:
            say(f"has the lease, and cannot renew it: {error}")

    def _until(self, sent: float) -> None:
        """The lease holds for so long from `sent`, unless it is renewed: by an alarm, whatever this waits for then."""
        now = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(sent + 0.75 * self.lease.seconds - now, 0.001))
        if now - sent < 2 * self.lease.every:
            tell("WATCHDOG=1")

    def _expired(self, *_: object) -> None:
        self._end(f"it could not be renewed for {0.75 * self.lease.seconds:g} s")

    def _end(self, why: str) -> None:
        self._kill()
        say(f"lost the lease: {why}")
        os._exit(1)  # systemd kills what is left of the unit

    def _kill(self) -> None:
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)

    def _sleep(self, child: subprocess.Popen[bytes], *, stopping: bool) -> None:
        until = time.monotonic() + self.lease.every
        while time.monotonic() < until and child.poll() is None and (stopping or not self.told):
            time.sleep(0.1)


def holder(name: str) -> str:
    """Whose count goes up. Raises SystemExit where nobody's does."""
    lease = Lease(name)
    try:
        first = lease.read()
        time.sleep(3 * lease.every)
        now = lease.read()
    except (OSError, pymysql.Error) as error:
        sys.exit(f"{name}: the database does not answer: {error}")
    if not now.holder or now == first:
        sys.exit(f"{name}: nobody has the lease")
    return now.host


def run(name: str, command: list[str]) -> None:
    lease = Lease(name)
    tell("READY=1")
    this = Run(lease, command)
    taken = this.wait()
    if taken is not None:
        status = this.hold(taken)
        # A command that ends by itself may do better elsewhere: the lease is free, and this host asks again.
        sys.exit(0 if this.told else f"it has ended by itself, with status {status}; the lease is released")


def main(words: list[str]) -> None:
    match words:
        case [name, "--holder"]:
            print(holder(name))
        case [name, "--", *command] if command:
            run(name, command)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
