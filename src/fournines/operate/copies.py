"""Taking, verifying and loading backups: the parts that touch hosts and disks."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud
from fournines.engine.transport import ManagedHost
from fournines.errors import BackupError, FourninesError
from fournines.health.cluster import RegionState
from fournines.health.look import look
from fournines.operate import backup, sealed
from fournines.operate.backup import MANIFEST, STATE, Manifest, Part
from fournines.services import database_copies
from fournines.services.broker import SHARED

Say = Callable[[str], None]
#: Seconds of silence after which a host is declared dead: the longest is the preparing of a large copy.
SILENCE = 3600.0
#: Whose definitions of the bus and rings of Swift are kept: what `apply` cannot make again, or an expert may want.
_DEFINITIONS = "rabbitmqctl -q export_definitions /dev/stdout"
_RINGS = "cd /etc/swift && tar -cf - *.builder *.ring.gz 2>/dev/null"


@dataclass(frozen=True)
class Answer:
    """What a restored copy said (`programs/database_copy.py`)."""

    rows: Mapping[str, int]
    position: str
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """A backup in directory `path`, and the key that opens it."""

    path: Path
    manifest: Manifest
    key: str = field(repr=False)

    def part(self, name: str) -> tuple[Path, str, str]:
        """File, key and name of a part, for `asked`."""
        return self.path / f"{name}.sealed", self.key, name


async def take(
    cloud: Cloud, hosts: Mapping[str, ManagedHost], directory: Path, key: str, say: Say, *, verify: bool = True
) -> Stored:
    """A new backup in `directory`, complete or not there at all. Raises BackupError, HostError."""
    seen = await look(cloud, hosts, {})
    now = datetime.now(UTC)
    name = backup.directory_name(cloud.name, now)
    with _whole(directory, cloud.name, name) as place:
        parts: dict[str, Part] = {}
        rows: dict[str, Mapping[str, int]] = {}
        positions: dict[str, str] = {}
        sources = {region.region.name: source(region) for region in seen.regions}
        for region, host in sources.items():
            part = backup.database_part(region)
            say(f"{host}: copying the database of {region}")
            parts[part] = await _database(hosts[host], place / f"{part}.sealed", key, part)
        with _Writing(place / f"{STATE}.sealed", key, STATE) as into:
            into.write(await state(cloud, hosts))
        parts[STATE] = into.part()
        for region, host in sources.items() if verify else ():
            part = backup.database_part(region)
            say(f"{host}: restoring the copy beside the database, and asking it")
            answer = await asked(hosts[host], "verify", place / f"{part}.sealed", key, part)
            _require_sound(answer, host)
            rows[region], positions[region] = answer.rows, answer.position
        stamp = now.isoformat(timespec="seconds")
        fingerprint = sealed.fingerprint(key)
        manifest = Manifest(cloud.name, cloud.release, stamp, fingerprint, parts, positions, rows)
        _write(place / MANIFEST, backup.dumps(manifest, key).encode())
    return Stored(directory / name, manifest, key)


def source(region: RegionState) -> str:
    """The node to copy: in step, and not the one that takes the writes, if there is another. Raises BackupError."""
    synced = [name for name, g in region.galera.items() if g.state == "Synced"]
    if not region.galera and region.writers:
        return region.writers[0]  # of one that moves, where it is now
    if not synced:
        raise BackupError(
            f"no database node of {region.region.name} is in step",
            where=", ".join(region.galera),
            next="fournines status CLOUD says what is wrong",
        )
    return [*region.writers, *(name for name in synced if name not in region.writers)][-1]


async def verify(
    stored: Stored, hosts: Mapping[str, ManagedHost], regions: Mapping[str, str], say: Say
) -> dict[str, Mapping[str, int]]:
    """region -> table -> rows of the copies, each restored on a host (`regions`: region -> host). Raises BackupError
    when a part is damaged, or a copy is not what it was when it was taken."""
    intact(stored.path, stored.manifest)
    rows: dict[str, Mapping[str, int]] = {}
    for region, host in regions.items():
        say(f"{host}: restoring the copy beside the database, and asking it")
        answer = await asked(hosts[host], "verify", *stored.part(backup.database_part(region)))
        _require_sound(answer, host)
        then = stored.manifest.rows.get(region)
        if then is not None and (moved := backup.differences(then, answer.rows)):
            why = "\n        ".join(moved[:10])
            raise BackupError("this backup is not what was taken", where=str(stored.path), why=why)
        rows[region] = answer.rows
    return rows


def intact(path: Path, manifest: Manifest) -> None:
    """Raises BackupError when a file of the backup is missing or not the one that was written."""
    for name, part in manifest.parts.items():
        file = path / f"{name}.sealed"
        try:
            size = file.stat().st_size
            digest = hashlib.sha256()
            for piece in _pieces(file):
                digest.update(piece)
        except OSError as error:
            raise BackupError("a part of this backup cannot be read", where=str(file), why=str(error)) from error
        if size != part.size or digest.hexdigest() != part.sha256:
            raise BackupError(
                "a part of this backup is damaged",
                where=str(file),
                why=f"it has {size} bytes, {part.size} were written" if size != part.size else "its bytes are others",
                next=f"use another backup: fournines backup list {path.parent}",
            )


async def asked(host: ManagedHost, action: str, file: Path, key: str, part: str) -> Answer:
    """`action` of database-copy on `host`, with the copy in `file`. Raises BackupError."""
    said = bytearray()
    try:
        done = await host.pour(
            f"exec {database_copies.PROGRAM} {action}",
            sealed.opened(key, part, _pieces(file)),
            said.extend,
            timeout=SILENCE,
        )
    except sealed.DamagedError as error:
        raise BackupError(
            "a part of this backup is damaged, or encrypted with another key", where=str(file), why=str(error)
        ) from error
    if done.status:
        raise _failed(host.host, f"{database_copies.PROGRAM} {action}", done.stderr)
    document: dict[str, Any] = json.loads(said)
    return Answer(document["rows"], document["position"], tuple(document["wrong"]))


def _require_sound(answer: Answer, host: str) -> None:
    if answer.wrong:
        raise BackupError(
            "the restored copy is not sound",
            where=host,
            why="\n        ".join(answer.wrong[:10]),
            next="fournines status CLOUD; then take another backup",
        )


async def _database(host: ManagedHost, file: Path, key: str, part: str) -> Part:
    with _Writing(file, key, part) as into:
        done = await host.pour(f"exec {database_copies.PROGRAM} take", (), into.write, timeout=SILENCE)
        if done.status:
            raise _failed(host.host, f"{database_copies.PROGRAM} take", done.stderr)
    return replace(into.part(), source=host.host)


def _failed(host: str, command: str, said: str) -> BackupError:
    missing = "not found" in said
    return BackupError(
        f"the database cannot be copied on {host}",
        where=host,
        why=said.strip()[-1000:] or f"{command} said nothing",
        next="fournines apply CLOUD: it puts the program there" if missing else "fournines status CLOUD",
    )


async def state(cloud: Cloud, hosts: Mapping[str, ManagedHost]) -> bytes:
    """tar.gz of what the cloud is beside its database: the cloud file, its secrets and certificates, definitions of the
    bus, rings of Swift."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        secrets = cloud.source.parent / f"{cloud.name}.secrets.yaml"
        for file in (cloud.source, secrets, cloud.tls.certificate, cloud.tls.key, cloud.tls.ca):
            if file and file.is_file():
                _add(archive, f"cloud/{file.name}", file.read_bytes())
        for region in cloud.regions:
            for service, name, script in (
                ("rabbitmq", "rabbitmq-definitions.json", _DEFINITIONS),
                ("rabbitmq_shared", "rabbitmq-definitions.json", f"{SHARED.here} || exit 0\n{_DEFINITIONS}"),
                ("swift", "swift-rings.tar", _RINGS),
            ):
                for host in cloud.hosts_of(service, region):
                    said = bytearray()
                    await hosts[host.name].pour(script, (), said.extend, timeout=120.0)
                    if said:  # of what runs on one host alone, the others have nothing
                        _add(archive, f"{region}/{name}", bytes(said))
                        break
    return out.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def extract(stored: Stored, target: Path) -> list[str]:
    """What `state` has put together, as files in `target`, for their owner alone. Raises BackupError."""
    file, key, _ = stored.part(STATE)
    intact(stored.path, replace(stored.manifest, parts={STATE: stored.manifest.parts[STATE]}))
    try:
        content = b"".join(sealed.opened(key, STATE, _pieces(file)))
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive.getmembers():
                if (target / entry.name).exists():
                    raise BackupError(f"{target / entry.name} exists", next="--to another directory: nothing is lost")
            archive.extractall(target, filter="data")
            return archive.getnames()
    except sealed.DamagedError as error:
        raise BackupError("a part of this backup is damaged", where=str(file), why=str(error)) from error
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"nothing can be written to {target}", why=str(error)) from error


class _Writing:
    """A part on its way to a file."""

    def __init__(self, file: Path, key: str, part: str) -> None:
        self._sealer = sealed.Sealer(key, part)
        self._file = file
        self._size, self._digest = 0, hashlib.sha256()

    def __enter__(self) -> _Writing:
        self._out = os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        return self

    def write(self, plain: bytes) -> None:
        self._put(self._sealer.update(plain))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._out:
            if kind is None:
                self._put(self._sealer.finish())
                self._out.flush()
                os.fsync(self._out.fileno())

    def part(self) -> Part:
        return Part(self._size, self._digest.hexdigest())

    def _put(self, content: bytes) -> None:
        self._out.write(content)
        self._digest.update(content)
        self._size += len(content)


@contextmanager
def _whole(directory: Path, cloud: str, name: str) -> Generator[Path]:
    """A new directory that has its name only when everything is in it. What earlier runs left unfinished goes."""
    partial = f".{cloud}.partial"
    place = directory / partial
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        yield place
        place.rename(directory / name)
    except OSError as error:
        raise BackupError(f"{directory} cannot take a backup", why=error.strerror or str(error)) from error
    finally:
        with suppress(OSError):
            shutil.rmtree(place, ignore_errors=True)


def _write(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _pieces(file: Path) -> Iterable[bytes]:
    with file.open("rb") as source:
        while piece := source.read(1 << 18):
            yield piece


def key_of(file: Path, *, make: bool) -> str:
    """The backup key in `file`; with `make`, a new one where there is none. Raises BackupError."""
    try:
        if not file.exists() and make:
            _write(file, (sealed.new_key() + "\n").encode())
        if file.stat().st_mode & 0o077:
            raise BackupError(f"{file} is open to other users", why="it opens every backup", next=f"chmod 600 {file}")
        key = file.read_text().strip()
        if len(bytes.fromhex(key)) != 32:
            raise ValueError("not 64 hexadecimal digits")
    except FourninesError:
        raise
    except OSError as error:
        raise BackupError(
            f"the backup key {file} cannot be read",
            why=error.strerror or str(error),
            next="--key FILE: your copy of the key; without it no backup can be opened",
        ) from error
    except ValueError as error:
        raise BackupError(f"{file} is no backup key", why=str(error), next="--key FILE: the right one") from error
    return key
