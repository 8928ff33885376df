"""YAML text as plain data, and where each of its values stands.

ruamel composes the text into nodes that know their line and column; `parse` turns those into dicts, lists and scalars,
and remembers the place of every path. Everything later that finds fault with a value asks `Places` where it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from fournines.cloud.limits import LimitError, limited
from fournines.errors import Problem

#: Keys and indices from the top of the file: ("regions", "phx", "hosts", "ctl1", "roles", 0).
Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_HALF = "this has half a character: \\ud800 to \\udfff are no characters of their own"


@dataclass(frozen=True, slots=True)
class Place:
    """1-based."""

    line: int
    column: int


class Node(Protocol):
    """What is used of ruamel's nodes, which carry no types."""

    id: str  # mapping | sequence | scalar
    tag: object
    value: Any  # pairs of nodes | nodes | text
    start_mark: Any


class Places:
    """Where each key and each value of one file stands. Empty for a cloud that was not read from a file."""

    def __init__(
        self,
        file: str = "",
        marks: Mapping[Path, tuple[Place, Place]] | None = None,
        texts: Mapping[Path, str] | None = None,
    ) -> None:
        self.file = file
        self._marks = marks or {}
        self._texts = texts or {}

    def __contains__(self, path: Path) -> bool:
        return path in self._marks

    def empty(self, path: Path) -> bool:
        """Whether `path` is in the file and has nothing inside."""
        return path in self and not any(p[:-1] == path for p in self._marks if p)

    def text(self, path: Path) -> str:
        """How the number at `path` is written, where that is not how Python writes it: `1.10`, `1e3`, `0o17`."""
        return self._texts.get(path, "")

    def find(self, path: Path, *, key: bool = False) -> Place:
        """The place of a value (of its key, if `key`); what is not in the file stands where its parent's key does."""
        marks = self._marks.get(path)
        if marks:
            return marks[0] if key else marks[1]
        return self.find(path[:-1], key=True) if path else Place(1, 1)

    def problem(self, path: Path, message: str, next: str = "", *, key: bool = False) -> Problem:
        place = self.find(path, key=key)
        return Problem(self.file, place.line, place.column, dotted(path), message, next)


def dotted(path: Path) -> str:
    """`regions.phx.hosts.ctl1.roles[0]`, as jq and yq write it: a key with other characters is quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." + (step if re.fullmatch(r"[\w-]+", step) else f'"{step}"')
    return text.removeprefix(".") or "."


def parse(text: str, file: str) -> tuple[Any, Places, list[Problem]]:
    """Data, places, and what is wrong with the YAML as such. Data is None where nothing could be read."""
    try:
        root = cast(Node | None, limited().compose(text))
        reader = _Reader(file)
        data = reader.read(root, ()) if root else None
    except MarkedYAMLError as error:
        marked = cast(Any, error)
        mark = marked.problem_mark or marked.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = ", ".join(str(s) for s in (marked.context, marked.problem) if s)
        return None, Places(file), [Problem(file, line, column, ".", f"this is not YAML: {said}")]
    except LimitError as error:
        return None, Places(file), [Problem(file, *error.place, ".", error.what, error.next)]
    except (
        YAMLError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        AssertionError,
        NotImplementedError,
    ) as error:
        # ruamel's scanner answers some malformed input (directives, reader errors) with its own internal exceptions.
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        return None, Places(file), [Problem(file, 1, 1, ".", f"this is not YAML: {said}")]
    return data, Places(file, reader.marks, reader.texts), reader.problems


class _Reader:
    """Nodes to data. Scalars follow YAML 1.2: `no` and `12:30` are text; keys are always text."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.marks: dict[Path, tuple[Place, Place]] = {}
        self.texts: dict[Path, str] = {}
        self.problems: list[Problem] = []
        self._scalars: Any = limited().constructor

    def read(self, node: Node, path: Path, key: Node | None = None) -> Any:
        self.marks[path] = (_place(key or node), _place(node))
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            items = cast(list[Node], node.value)
            return [self.read(item, (*path, i)) for i, item in enumerate(items)]
        return self._scalar(node, path)

    def _mapping(self, node: Node, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        for key, value in cast(list[tuple[Node, Node]], node.value):
            if key.id != "scalar":
                self._wrong(key, path, "a key must be one word, not a list or a mapping")
            elif _has_half_character(str(key.value)):
                self._wrong(key, path, _HALF)
            elif str(key.tag) == _MERGE:
                self._collect(value, path, merged, 0)
            elif (name := str(key.value)) in own:
                first = self.marks[(*path, name)][0]
                self._wrong(key, (*path, name), f"{name} is here twice; the first is on line {first.line}")
            else:
                own[name] = self.read(value, (*path, name), key)
        for name, (key, value) in merged.items():
            if name not in own:
                own[name] = self.read(value, (*path, name), key)
        return own

    def _collect(self, node: Node, path: Path, merged: dict[str, tuple[Node, Node]], depth: int) -> None:
        """The pairs behind `<<`: of one mapping, or of a list of them where the earlier wins."""
        if node.id == "sequence" and depth == 0:
            for item in cast(list[Node], node.value):
                self._collect(item, path, merged, 1)
        elif node.id == "mapping":
            pairs = cast(list[tuple[Node, Node]], node.value)
            for key, value in pairs:
                if key.id == "scalar" and str(key.tag) != _MERGE and not _has_half_character(str(key.value)):
                    merged.setdefault(str(key.value), (key, value))
            for key, value in pairs:
                if str(key.tag) == _MERGE:
                    self._collect(value, path, merged, 0)
        else:
            self._wrong(node, path, "`<<` takes a mapping or a list of mappings")

    def _scalar(self, node: Node, path: Path) -> Any:
        kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
        construct = {
            "bool": self._scalars.construct_yaml_bool,
            "int": self._scalars.construct_yaml_int,
            "float": self._scalars.construct_yaml_float,
        }
        if _has_half_character(text):
            self._wrong(node, path, _HALF)
        elif kind in ("str", "timestamp"):
            return text
        elif kind in construct:
            try:
                value = construct[kind](node)
                if kind != "bool" and str(value) != text:
                    self.texts[path] = text
                return value
            except (ValueError, LookupError, OverflowError):
                self._wrong(node, path, f"{text!r} is not a valid {kind}")
        elif kind != "null":
            self._wrong(node, path, f"the tag {node.tag} is not known here")
        return None

    def _wrong(self, node: Node, path: Path, message: str) -> None:
        place = _place(node)
        self.problems.append(Problem(self.file, place.line, place.column, dotted(path), message))


def _has_half_character(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
