"""Where the machine's own apt gets Debian from, so that the image comes from there too. Pure but for `read`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SUITE = "trixie"
_CODENAMES = ("buster", "bullseye", "bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Source:
    """One stanza or line of apt's sources: only what deb (not deb-src) entries say."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def parse_list(text: str) -> list[Source]:
    """One-line style (sources.list(5)): `deb [options] URI SUITE COMPONENT…`."""
    found: list[Source] = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(.*?)\]\s*)?([^\s#]+)\s+([^\s#]+)([^#]*)", line)
        if match:
            options, uri, suite, components = match.groups("")
            signed = re.search(r"signed-by=(\S+)", options)
            found.append(Source((uri,), (suite,), tuple(components.split()), signed[1] if signed else ""))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Stanzas of `Key: value`, separated by empty lines (sources.list(5), deb822)."""
    found: list[Source] = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = {
            key.lower(): " ".join(value.split())
            for key, value in re.findall(r"(?m)^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza)
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        signed = fields.get("signed-by", "")
        found.append(
            Source(
                tuple(fields.get("uris", "").split()),
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                signed if signed.startswith("/") else "",  # a key may also be written into the stanza
            )
        )
    return found


def read(etc: Path = Path("/etc/apt")) -> list[Source]:
    """Every source of the machine. A `mirror+file:` URI stands for the first mirror in that file."""
    found: list[Source] = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        parse = parse_deb822 if path.suffix == ".sources" else parse_list
        found += parse(path.read_text(errors="replace"))
    return [Source(tuple(map(_resolve, s.uris)), s.suites, s.components, s.signed_by) for s in found]


def _resolve(uri: str) -> str:
    if not uri.startswith("mirror+file:"):
        return uri
    try:
        listed = Path(uri.removeprefix("mirror+file:")).read_text().split("\n")
    except OSError:
        return uri
    return next((line.split()[0] for line in listed if line.strip() and not line.startswith("#")), uri)


def debian(sources: Iterable[Source], mirror: str = "", suite: str = SUITE) -> list[str]:
    """Lines of a sources.list for Debian's `suite`, its updates and its security fixes.

    `mirror`: use this one for all. Empty when `sources` hold no Debian mirror (Ubuntu's do not) and none is given.
    """
    main = security = None
    for source in sources:
        if "main" not in source.components or not source.uris:
            continue
        for word in source.suites:
            codename, _, rest = word.partition("-")
            if codename in _CODENAMES and rest == "":
                main = main or source
            elif re.fullmatch(rf"({'|'.join(_CODENAMES)})(-security|/updates)", word):
                security = security or source
    if mirror:
        main, security = Source((mirror,), (), ()), None
    if main is None:
        return []
    lines = [_line(main, suite), _line(main, f"{suite}-updates")]
    if security is not None:
        lines.append(_line(security, f"{suite}-security"))
    return lines


def _line(source: Source, suite: str) -> str:
    return f"deb [signed-by={source.signed_by or KEYRING}] {source.uris[0]} {suite} main"
