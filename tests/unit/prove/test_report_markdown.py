"""A campaign as a Markdown page: all that was measured is on it, and what hosts said stays text."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.errors import ProveError
from fournines.prove import store
from fournines.prove.model import Finding
from fournines.prove.report import render
from fournines.prove.report_markdown import page
from samples.campaign import campaign


def tables(text: str) -> list[list[str]]:
    """Lines of each table."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [t for t in found if t]


def cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def test_each_fault_has_its_figures_reasons_and_audit() -> None:
    made = campaign()
    said = page(made, "standard.html")
    assert said.startswith(f"# Proof of {made.clouds}")
    assert "[standard.html](standard.html)" in said
    for result in made.results:
        assert f"`{result.fault}`" in said
    for result in (r for r in made.results if r.subject == made.own and not r.not_measured):
        assert all(f.function.replace("_", " ") in said for f in result.functions)
    assert made.command in said


def test_every_table_is_one() -> None:
    for lines in tables(page(campaign(), "x.html")):
        assert len({cells(line) for line in lines}) == 1, lines
        assert set(lines[1]) <= set("|- :")


def test_what_a_host_says_is_text() -> None:
    made = campaign()
    hostile = Finding("a | b <script>", False, "[x](javascript:1) **bold** `code`")
    results = tuple(dataclasses.replace(r, audit=(*r.audit, hostile)) for r in made.results)
    said = page(dataclasses.replace(made, results=results), "x.html")
    assert "<script>" not in said and "[x](" not in said and "**bold**" not in said
    assert all(len({cells(line) for line in lines}) == 1 for lines in tables(said))


def test_both_are_written_by_the_suite_s_name(tmp_path: Path) -> None:
    made = dataclasses.replace(campaign(), suite="standard")
    store.save(tmp_path / "run", made)
    (tmp_path / "proof").mkdir()
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "run"), "--publish", str(tmp_path / "proof")])
    assert done.exit_code == 0, done.output
    assert {p.name for p in (tmp_path / "proof").iterdir()} == {"standard.html", "standard.md"}
    stored = store.load(tmp_path / "run")
    assert (tmp_path / "proof" / "standard.html").read_text() == render(stored)
    assert (tmp_path / "proof" / "standard.md").read_text() == page(stored, "standard.html")


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    store.save(tmp_path / "run", campaign())
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "run"), "--publish", str(tmp_path / "nowhere")])
    assert isinstance(done.exception, ProveError)
    assert "--publish DIRECTORY" in done.exception.next
