"""Options that take away what the design rests on: a service says which of its own do, and what that costs.

`check` reports those that the operator sets so. `fatal`: the cloud does not work like that. Otherwise it works, and
bears less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

from fournines.cloud.model import Cloud


@dataclass(frozen=True)
class Setting:
    """An option as the operator sets it."""

    cloud: Cloud
    service: str
    file: str
    section: str
    value: Any


Undoes = Callable[[Setting], bool]

_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")


@dataclass(frozen=True)
class Guard:
    """section and option may be patterns with `*`. costs: what happens then. change: the way out."""

    file: str
    section: str
    option: str
    undoes: Undoes
    costs: str
    change: str
    fatal: bool = False


@runtime_checkable
class Guards(Protocol):
    guarded: ClassVar[tuple[Guard, ...]]


def is_set(setting: Setting) -> bool:
    """Whatever the value: fournines works it out."""
    return True


def several(setting: Setting) -> bool:
    """Wherever more than one host carries the service."""
    return spread(setting.cloud, setting.service)


def per_host(setting: Setting) -> bool:
    """One value for all hosts, of what each must have its own."""
    return several(setting)


def spread(cloud: Cloud, service: str) -> bool:
    return any(len(cloud.hosts_of(service, region)) > 1 for region in cloud.regions)


def when(*words: str) -> Undoes:
    """The value is one of `words`; "true" and "false" stand for all words of that meaning."""
    return lambda setting: any(_is(setting.value, word) for word in words)


def unless(*words: str) -> Undoes:
    return lambda setting: not any(_is(setting.value, word) for word in words)


def without(word: str) -> Undoes:
    """A list, or a text with commas, in which `word` is missing."""
    return lambda setting: word not in words_of(setting.value)


def having(*beginnings: str) -> Undoes:
    """A list, or a text with commas, of which some word begins with one of these."""
    return lambda setting: any(word.startswith(beginnings) for word in words_of(setting.value))


def below(least: float) -> Undoes:
    def undoes(setting: Setting) -> bool:
        try:
            return float(str(setting.value)) < least
        except ValueError:
            return False  # no number: `option-value` says so

    return undoes


def both(*all_of: Undoes) -> Undoes:
    return lambda setting: all(undoes(setting) for undoes in all_of)


def words_of(value: Any) -> list[str]:
    items = cast(list[Any], value) if isinstance(value, list) else str(value).split(",")
    return [str(item).strip() for item in items]


def _is(value: Any, word: str) -> bool:
    text = str(value).strip().strip("\"'").casefold()
    return text in (_TRUE if word == "true" else _FALSE if word == "false" else (word.casefold(),))
