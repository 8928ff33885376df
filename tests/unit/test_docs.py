"""Documents that cannot go stale unseen: their commands parse, their links resolve, their addresses are known."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from fournines.cli.main import cli
from fournines.timing import profile, rules

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Where a reader may be sent. Places that software is fetched from differ from site to site and are not among them.
KNOWN_HOSTS = {
    "www.apache.org",
    "keepachangelog.com",
    "semver.org",
    "docs.openstack.org",
    "jepsen.io",
    "mariadb.com",
    "www.rabbitmq.com",
    "www.keepalived.org",
    "docs.haproxy.org",
}

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(?:sudo )?(fournines [^`…]+)`")
_PROMPT = re.compile(r"^\s*(?:[$#] )?(?:sudo )?(?:\.venv/bin/)?(fournines(?: .*)?)$")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def commands(text: str) -> list[str]:
    """`fournines …` lines of a page's shell blocks (continued lines joined), and those in its running text, where a
    command may be named without its arguments."""
    found: list[str] = []
    for block in _FENCE.finditer(text):
        if block["language"] in ("sh", "console"):
            lines = block["body"].replace("\\\n", " ").splitlines()
            found += [m[1] for line in lines if (m := _PROMPT.match(line))]
    return found + _INLINE.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """As the common renderers make them from headings."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.replace("`", "").lower()).replace(" ", "-") for t in titles}


def parse(words: list[str]) -> None:
    """As click would, but for files that need not exist here. Raises click.UsageError."""
    command: click.Command = cli
    context = click.Context(cli, info_name="fournines")
    while isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            break
        name, child, words = command.resolve_command(context, words)
        assert child is not None
        command, context = child, click.Context(child, info_name=name, parent=context)
    try:
        command.make_context(command.name, list(words), parent=context.parent)
    except click.exceptions.Exit:
        pass  # --help, --version
    except click.MissingParameter:
        if words:
            raise
    except click.BadParameter as error:
        if not isinstance(error.param.type, click.Path | click.File):
            raise


EVERY_COMMAND = [(page, line) for page in PAGES for line in commands(page.read_text(encoding="utf-8"))]


def test_there_is_something_to_check() -> None:
    assert len(EVERY_COMMAND) > 20


@pytest.mark.parametrize(("page", "line"), EVERY_COMMAND, ids=[f"{p.name}: {c}" for p, c in EVERY_COMMAND])
def test_commands_parse(page: Path, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    cut = next((i for i, word in enumerate(words) if word in ("|", ">", "&&", ";", "||", "2>", "&")), len(words))
    parse(words[:cut])


@pytest.mark.parametrize("line", ["fournines frobnicate", "fournines check --no X", "fournines lab up --mirror x"])
def test_a_wrong_command_would_be_seen(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(shlex.split(line)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    broken: list[str] = []
    for match in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        target = match["target"]
        if urlsplit(target).scheme:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_addresses_are_known(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s)`\"'>]+", text)}
    assert {h for h in hosts if h and not h[0].isdigit()} <= KNOWN_HOSTS


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen:
            continue
        seen.add(page)
        for match in _LINK.finditer(page.read_text(encoding="utf-8")):
            path = (page.parent / match["target"].partition("#")[0]).resolve()
            if path.suffix == ".md" and path.exists():
                todo.append(path)
            elif path.is_dir():
                todo += path.glob("*.md")
    assert {p.relative_to(ROOT) for p in PAGES if p.name != "CHANGELOG.md"} <= {p.relative_to(ROOT) for p in seen}


def test_the_readme_compares_what_the_profiles_say() -> None:
    """Its figures for ours and for the peers' timers are those that `--baseline` applies."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = {cells[0]: cells[1:] for line in text.splitlines() if len(cells := _cells(line)) == 4}
    ours, kolla, osa = profile("lan"), profile("kolla-22.2"), profile("osa-33")
    dead = rows["a dead backend is left after"]
    assert dead[0] == f"{kolla.check_inter * kolla.check_fall:g} s"
    assert dead[1].startswith(f"{osa.check_inter * osa.check_fall:g} s")
    checks = ours.api_check_inter + (ours.check_fall - 1) * ours.check_fastinter
    assert dead[2] == f"the first request that cannot connect; {checks:g} s without one"
    skew = ours.vrrp_advert * (256 - 170) / 256  # of the first backup of three
    assert rows["the VIP moves after"][2] == f"about {rules.takeover(ours) + skew:.1f} s"
    assert rows["a client without an agent leaves a dead connection after"][2] == f"{rules.idle_connection(ours):g} s"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []


def test_the_table_of_faults_is_the_catalogue() -> None:
    from fournines.prove.faults.catalogue import CATALOGUE

    page = (ROOT / "docs" / "faults-and-method.md").read_text()
    rows = [line for line in page.splitlines() if re.match(r"\| `\w+\.\w+` \|", line) and line.count("|") == 5]
    assert rows == [f"| `{k.name}` | {k.what} | {k.until} | {k.seen} |" for k in CATALOGUE.values()]
