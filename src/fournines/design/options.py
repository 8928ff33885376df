"""Options of services' own files: one that the service does not know is refused, for nothing would ever read it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, cast

from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.cloud.source import Path
from fournines.design.finding import Flaw

#: file -> section ("" where the file has none) -> options. Names may be patterns with `*`.
Known = Mapping[str, Mapping[str, Sequence[str]]]

_WHY = "nothing would read it: the setting would be written and have no effect"


@cache
def known(service: str) -> Known | None:
    """The options of `service`, from its package data; None: fournines does not know them."""
    source = files("fournines.services") / "known" / f"{service}.json"
    if not source.is_file():
        return None
    catalogue = cast(dict[str, Any], json.loads(source.read_text(encoding="utf-8")))
    # A name in place of sections: that catalogue's only file has them, such as uWSGI's.
    shared = {file: known(name) for file, name in catalogue.items() if isinstance(name, str)}
    return cast(Known, {**catalogue, **{file: next(iter(of.values())) for file, of in shared.items() if of}})


def unknown_option(cloud: Cloud) -> Iterator[Flaw]:
    for service, config in cloud.services.items():
        path: Path = ("services", service, "options")
        if not config.options:
            continue
        catalogue = known(service)
        if catalogue is None:
            why = "whether anything would read them cannot be told"
            yield Flaw(path, "error", f"fournines does not know the options of {service}", why, "remove them", key=True)
            continue
        for file, sections in config.options.items():
            if file not in catalogue:
                change = suggest(file, catalogue)
                yield _flaw((*path, file), f"{service} has no file {file} that takes options", change)
                continue
            for section, options in sections.items():
                yield from _section((*path, file), file, section, options, catalogue[file])


def _section(
    path: Path, file: str, section: str, options: Mapping[str, Any], catalogue: Mapping[str, Sequence[str]]
) -> Iterator[Flaw]:
    inside: Path = (*path, section) if section else path
    name = _match(section, catalogue)
    if name is None and not section:
        for option in options:
            change = f"put it into one of {file}'s sections: {suggest('', catalogue).removeprefix('known here: ')}"
            yield _flaw((*path, option), f"{option} is in no section of {file}", change)
    elif name is None:
        yield _flaw(inside, f"{file} has no section {section}", suggest(section, catalogue))
    else:
        for option in options:
            if _match(option, catalogue[name]) is None:
                where = f"[{section}] of {file}" if section else file
                yield _flaw((*inside, option), f"unknown option {option} in {where}", suggest(option, catalogue[name]))


def _match(name: str, patterns: Iterable[str]) -> str | None:
    return next((p for p in patterns if p == name), None) or next((p for p in patterns if fnmatchcase(name, p)), None)


def _flaw(path: Path, what: str, change: str) -> Flaw:
    return Flaw(path, "error", what, _WHY, change, key=True)
