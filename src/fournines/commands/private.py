"""Files that are replaced as a whole: those that only their owner may read, and the cloud file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fournines.errors import FourninesError


def write_private(path: Path, text: str) -> None:
    """What holds secrets is never readable by others, not even for a moment; whole or not at all. Written by root, it
    belongs to whom its directory belongs to. Raises `FourninesError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            if os.geteuid() == 0:
                directory = path.parent.stat()
                os.fchown(file.fileno(), directory.st_uid, directory.st_gid)
        temporary.replace(path)
    except OSError as error:
        raise FourninesError(f"{path} cannot be written", why=error.strerror or str(error)) from error


def rewrite(path: Path, text: str) -> None:
    """Replaces a file, whole or not at all, with the mode and the owner that it has. Raises `FourninesError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        if path.exists():
            there = path.stat()
            temporary.chmod(stat.S_IMODE(there.st_mode))
            if os.geteuid() == 0:
                os.chown(temporary, there.st_uid, there.st_gid)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FourninesError(f"{path} cannot be written", why=error.strerror or str(error)) from error
