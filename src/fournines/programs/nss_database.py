"""A certificate database of NSS, from PEM files: what programs that know no others read (corosync's quorum device).

    nss-database state NAME    `ok` when it holds what the PEM files hold
    nss-database make NAME     makes it anew

SETTINGS/NAME.json: {"directory": path, "group": who reads it, "nickname": of the certificate, "pem": its file, with its
key, "authorities": file of those that sign for the other side}
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/fournines/nss")
#: In the database's folder: what it was made from.
DIGEST = "fournines.sha256"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


def settings(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SETTINGS / f"{name}.json").read_text())
    return found


def digest(wanted: dict[str, Any]) -> str:
    texts = (Path(wanted[file]).read_bytes() for file in ("pem", "authorities"))
    return hashlib.sha256(json.dumps(wanted).encode() + b"\0".join(texts)).hexdigest()


def state(wanted: dict[str, Any]) -> str:
    try:
        recorded = (Path(wanted["directory"]) / DIGEST).read_text()
    except FileNotFoundError:
        return "absent"
    return "ok" if recorded == digest(wanted) else "made from other certificates"


def make(wanted: dict[str, Any]) -> None:
    """Complete, or as before: the new one takes the old one's place."""
    directory = Path(wanted["directory"])
    new, old = directory.with_name(f".{directory.name}.new"), directory.with_name(f".{directory.name}.old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    directory.parent.mkdir(parents=True, exist_ok=True)
    new.mkdir(mode=0o700)
    database = f"sql:{new}"
    # No password: what protects it is who may read it.
    run("certutil", "-N", "-d", database, "--empty-password")
    for number, authority in enumerate(_CERTIFICATE.findall(Path(wanted["authorities"]).read_text()), start=1):
        trusted = ("-n", f"authority {number}", "-t", "CT,,")
        run("certutil", "-A", "-d", database, *trusted, text=authority)
    bundle = new / "bundle.p12"
    export = ("-export", "-in", wanted["pem"], "-name", wanted["nickname"], "-passout", "pass:", "-out", str(bundle))
    run("openssl", "pkcs12", *export)
    run("pk12util", "-i", str(bundle), "-d", database, "-W", "", "-K", "")
    bundle.unlink()
    (new / DIGEST).write_text(digest(wanted))
    for path in (new, *new.iterdir()):
        shutil.chown(path, "root", wanted["group"])
        path.chmod(0o750 if path.is_dir() else 0o640)
    if directory.exists():
        shutil.move(directory, old)  # no rename: the package's own folder may lie in another layer of the file system
    new.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def run(*command: str, text: str = "") -> None:
    """Raises SystemExit with what it said."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} ends with {done.returncode}: {(done.stderr or done.stdout).strip()}")


def main(words: list[str]) -> None:
    match words:
        case ["state", name]:
            print(state(settings(name)))
        case ["make", name]:
            make(settings(name))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
