"""What one probe asks and what it answers: the two ends of `scripts/probe.sh`, pure.

Files are matched by name and names are NUL-terminated, so any name that a file can have works.
"""

from __future__ import annotations

import base64
import itertools
import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib import resources

from fournines.services.resource import Fact, FactKind

_SCRIPTS = resources.files("fournines.engine").joinpath("scripts")
SCRIPT = _SCRIPTS.joinpath("probe.sh").read_text()
_FORKS = _SCRIPTS.joinpath("forks.py").read_bytes()
HEADER = "fournines-probe"
_NO_UNIT = "unknown unknown"  # systemd does not answer: neither running nor stopped, so no unit is as wanted


class GarbledError(Exception):
    """The reply is not complete: the host ran out of memory, processes or time half-way."""


def request(facts: Sequence[Fact]) -> bytes:
    """stdin of the probe. Facts are unique."""
    names = {kind: b"".join(f.subject.encode() + b"\0" for f in facts if f.kind == kind) for kind in _LISTED}
    snippets = [f.subject.encode() for f in facts if f.kind == "shell"]
    files = [shlex.split(f.subject) for f in facts if f.kind == "python"]
    forked = (_FORKS, json.dumps(files).encode()) if files else (b"", b"")
    sizes = (*(len(names[kind]) for kind in _LISTED), len(snippets), *map(len, forked))
    head = " ".join(map(str, sizes)).encode()
    return b"".join([head, b"\n", *names.values(), *(b"%d\n%b" % (len(s), s) for s in snippets), *forked])


_LISTED = ("path", "unit", "package", "text")


def replies(facts: Sequence[Fact], output: str) -> dict[Fact, str]:
    """The reply to each of `facts`, as `Fact` describes it. Raises `GarbledError`."""
    _, header, body = output.partition(f"\0{HEADER}\0")
    if not header or not f"\0{body}".endswith("\0.\0"):
        raise GarbledError(output[-200:])
    kinds, digests = dict[str, str](), dict[str, str]()
    units, packages = "", ""
    contents = list[str]()
    ran = {"S": dict[int, str](), "C": dict[int, str]()}
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
            contents.append(_text(rest))
        elif tag in ran:
            number, said, reply = rest.partition("=")
            ran[tag][int(number)] = reply if said else "absent"
        else:  # sha256sum: digest, two characters, name
            digests[record[66:]] = record[:64]
    versions, states, texts = _packages(packages), _units(units), iter(contents)
    numbers = {tag: itertools.count() for tag in ran}
    answers: dict[FactKind, Callable[[str], str]] = {
        "path": lambda path: _path(kinds.get(path), digests.get(path)),
        "unit": lambda unit: states[unit],
        "package": lambda package: versions.get(package, "absent"),
        # These are in the order asked.
        "text": lambda _: next(texts, "absent"),
        "shell": lambda _: ran["S"].get(next(numbers["S"]), "absent"),
        "python": lambda _: ran["C"].get(next(numbers["C"]), "absent"),
    }
    return {fact: answers[fact.kind](fact.subject) for fact in facts}


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


def _units(text: str) -> Mapping[str, str]:
    """Rows of `list-units`, an empty line once systemd has answered, rows of `list-unit-files`."""
    loaded, answered, files = f"\n{text}".partition("\n\n")
    if not answered:
        return defaultdict(lambda: _NO_UNIT)
    enabled = {name: state for name, state, *_ in map(str.split, files.splitlines())}
    units = defaultdict(lambda: "inactive not-found", {name: f"inactive {state}" for name, state in enabled.items()})
    for name, load, active, *_ in map(str.split, loaded.splitlines()[1:]):
        units[name] = f"{active} {enabled.get(name, load)}"
    return units


def _packages(text: str) -> dict[str, str]:
    """`ii`, and `hi`: held by the operator. A half-configured package is still to be done."""
    installed: dict[str, str] = {}
    for line in text.splitlines():
        match line.split():
            case ["ii" | "hi", name, version]:
                installed[name] = version
            case _:
                pass
    return installed
