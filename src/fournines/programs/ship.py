"""Sends this host's journal to one endpoint, as syslog (RFC 5424) or as Loki takes it.

The journal is the buffer: what could not be sent is read again from there, from the cursor of the last line that was.
While the endpoint is away nothing is held here, and nothing that writes to the journal waits.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol, cast

#: Lines and seconds of a batch: whichever comes first.
LINES, WITHIN = 500, 1.0
#: Seconds before the next attempt: the first, and the longest.
AGAIN, LONGEST = 1.0, 30.0
ANSWER = 10.0
FACILITY = 3  # daemons
Entry = Mapping[str, Any]
LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


class RefusedError(Exception):
    """It answers, and does not take these lines: sending them again would only be refused again."""


class Endpoint(Protocol):
    def send(self, entries: Sequence[Entry]) -> None:
        """Raises OSError: not now; RefusedError: never."""
        ...


def text_of(value: Any) -> str:
    """journald gives bytes that are no text as a list of numbers."""
    if isinstance(value, list):
        return bytes(cast(list[int], value)).decode(errors="replace")
    return "" if value is None else str(value)


def name_of(entry: Entry) -> str:
    unit = text_of(entry.get("_SYSTEMD_UNIT")).removesuffix(".service")
    return unit or text_of(entry.get("SYSLOG_IDENTIFIER")) or "kernel"


def priority_of(entry: Entry) -> int:
    value = text_of(entry.get("PRIORITY"))
    return int(value) if value in "01234567" and value else 6


def microseconds(entry: Entry) -> int:
    return int(text_of(entry.get("__REALTIME_TIMESTAMP")) or time.time() * 1e6)


def printable(text: str, limit: int) -> str:
    """A word of a syslog header."""
    return "".join(c for c in text if 33 <= ord(c) <= 126)[:limit] or "-"


class Syslog:
    """RFC 5424, with each message's length before it (RFC 5425, RFC 6587). It answers nothing: what was on its way when
    the endpoint died is lost, and cannot be known to be."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        to = urllib.parse.urlsplit(settings["to"])
        self._where = (to.hostname or "", to.port or (6514 if to.scheme == "tls" else 601))
        self._context = None
        if to.scheme == "tls":
            self._context = ssl.create_default_context(cafile=settings.get("ca") or None)
        self._host = printable(f"{settings['host']}.{settings['cloud']}", 255)
        self._connection: socket.socket | None = None

    def send(self, entries: Sequence[Entry]) -> None:
        data = b"".join(self._framed(entry) for entry in entries)
        try:
            if self._connection is None or self._ended(self._connection):
                self.close()
                self._connection = self._connect()
            self._connection.sendall(data)
        except OSError:
            self.close()
            raise

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(self._where, timeout=ANSWER)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return self._context.wrap_socket(plain, server_hostname=self._where[0]) if self._context else plain

    def _ended(self, connection: socket.socket) -> bool:
        """Whether the endpoint has closed it since: it says nothing else."""
        connection.settimeout(0)
        try:
            return connection.recv(1) == b""
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            connection.settimeout(ANSWER)

    def _framed(self, entry: Entry) -> bytes:
        at = datetime.fromtimestamp(microseconds(entry) / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        unit, process = printable(name_of(entry), 48), printable(text_of(entry.get("_PID")), 128)
        head = f"<{FACILITY * 8 + priority_of(entry)}>1 {at} {self._host} {unit} {process} - -"
        said = f"{head} {text_of(entry.get('MESSAGE'))}".encode(errors="replace")
        return f"{len(said)} ".encode() + said

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None


class Loki:
    """Its push API, as JSON: it answers each batch."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        context = ssl.create_default_context(cafile=settings.get("ca") or None)
        # No proxy of the environment's: what a host says goes where the cloud file says.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def send(self, entries: Sequence[Entry]) -> None:
        headers = {"Content-Type": "application/json"}
        if self._settings.get("token"):
            headers["Authorization"] = "Bearer " + self._settings["token"]
        body = json.dumps({"streams": self._streams(entries)}).encode()
        asked = urllib.request.Request(self._settings["to"], body, headers)  # noqa: S310, http or https
        try:
            with self._opener.open(asked, timeout=ANSWER) as answer:
                answer.read(1000)
        except urllib.error.HTTPError as error:
            if error.code in (400, 413, 422):
                raise RefusedError(f"{error.code}: {error.read(200).decode(errors='replace').strip()}") from error
            raise OSError(f"{error.code} {error.reason}") from error

    def _streams(self, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        streams: dict[tuple[str, str], dict[str, Any]] = {}
        for entry in entries:
            level = LEVELS[priority_of(entry)]
            key = (name_of(entry), level)
            labels = {"cloud": self._settings["cloud"], "host": self._settings["host"], "unit": key[0], "level": level}
            made = streams.setdefault(key, {"stream": labels, "values": []})
            made["values"].append([str(microseconds(entry) * 1000), text_of(entry.get("MESSAGE"))])
        return list(streams.values())


def lines(cursor: str, journal: Sequence[str] = ("journalctl",)) -> subprocess.Popen[bytes]:
    """The journal's, from behind `cursor` on; else those of now. It ends when this process does."""
    words = [*journal, "--follow", "--all", "--output=json", "--quiet", "--no-pager"]
    words += [f"--after-cursor={cursor}", "--lines=all"] if cursor else ["--lines=0"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, bufsize=0)


def batches(stream: IO[bytes]) -> Iterator[list[Entry]]:
    """Lists of entries. A line that is none is left out."""
    os.set_blocking(stream.fileno(), False)
    rest, ends = b"", 0.0
    found: list[Entry] = []
    while True:
        now = time.monotonic()
        if found and (len(found) >= LINES or now >= ends):
            yield found
            found = []
        data = read(stream.fileno(), max(0.0, ends - now) if found else 3600.0)
        if data == b"":
            break
        *whole, rest = (rest + (data or b"")).split(b"\n")
        for line in whole:
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
                ends = ends if len(found) > 1 else time.monotonic() + WITHIN
    if found:
        yield found


def read(number: int, wait: float) -> bytes | None:
    """Some bytes; b"" at the end; None: nothing within `wait` seconds."""
    if not select.select([number], [], [], wait)[0]:
        return None
    return os.read(number, 1 << 16)


def kept(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii").strip()
    return ""


def keep(path: Path, cursor: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(cursor, encoding="ascii")
    fresh.replace(path)


def deliver(
    endpoint: Endpoint,
    entries: Sequence[Entry],
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Until they are taken. What is refused is said, and not sent again."""
    pause, began = AGAIN, 0.0
    while True:
        try:
            endpoint.send(entries)
        except RefusedError as error:
            say(f"{len(entries)} lines are refused: {error}")
            return
        except OSError as error:
            if not began:
                began = time.monotonic()
                say(f"the endpoint takes nothing, and is asked again: {error}")
            sleep(pause)
            pause = min(2 * pause, LONGEST)
        else:
            if began:
                say(f"the endpoint takes lines again, after {time.monotonic() - began:.0f} s")
            return


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(settings_path: str, cursor_path: str) -> int:
    settings: dict[str, str] = json.loads(Path(settings_path).read_text(encoding="utf-8"))
    cursor_file = Path(cursor_path)
    endpoint: Endpoint = Loki(settings) if settings["to"].startswith(("http://", "https://")) else Syslog(settings)
    with lines(kept(cursor_file)) as journal:
        assert journal.stdout
        try:
            for entries in batches(journal.stdout):
                deliver(endpoint, entries, say)
                if cursor := text_of(entries[-1].get("__CURSOR")):
                    keep(cursor_file, cursor)
        finally:
            journal.kill()
    say("the journal is not read any more")
    return 1  # systemd begins anew


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
