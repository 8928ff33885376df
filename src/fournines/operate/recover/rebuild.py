"""The cloud's secrets, rebuilt from what hosts have, where the file that held them is lost.

No service is asked how: each host's files are rendered with secrets that were just made, and where one of these stands
in a line, the same line of the host's own file has the real one. Pure.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from fournines.cloud.model import Cloud
from fournines.cloud.secrets import Secrets
from fournines.plan.desired import desired
from fournines.services import fernet, keystone, registry
from fournines.services.resource import File

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\n.*?\n-----END \1-----", re.DOTALL)
#: Shorter ones are no secrets, but words that may stand anywhere.
_SHORTEST = 8
_REPOSITORIES = {fernet.SECRET: keystone.KEYS, fernet.CREDENTIAL_SECRET: keystone.CREDENTIAL_KEYS}


@dataclass(frozen=True)
class Template:
    """A cloud's files, rendered with `made`: names -> values that stand nowhere else. files: host -> path -> text."""

    made: Mapping[str, str] = field(repr=False)
    files: Mapping[str, Mapping[str, str]] = field(repr=False)

    def paths(self, host: str) -> list[str]:
        """Of what is worth reading there: key repositories may have other indices than new ones."""
        keys = [f"{directory}/{index}" for directory in _REPOSITORIES.values() for index in range(32)]
        return sorted({*self.files[host], *keys})


@dataclass(frozen=True)
class Rebuilt:
    """found: secret -> value. missing: names of those that no host shows. unclear: of those that hosts show in several
    values; the most common one is taken."""

    found: Mapping[str, str] = field(repr=False)
    missing: tuple[str, ...]
    unclear: tuple[str, ...] = ()


def template(cloud: Cloud) -> Template:
    """Of all hosts. The secrets of `cloud` are neither used nor changed."""
    made = Secrets()
    wanted = desired(replace(cloud, secrets=made), registry())
    values = {name: str(made.get(name)) for name in made.names()}
    files = {
        host: {r.path: r.content for mine in services.values() for r in mine if isinstance(r, File)}
        for host, services in wanted.items()
    }
    worth = re.compile("|".join(re.escape(v) for v in values.values() if "\n" not in v and len(v) >= _SHORTEST))
    return Template(
        values,
        {
            host: {path: text for path, text in mine.items() if worth.search(text) or _PEM.search(text)}
            for host, mine in files.items()
        },
    )


def rebuilt(made: Template, read: Mapping[str, Mapping[str, str]]) -> Rebuilt:
    """read: host -> path -> text, of the hosts themselves."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for host, files in read.items():
        for path, text in files.items():
            rendered = made.files.get(host, {}).get(path)
            if rendered is not None:
                for name, value in (*_lines(made.made, rendered, text), *_blocks(made.made, rendered, text)):
                    votes[name][value] += 1
        for name, keys in _repositories(files):
            votes[name][keys] += 1
    found = {name: counted.most_common(1)[0][0] for name, counted in votes.items()}
    missing = tuple(sorted(name for name in made.made if name not in found))
    return Rebuilt(found, missing, tuple(sorted(name for name, counted in votes.items() if len(counted) > 1)))


def _lines(made: Mapping[str, str], rendered: str, actual: str) -> Iterator[tuple[str, str]]:
    """Lines that are the same but for secrets. Of several such lines, as `password = …` of several sections, the order
    tells, where there are as many in both."""
    names = {v: n for n, v in made.items() if "\n" not in v and len(v) >= _SHORTEST}
    if not names:
        return
    cut = re.compile("(" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + ")")
    wanted: dict[str, list[list[str]]] = defaultdict(list)
    for line in rendered.splitlines():
        parts = cut.split(line)
        if len(parts) > 1:
            pattern = "".join(re.escape(part) if n % 2 == 0 else "(.+?)" for n, part in enumerate(parts))
            wanted[pattern].append([names[value] for value in parts[1::2]])
    lines = actual.splitlines()
    for pattern, expected in wanted.items():
        matches = [m for line in lines if (m := re.fullmatch(pattern, line))]
        if len(matches) == len(expected):
            for named, match in zip(expected, matches, strict=True):
                yield from zip(named, match.groups(), strict=True)


def _blocks(made: Mapping[str, str], rendered: str, actual: str) -> Iterator[tuple[str, str]]:
    """Keys and certificates, by their place among the file's blocks."""
    places = [m[0] for m in _PEM.finditer(rendered)]
    there = [m[0] for m in _PEM.finditer(actual)]
    if not places or len(places) != len(there):
        return
    for name, value in made.items():
        blocks = [m[0] for m in _PEM.finditer(value)]
        if len(blocks) == 1 and blocks[0] in places:
            found = there[places.index(blocks[0])]
            yield name, found + value[len(value.rstrip()) :]


def _repositories(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Keystone's keys: the highest index is in use, those below were, 0 is next. When each was retired nobody knows:
    as if just now would keep them longest, and nothing more than that is needed."""
    for name, directory in _REPOSITORIES.items():
        keys = {i: files[f"{directory}/{i}"] for i in range(32) if files.get(f"{directory}/{i}", "").strip()}
        if len(keys) > 1 and 0 in keys:
            yield name, fernet.dumps(fernet.FernetKeys(keys, {}))
