"""The options that each service's own files have, and what kind of value each takes.

Kinds, as `known/*.json` has them: "" any one line of text · bool · int LOW..HIGH · float LOW..HIGH · size LOW..HIGH (a
whole number, or one with K, M, G or T) · choice A|B · anycase A|B · ip · list KIND (one line, joined by commas) · multi
KIND (a line each) · words (one line, joined by blanks) · block (lines of their own) · python (a literal).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from ipaddress import ip_address
from typing import Any, cast

from fournines.cloud.model import Cloud
from fournines.cloud.releases import up_to
from fournines.cloud.versions import FIRST

#: file -> section ("" where the file has none) -> option -> kind. Names may be patterns with `*`.
Known = Mapping[str, Mapping[str, Mapping[str, str]]]

#: oslo.config's own words (oslo_config.types.Boolean).
_BOOLEAN = ("true", "false", "1", "0", "on", "off", "yes", "no")
_UNITS = {unit: 1024**power for power, unit in enumerate(("", "K", "M", "G", "T"))}


@cache
def known(service: str, release: str = FIRST) -> Known | None:
    """The options of `service` in `release`, from its package data; None: fournines does not know them."""
    if release == FIRST:
        return _known(service)
    found = known(service)
    return None if found is None else {file: _of(release, service, file, of) for file, of in found.items()}


def _of(release: str, service: str, file: str, sections: Mapping[str, Mapping[str, str]]) -> Any:
    made = {name: dict(options) for name, options in sections.items()}
    for step in up_to(release):
        for section, added in step.differences("added", service, file).items():
            made.setdefault(section, {}).update(added)
        for section, removed in step.differences("removed", service, file).items():
            made[section] = {name: kind for name, kind in made.get(section, {}).items() if name not in removed}
    return made


def instead(service: str, file: str, section: str, option: str, release: str) -> tuple[str, str]:
    """The release, up to `release`, in which an option is no more, and what to do; ("", "") for one that never was."""
    for step in up_to(release):
        if said := step.differences("removed", service, file).get(section, {}).get(option):
            return step.name, said
    return "", ""


def renamed(service: str, file: str, release: str, sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`sections`, whose options have the names that `release` gives them."""
    names: dict[str, dict[str, str]] = {}
    for step in up_to(release):
        for section, said in step.differences("renamed", service, file).items():
            names.setdefault(section, {}).update(said)
    return {
        section: {names.get(section, {}).get(name, name): value for name, value in options.items()}
        for section, options in sections.items()
    }


def _known(service: str) -> Known | None:
    source = files("fournines.services") / "known" / f"{service}.json"
    if not source.is_file():
        return None
    catalogue = cast(dict[str, Any], json.loads(source.read_text(encoding="utf-8")))
    # A name in place of sections: that catalogue's only file has them, such as uWSGI's.
    shared = {file: _known(name) for file, name in catalogue.items() if isinstance(name, str)}
    return cast(Known, {**catalogue, **{file: next(iter(of.values())) for file, of in shared.items() if of}})


def match(name: str, patterns: Iterable[str]) -> str | None:
    """The name itself, or the first pattern that it fits."""
    names = tuple(patterns)
    return name if name in names else next((p for p in names if "*" in p and fnmatchcase(name, p)), None)


def kind(service: str, file: str, section: str, option: str, release: str = FIRST) -> str:
    """ "" too for what is not known."""
    sections = (known(service, release) or {}).get(file, {})
    options = sections.get(match(section, sections) or "", {})
    return options.get(match(option, options) or "", "")


def operators(cloud: Cloud, service: str, file: str) -> dict[str, dict[str, Any]]:
    """The operator's options for one file, each list as the option's kind has it: one line, or several."""
    return {
        section: {
            name: _lined(kind(service, file, section, name, cloud.release), value) for name, value in options.items()
        }
        for section, options in cloud.options(service, file).items()
    }


def _lined(of: str, value: Any) -> Any:
    if not isinstance(value, list) or of.partition(" ")[0] in ("multi", "block", "python"):
        return cast(Any, value)
    between = " " if of == "words" else ","
    return between.join(_text(item) for item in cast(list[Any], value))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def misfit(of: str, value: Any) -> str:
    """What a value of kind `of` would be, where `value` is none; "" where it fits."""
    head, _, rest = of.partition(" ")
    if head == "python":
        return ""
    if isinstance(value, list):
        items = cast(list[Any], value)
        if head in ("", "list", "multi", "words", "block"):
            return next((said for item in items if (said := _item(head, rest, item))), "")
        return f"{_described(head, rest)}, one only"
    return _item(head, rest, value) if head in ("list", "multi") else _single(head, rest, value)


def _item(head: str, rest: str, item: Any) -> str:
    if head == "list" and isinstance(item, str) and rest:
        # A text may hold a list that is already joined.
        return next((said for part in item.split(",") if (said := misfit(rest, part.strip()))), "")
    return misfit(rest, item) if head in ("list", "multi") else _single(head, rest, item)


def _single(head: str, rest: str, value: Any) -> str:
    text = _text(value).strip()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        fits = False
    elif head == "bool":
        fits = text.lower() in _BOOLEAN
    elif head in ("int", "float", "size"):
        number = _number(head, value, text)
        fits = number is not None and _within(number, rest)
    elif head in ("choice", "anycase"):
        words = rest.split("|")
        fits = text in words or (head == "anycase" and text.casefold() in map(str.casefold, words))
    elif head == "ip":
        fits = _is_address(text)
    else:
        fits = True
    return "" if fits else _described(head, rest)


def _number(head: str, value: Any, text: str) -> float | None:
    """None: no number of that kind. `true` is none, nor is 1e3 a whole one."""
    if isinstance(value, bool):
        return None
    if head == "float":
        try:
            number = float(text)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    matched = re.fullmatch(r"([+-]?[0-9]{1,30})([KMGT]?)", text.upper() if head == "size" else text)
    return int(matched[1]) * _UNITS[matched[2]] if matched and (head == "size" or not matched[2]) else None


def _within(number: float, bounds: str) -> bool:
    low, _, high = bounds.partition("..")
    return (not low or number >= float(low)) and (not high or number <= float(high))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _described(head: str, rest: str) -> str:
    """Completes "expected …"."""
    low, _, high = rest.partition("..")
    high = "" if len(high) > 12 else high  # of the machine's own, not of the option's
    bounds = (
        f" from {low} to {high}" if low and high else f" of at least {low}" if low else f" up to {high}" if high else ""
    )
    words = {
        "bool": "true or false",
        "int": f"a whole number{bounds}",
        "float": f"a number{bounds}",
        "size": f"a whole number{bounds}, or one with K, M, G or T",
        "choice": " or ".join(rest.split("|")),
        "anycase": " or ".join(rest.split("|")),
        "ip": "an IP address",
    }
    return words.get(head, "text, or a number")
