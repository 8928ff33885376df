"""Options of services' own files: one that the service does not know is refused, for nothing would ever read it; so is
a value that it would not take."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.cloud.roles import family
from fournines.cloud.source import Path, dotted
from fournines.design.finding import Flaw, listed
from fournines.services import registry
from fournines.services.capabilities import AliasesSections, NamesSections
from fournines.services.options import Known, instead, known, match, misfit
from fournines.timing.resolve import resolve

_WHY = "nothing would read it: the setting would be written and have no effect"
#: What no section, option or line can hold in any of the files.
_ENDS = "[]{}\n"


def unknown_option(cloud: Cloud) -> Iterator[Flaw]:
    for service, config in cloud.services.items():
        path: Path = ("services", service, "options")
        if not config.options:
            continue
        catalogue = known(service, cloud.release)
        if catalogue is None:
            why = "whether anything would read them cannot be told"
            yield Flaw(path, "error", f"fournines does not know the options of {service}", why, "remove them", key=True)
            continue
        for file, sections in config.options.items():
            if file not in catalogue:
                yield _flaw((*path, file), f"{service} has no file {file} that takes options", suggest(file, catalogue))
                continue
            rule = _File(cloud, service, file, catalogue)
            for section, options in sections.items():
                yield from rule.section((*path, file), section, options)


def option_value(cloud: Cloud) -> Iterator[Flaw]:
    """Of options that are known: those that are not are no value's problem."""
    for service, config in cloud.services.items():
        for file, sections in config.options.items():
            catalogue = (known(service, cloud.release) or {}).get(file, {})
            for section, options in sections.items():
                named = match(section, catalogue)
                kinds: Mapping[str, str] = catalogue[named] if named is not None else {}
                for option, value in options.items():
                    name = match(option, kinds)
                    path: Path = ("services", service, "options", file, *([section] if section else []), option)
                    if name is not None:
                        yield from _value(cloud, path, option, kinds[name], value)


def unused_options(cloud: Cloud) -> Iterator[Flaw]:
    for service, config in cloud.services.items():
        if config.options and not any(cloud.hosts_of(service, region) for region in cloud.regions):
            yield Flaw(
                ("services", service),
                "warning",
                f"{service} has options, and no host of this cloud carries it",
                "they have no effect",
                f"{service} among `components:`, or remove them",
                key=True,
            )


def _value(cloud: Cloud, path: Path, option: str, kind: str, value: Any) -> Iterator[Flaw]:
    why = "the service would not start with it, or would take something else for it"
    if value is None and kind != "python":
        change = "remove the line to leave it to fournines, or write the value that is wanted"
        yield Flaw(path, "error", f"{option} has no value", "null is nothing that the file could say", change)
    elif expected := misfit(kind, value):
        yield Flaw(path, "error", f"{option} is {_shown(value)}: expected {expected}", why, f"write {expected}")
    elif kind in ("", "multi", "list", "words", "block") and (text := cloud.places.text(path)):
        what = f"{option} is {text}, which YAML reads as the number {value}"
        yield Flaw(path, "error", what, f"the file would say {value}", f'put it in quotes: "{text}"')


def _shown(value: Any) -> str:
    return "a list" if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else repr(value)


class _File:
    """What one file of one service may say in this cloud."""

    def __init__(self, cloud: Cloud, service: str, file: str, catalogue: Known) -> None:
        self.file = file
        self.service = service
        self.release = cloud.release
        self.known = catalogue[file]
        kind = registry().get(service)
        # With timers that cannot be used, what is written cannot be told.
        own = kind.sections(cloud, file) if isinstance(kind, NamesSections) and not resolve(cloud)[1] else None
        self.present = None if own is None else frozenset(own)
        self.aliases: Mapping[str, str] = kind.aliases.get(file, {}) if isinstance(kind, AliasesSections) else {}

    def section(self, path: Path, section: str, options: Mapping[str, Any]) -> Iterator[Flaw]:
        inside: Path = (*path, section) if section else path
        name = match(section, self.known)
        if self.present is not None and not self.present:
            yield _flaw(
                path, f"{self.file} is not written in this cloud", "remove it, or choose the pattern that uses it"
            )
        elif name is None and not section:
            for option in options:
                change = f"put it into one of {self.file}'s sections: {self._names()}"
                yield _flaw((*path, option), f"{option} is in no section of {self.file}", change)
        elif name is None or any(c in _ENDS for c in section):
            yield self._unknown(inside, section, options)
        elif self.present is not None and "*" in name and section not in self.present:
            exact = {s for s in self.known if "*" not in s}
            change = suggest(section, self.present | exact)
            yield _flaw(inside, f"{self.file} has no section {section} in this cloud", change)
        else:
            for option in options:
                if match(option, self.known[name]) is None or any(c in _ENDS for c in option):
                    where = f"[{section}] of {self.file}" if section else self.file
                    gone, change = instead(self.service, self.file, section, option, self.release)
                    what = (
                        f"{option} in {where} is no more in {gone}" if gone else f"unknown option {option} in {where}"
                    )
                    yield _flaw((*inside, option), what, change or self._instead(option, name))

    def _names(self) -> str:
        return suggest("", self.known).removeprefix("known here: ")

    def _unknown(self, path: Path, section: str, options: Collection[str]) -> Flaw:
        what = f"{self.file} has no section {section}"
        if alias := self.aliases.get(section):
            return _flaw(path, f"{what}: {section}'s options go under {alias}", f"put them under {alias}")
        if home := self._home(section, options):
            return _flaw(path, what, f"put it into {dotted(('services', home[0], 'options', home[1]))}")
        return _flaw(path, what, suggest(section, self.known))

    def _home(self, section: str, options: Collection[str]) -> tuple[str, str] | None:
        """The service of the same family, and its file, that has the section and most of the options."""
        found = [
            (len(set(options) & set(sections[section])), other, file)
            for other in registry()
            if family(other) == family(self.service)
            for file, sections in (known(other, self.release) or {}).items()
            if section in sections
        ]
        best = max(found, default=(0, "", ""), key=lambda f: f[0])
        return best[1:] if best[0] else None

    def _instead(self, option: str, section: str) -> str:
        elsewhere = [s for s, options in self.known.items() if option in options and "*" not in s]
        if elsewhere and len(elsewhere) <= 4:
            return f"it is an option of {listed((f'[{s}]' for s in sorted(elsewhere)), 'or')}"
        return suggest(option, self.known[section])


def _flaw(path: Path, what: str, change: str) -> Flaw:
    return Flaw(path, "error", what, _WHY, change, key=True)
