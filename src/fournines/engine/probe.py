"""What one probe asks and what it answers: the two ends of `scripts/probe.sh`, pure.

Files are matched by name and names are NUL-terminated, so any name that a file can have works.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import resources

from fournines.services.resource import Fact

SCRIPT = resources.files("fournines.engine").joinpath("scripts/probe.sh").read_text()
HEADER = "fournines-probe"
_NO_UNIT = "unknown unknown"  # systemd does not answer: neither running nor stopped, so no unit is as wanted


class GarbledError(Exception):
    """The reply is not complete: the host ran out of memory, processes or time half-way."""


def request(facts: Sequence[Fact]) -> bytes:
    """stdin of the probe. Facts are unique."""
    names = {kind: b"".join(f.subject.encode() + b"\0" for f in facts if f.kind == kind) for kind in _LISTED}
    snippets = [f.subject.encode() for f in facts if f.kind == "shell"]
    head = " ".join([*(str(len(names[kind])) for kind in _LISTED), str(len(snippets))])
    return b"".join([head.encode(), b"\n", *names.values(), *(b"%d\n%b" % (len(s), s) for s in snippets)])


_LISTED = ("path", "unit", "package", "text")


def replies(facts: Sequence[Fact], output: str) -> dict[Fact, str]:
    """The reply to each of `facts`, as `Fact` describes it. Raises `GarbledError`."""
    _, header, body = output.partition(f"\0{HEADER}\0")
    if not header or not f"\0{body}".endswith("\0.\0"):
        raise GarbledError(output[-200:])
    kinds, digests = dict[str, str](), dict[str, str]()
    units, packages = "", ""
    texts, snippets = list[str](), dict[int, str]()
    for record in body.split("\0")[:-2]:
        tag, rest = record[:1], record[1:]
        if tag == "P":
            kind, mode, owner, group, path = rest.split(" ", 4)
            kinds[path] = f"{_KINDS.get(kind, 'other')} {mode} {owner} {group}"
        elif tag == "U":
            units = rest
        elif tag == "K":
            packages = rest
        elif tag == "T":
            texts.append(_text(rest))
        elif tag == "S":
            number, said, reply = rest.partition("=")
            snippets[int(number)] = reply if said else "absent"
        else:  # sha256sum: digest, two characters, name
            digests[record[66:]] = record[:64]
    listed = {
        "unit": iter(_units(units)),
        "text": iter(texts),
        "shell": iter(reply for _, reply in sorted(snippets.items())),
    }
    versions = _packages(packages)
    result: dict[Fact, str] = {}
    for fact in facts:
        if fact.kind == "path":
            result[fact] = _path(kinds.get(fact.subject), digests.get(fact.subject))
        elif fact.kind == "package":
            result[fact] = versions.get(fact.subject, "absent")
        else:
            result[fact] = next(listed[fact.kind], _NO_UNIT if fact.kind == "unit" else "absent")
    return result


_KINDS = {"f": "file", "d": "dir"}


def _path(kind: str | None, digest: str | None) -> str:
    if kind is None:
        return "absent"
    if kind.startswith("file "):
        return f"{kind} {digest or '-'}"
    return kind


def _text(record: str) -> str:
    if not record:
        return "absent"
    return "text " + base64.b64decode(record[1:]).decode(errors="replace")


def _units(text: str) -> list[str]:
    """`systemctl show` prints one block a unit, in the order asked."""
    replies: list[str] = []
    for block in text.strip().split("\n\n") if text.strip() else ():
        shown = {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}
        enabled = shown.get("UnitFileState") or shown.get("LoadState", "unknown")
        replies.append(f"{shown.get('ActiveState', 'unknown')} {enabled}")
    return replies


def _packages(text: str) -> dict[str, str]:
    """Only `ii` is installed: a half-configured package is still to be done."""
    installed: dict[str, str] = {}
    for line in text.splitlines():
        match line.split():
            case ["ii", name, version]:
                installed[name] = version
            case _:
                pass
    return installed
