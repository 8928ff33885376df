"""Data against the schema: what can be used, and every problem of the rest.

pydantic stops at the model that is wrong. To report what else is wrong with the file in the same run, what failed is
taken out and the remainder is validated again, until it holds.
"""

from __future__ import annotations

import re
from types import NoneType, UnionType
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fournines.cloud.names import suggest
from fournines.cloud.schema import CloudFile
from fournines.cloud.source import Path, Places
from fournines.errors import Problem

#: What a missing part of the file, or of a region, is taken for while the rest of the file is looked at. By its whole
#: place: a LUN's `hosts` is a list, and a stand-in that does not fit would be taken out and put back for ever.
_STAND_INS: dict[str, Any] = {"cloud": "unnamed", "regions": {}}
_STAND_INS_OF_A_REGION: dict[str, Any] = {
    "vips": {"internal": "0.0.0.0", "public": "0.0.0.0"},  # noqa: S104 - an address, not a binding
    "networks": {},
    "zones": {},
    "hosts": {},
}


def validate(data: Any, places: Places) -> tuple[CloudFile | None, list[Problem]]:
    """The file's model without the parts that are wrong (None if it is no mapping at all), and what is wrong."""
    if not isinstance(data, dict):
        return None, [places.problem((), f"expected a mapping that begins with `cloud: NAME`, found {_shown(data)}")]
    problems: list[Problem] = []
    taken_out: set[Path] = set()
    while True:
        try:
            return CloudFile.model_validate(data), problems
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = _steps(detail)
                if path not in taken_out:
                    problems.append(_problem(detail, path, places))
                taken_out.update(path[:n] for n in range(1, len(path) + 1))
                data = without(data, path, _stand_in(path))


def _steps(detail: ErrorDetails) -> Path:
    """`loc` without pydantic's own mark for a mapping's key."""
    return tuple(s for s in detail["loc"] if s != "[key]")


def _stand_in(path: Path) -> Any:
    match path:
        case (str(name),):
            return _STAND_INS.get(name)
        case ("regions", _, str(name)):
            return _STAND_INS_OF_A_REGION.get(name)
        case _:
            return None


def without(data: Any, path: Path, stand_in: Any = None) -> Any:
    """`data` without the entry at `path`; a missing one gets `stand_in`, or takes what requires it along (None)."""
    head, rest = path[0], path[1:]
    if not isinstance(data, dict):
        return None  # a list with a hole means something else, and a short form has no entries
    copy = cast(dict[str | int, Any], data).copy()
    if head in copy:
        child = without(copy[head], rest, stand_in) if rest else None
        if child is None:
            del copy[head]
        else:
            copy[head] = child
    elif not rest:
        if stand_in is None:
            return None
        copy[head] = stand_in
    return copy


def _problem(detail: ErrorDetails, path: Path, places: Places) -> Problem:
    value = detail["input"]
    if detail["type"] != "missing" and path not in places:
        path = path[:-1]  # the field that a short form stands for
    match detail["type"]:
        case "extra_forbidden":
            hint = suggest(str(path[-1]), _model(path[:-1]).model_fields)
            return places.problem(path, f"unknown key {path[-1]}", hint, key=True)
        case "missing":
            about = _model(path[:-1]).model_fields[str(path[-1])].description
            hint = f"add {path[-1]}" + (f" ({about})" if about else "")
            return places.problem(path, f"{path[-1]} is missing", hint)
        case "value_error":
            next = getattr(detail.get("ctx", {}).get("error"), "next", "")
            return places.problem(path, detail["msg"].removeprefix("Value error, "), next, key="[key]" in detail["loc"])
        case "literal_error":
            expected = re.findall(r"'([^']*)'", detail.get("ctx", {}).get("expected", ""))
            hint = f'write "{value}"' if str(value) in expected else suggest(str(value), expected)
            return places.problem(path, f"{_shown(value)} is not known here", hint)
        case "greater_than_equal" | "less_than_equal":
            bound = detail.get("ctx", {})
            limit = f"at least {bound['ge']}" if "ge" in bound else f"at most {bound['le']}"
            return places.problem(path, f"expected {limit}, found {value}")
        case kind:
            hint = f'put it in quotes: "{value}"' if kind == "string_type" and isinstance(value, (int, float)) else ""
            return places.problem(path, f"{_EXPECTED.get(kind, detail['msg'])}, found {_shown(value)}", hint)


_EXPECTED = {
    "string_type": "expected text",
    "string_too_short": "expected some text",
    "int_type": "expected a whole number",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "too_short": "expected at least one entry",
}


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return repr(value)


def _model(path: Path) -> type[BaseModel]:
    """The model that describes the mapping at `path`."""
    kind: Any = CloudFile
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[str(step)].annotation
        else:
            kind = get_args(kind)[1]
        if hasattr(kind, "__metadata__"):
            kind = get_args(kind)[0]
        if isinstance(kind, UnionType):  # of what may be left out
            kind = next(one for one in get_args(kind) if one is not NoneType)
    return cast(type[BaseModel], kind)
