"""Options by which the operator takes away what the design rests on (`services.guard`)."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, cast

from fournines.cloud.model import Cloud
from fournines.cloud.source import Path
from fournines.design.finding import Flaw
from fournines.services import registry
from fournines.services.guard import Guard, Guards, Setting, is_set


def broken(cloud: Cloud) -> Iterator[Flaw]:
    for path, guard, value in _undone(cloud):
        if guard.fatal:
            yield Flaw(path, "error", f"{path[-1]} is {value}", guard.costs, guard.change)


def weakened(cloud: Cloud) -> Iterator[Flaw]:
    for path, guard, value in _undone(cloud):
        if not guard.fatal:
            yield Flaw(path, "warning", f"{path[-1]} is {value}", guard.costs, guard.change)


def _undone(cloud: Cloud) -> Iterator[tuple[Path, Guard, str]]:
    """Where it is, what guards it, the value for people; one that may hold a password is not shown."""
    for name, config in cloud.services.items():
        service = registry()[name]
        if not isinstance(service, Guards):
            continue
        for file, sections in config.options.items():
            guards = [g for g in service.guarded if g.file == file]
            for section, options in sections.items():
                for option, value in options.items():
                    found = (g for g in guards if fnmatchcase(section, g.section) and fnmatchcase(option, g.option))
                    setting = Setting(cloud, name, file, section, value)
                    if guard := next((g for g in found if g.undoes(setting)), None):
                        inside = [section] if section else []
                        shown = "set" if guard.undoes is is_set else _shown(value)
                        yield ("services", name, "options", file, *inside, option), guard, shown


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, cast(list[Any], value)))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
