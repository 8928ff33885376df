"""What every command has in common: examples first in its help, exit codes, errors without a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fournines import __version__
from fournines.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "three-controllers.yaml"


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that lead to it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from leaves(child, (*path, name))


COMMANDS = list(leaves(main.cli))


def run(*words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of `fournines WORDS…`."""
    monkeypatch.setattr(sys, "argv", ["fournines", *words])
    monkeypatch.setattr(click.UsageError, "exit_code", click.UsageError.exit_code)  # main() sets it for good
    code = 0
    try:
        main.main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def fournines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    return lambda *words: run(*words, monkeypatch=monkeypatch, capsys=capsys)


def test_a_command_line_says_nothing_it_does_not_have() -> None:
    assert {path[0] for path, _ in COMMANDS} == set(main.COMMANDS)


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda x: " ".join(x) if isinstance(x, tuple) else "")
def test_help_starts_from_examples(path: tuple[str, ...], command: click.Command, fournines) -> None:
    code, out, err = fournines(*path, "--help")
    assert (code, err) == (0, "")
    assert "Examples:" in out
    assert f"fournines {' '.join(path)}" in out.split("Examples:")[1]
    assert out.index("Examples:") < out.index("Options:")


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda x: " ".join(x) if isinstance(x, tuple) else "")
def test_every_option_is_explained(path: tuple[str, ...], command: click.Command) -> None:
    silent = [p.opts[-1] for p in command.params if isinstance(p, click.Option) and not (p.help or p.hidden)]
    assert silent == []


@pytest.mark.parametrize("words", [("frobnicate",), ("check", "--frobnicate"), ("lab", "frobnicate"), ("report",)])
def test_a_wrong_command_line_exits_64(words: tuple[str, ...], fournines) -> None:
    code, out, err = fournines(*words)
    assert code == 64
    assert out == ""
    assert "Traceback" not in err
    assert err


def test_a_near_miss_is_offered(fournines) -> None:
    _, _, err = fournines("chekc")
    assert "check" in err


def test_version_goes_to_stdout(fournines) -> None:
    code, out, _ = fournines("--version")
    assert (code, out.strip()) == (0, f"fournines, version {__version__}")


@pytest.mark.parametrize("name", ["check", "plan", "apply", "status", "report"])
def test_a_missing_cloud_file_exits_1_and_says_which(name: str, fournines, tmp_path: Path) -> None:
    code, out, err = fournines(name, str(tmp_path / "nowhere.yaml"))
    assert (code, out) == (1, "")
    assert "nowhere.yaml" in err
    assert "Traceback" not in err


def test_an_interrupted_command_exits_130(fournines, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.cli, "main", interrupt)
    code, _, err = fournines("check", str(EXAMPLE))
    assert code == 130
    assert "again" in err


def test_help_imports_no_command() -> None:
    script = (
        "import sys; sys.argv = ['fournines', '--help']\n"
        "from fournines.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m in ('pydantic', 'asyncssh', 'aiohttp', 'rich')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"
