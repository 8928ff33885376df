"""Programs of the machine, run to their end."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from fournines.errors import LabError


def run(argv: Sequence[str], *, stdin: str = "", timeout: float = 30.0) -> str:
    """The standard output of `argv`. Raises LabError with its last error line when it fails, is missing or hangs."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed", next="sudo scripts/bootstrap.sh") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{argv[0]} did not end within {timeout:g} s", where=" ".join(argv)) from None
    if done.returncode != 0:
        raise LabError(
            f"{argv[0]} failed with status {done.returncode}",
            where=" ".join(argv),
            why=done.stderr.strip() or done.stdout.strip(),
        )
    return done.stdout
