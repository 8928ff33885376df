"""Text of configuration files.

A file that takes the operator's `options` is built from *sections* (section -> option -> value) so that theirs replace
ours by name; a file that does not (units, scripts) is a template. Both give the same bytes for the same cloud.

Values: None leaves the option out; True/False become the format's words; a list repeats the option once per element
(`options.operators` has joined those that take one line). A `Secret` is written as `encode` says, which is the format's
business (`services.quoting`). No value holds a line break: it would begin another option.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from ruamel.yaml import YAML

from fournines import programs
from fournines.cloud.secrets import Secret
from fournines.errors import FourninesError

Sections = Mapping[str, Mapping[str, Any]]
Encode = Callable[[Secret], str]

#: In the head of every text that fournines writes.
MARK = "Managed by fournines"
HEADER = f"# {MARK}: change the cloud file, then `fournines apply`.\n"


def overlay(ours: Sections, operators: Sections) -> dict[str, dict[str, Any]]:
    """`ours` with the operator's options on top; their new sections come last, in their order."""
    merged = {name: dict(options) for name, options in ours.items()}
    for name, options in operators.items():
        merged.setdefault(name, {}).update(options)
    return merged


def _many(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else (value,)


def _no_secrets(secret: Secret) -> str:
    raise AssertionError(f"{secret.name} in a file that says nothing of how secrets are written")


def _written(name: str, value: Any, true: str, false: str, encode: Encode) -> str:
    """Raises FourninesError: it would not stay in its line."""
    text = (
        true
        if value is True
        else false
        if value is False
        else encode(value)
        if isinstance(value, Secret)
        else str(value)
    )
    if any(not c.isprintable() for c in name + text):
        raise FourninesError(
            f"The option {name!r} has a line break or a control character",
            next="write it on one line",
        )
    return text


def _lines(options: Mapping[str, Any], true: str, false: str, encode: Encode) -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        for single in _many(value):
            yield name, _written(name, single, true, false, encode)


def ini(
    ours: Sections, operators: Sections, true: str = "true", false: str = "false", encode: Encode = _no_secrets
) -> str:
    """`[section]` and `option = value`."""
    parts = [HEADER]
    for section, options in overlay(ours, operators).items():
        body = "".join(f"{name} = {value}\n" for name, value in _lines(options, true, false, encode))
        parts.append(f"\n[{section}]\n{body}")
    return "".join(parts)


def flat(ours: Mapping[str, Any], operators: Sections, separator: str = " = ", encode: Encode = _no_secrets) -> str:
    """`option = value` without sections; the operator's are under the section `""`."""
    options = overlay({"": ours}, operators)[""]
    return HEADER + "".join(
        f"{name}{separator}{value}".rstrip() + "\n" for name, value in _lines(options, "true", "false", encode)
    )


def stanzas(ours: Sections, operators: Sections) -> str:
    """HAProxy's form: a section's line, then indented `keyword value`. True: the keyword alone; False: not at all."""
    parts = [HEADER]
    for section, options in overlay(ours, operators).items():
        shown = {k: None if v is False else v for k, v in options.items()}
        body = "".join(f"    {name} {value}".rstrip() + "\n" for name, value in _lines(shown, "", "", _no_secrets))
        parts.append(f"\n{section}\n{body}")
    return "".join(parts)


def yaml(document: Any) -> str:
    """For daemons that read YAML. Text that would be something else to one of YAML 1.1 is quoted."""
    stream = StringIO()
    writer = cast(Any, YAML())
    writer.version = (1, 1)
    writer.default_flow_style = False
    writer.width = 4096
    writer.dump(document, stream)
    return HEADER + stream.getvalue().partition("---\n")[2]


def blocks(ours: Sections, operators: Sections) -> str:
    """Keepalived's form: `section { keyword value … }`; a list is a block of lines of its own. True: the keyword alone;
    False: not at all."""
    parts = [HEADER]
    for section, options in overlay(ours, operators).items():
        body = ""
        for name, value in options.items():
            lines = [_written(name, line, "", "", _no_secrets) for line in _many(None if value is False else value)]
            if isinstance(value, list | tuple):
                inner = "".join(f"        {line}\n" for line in lines)
                body += f"    {name} {{\n{inner}    }}\n"
            else:
                body += "".join(f"    {name} {line}".rstrip() + "\n" for line in lines)
        parts.append(f"\n{section} {{\n{body}}}\n")
    return "".join(parts)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(),  # by file name: no daemon's configuration, which escaping would corrupt
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["shell"] = shell
    return made


def template(path: str, /, **values: Any) -> str:
    """`templates/PATH`, such as `mariadb/service.conf.j2`. A variable that is missing is an error here, not a blank."""
    return _environment().get_template(path).render(**values)


@cache
def module(name: str) -> str:
    """`fournines/programs/NAME`, to be imported on a host by what its own Python runs."""
    return f"# {MARK}.\n" + programs.source(name)


def program(name: str) -> str:
    """The same, to be run."""
    return f"#!/usr/bin/python3\n{module(name)}"


def shell(text: object) -> str:
    """One word of a POSIX shell."""
    return shlex.quote(str(text))


def ms(seconds: float) -> str:
    """HAProxy's duration."""
    return f"{round(seconds * 1000)}ms"
