"""A host's package sources as of another suite of Debian. Runs on the hosts, as a module of `packages`."""

import re
from pathlib import Path

SOURCES = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
#: The host's sources, and what they have, as of another suite.
COMING = Path("/var/lib/fournines/release")
CONFIGURATION = COMING / "apt.conf"
#: What follows a suite's name in sources; unstable has none of them.
POCKETS = ("", "-updates", "-security", "/updates", "-backports", "-proposed-updates")


def codename() -> str:
    """Of the Debian that is installed."""
    found = re.search(r"(?m)^VERSION_CODENAME=\"?([a-z]+)", OS_RELEASE.read_text())
    return found[1] if found else ""


def left() -> str:
    """The suite that is left. It is noted, for in the middle of a transaction the host says already that it is another
    one. `stable` and its like are no names of it: strangers' sources call theirs so."""
    note = COMING / "from"
    if not note.exists():
        note.write_text(codename())
    return note.read_text()


def moved(text: str, old: str, suite: str) -> str:
    """`text`, sources in either style, with `suite` in place of `old`. What unstable does not have is left out."""
    out: list[str] = []
    for line in text.splitlines():
        one = re.match(r"(\s*deb(?:-src)?\s+(?:\[.*?\]\s*)?\S+\s+)(\S+)(.*)$", line)
        many = re.match(r"(?i)(suites:\s*)(.*)$", line)
        if one:
            if new := renamed(one[2], old, suite):
                out.append(f"{one[1]}{new}{one[3]}")
        elif many:
            kept = [new for word in many[2].split() if (new := renamed(word, old, suite))]
            out.append(f"{many[1]}{' '.join(dict.fromkeys(kept))}" if kept else f"Enabled: no\n{line}")
        else:
            out.append(line)
    return "".join(f"{line}\n" for line in out)


def renamed(word: str, old: str, suite: str) -> str:
    """ "" where `suite` has nothing of the kind."""
    pocket = word.removeprefix(old)
    if not word.startswith(old) or pocket not in POCKETS:
        return word
    return "" if pocket and suite == "sid" else f"{suite}{pocket}"


def sources() -> list[Path]:
    found = [SOURCES / "sources.list", *sorted((SOURCES / "sources.list.d").glob("*"))]
    return [path for path in found if path.suffix in (".list", ".sources") and path.is_file()]


def as_of(suite: str, before: str = "") -> list[str]:
    """Writes `CONFIGURATION`, with which apt reads the host's sources as of `suite`. before: the configuration that its
    environment has named up to now. What speaks against it, a line each."""
    for directory in (COMING / "sources.list.d", COMING / "lists/partial"):
        directory.mkdir(parents=True, exist_ok=True)
    old = left()
    (COMING / "sources.list").write_text("")
    for path in (COMING / "sources.list.d").iterdir():
        path.unlink()
    there = False
    for path in sources():
        text = moved(path.read_text(errors="replace"), old, suite)
        there = there or bool(re.search(rf"(?m)^[^#\n]*\s{re.escape(suite)}(\s|$)", text))
        (COMING / path.relative_to(SOURCES)).write_text(text)
    CONFIGURATION.write_text(
        (f'#include "{before}";\n' if before else "") + f'Dir::Etc::sourcelist "{COMING}/sources.list";\n'
        f'Dir::Etc::sourceparts "{COMING}/sources.list.d";\n'
        f'Dir::State::lists "{COMING}/lists";\n'
    )
    return [] if there else [f"it has no package source of {old} that could become {suite}"]


def settle(suite: str) -> None:
    """The host's own sources are of `suite` from now on. What they were is kept beside them, for a person."""
    for path in sources():
        before = path.read_text(errors="replace")
        if (text := moved(before, left(), suite)) != before:
            kept = COMING / "before" / path.name
            kept.parent.mkdir(exist_ok=True)
            if not kept.exists():
                kept.write_text(before)
            aside = path.with_name(f".{path.name}.fournines")
            aside.write_text(text)
            aside.replace(path)
    (COMING / "from").unlink(missing_ok=True)
