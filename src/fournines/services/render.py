"""Text of configuration files.

A file that takes the operator's `options` is built from *sections* (section -> option -> value) so that theirs replace
ours by name; a file that does not (units, scripts) is a template. Both give the same bytes for the same cloud.

Values: None leaves the option out (an operator's `null` removes ours); True/False become the format's words; a list
repeats the option once per element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

Sections = Mapping[str, Mapping[str, Any]]

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


def _lines(options: Mapping[str, Any], true: str, false: str) -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        for single in _many(value):
            yield name, true if single is True else false if single is False else str(single)


def ini(ours: Sections, operators: Sections, true: str = "true", false: str = "false") -> str:
    """`[section]` and `option = value`."""
    parts = [HEADER]
    for section, options in overlay(ours, operators).items():
        body = "".join(f"{name} = {value}\n" for name, value in _lines(options, true, false))
        parts.append(f"\n[{section}]\n{body}")
    return "".join(parts)


def flat(ours: Mapping[str, Any], operators: Sections, separator: str = " = ") -> str:
    """`option = value` without sections; the operator's are under the section `""`."""
    options = overlay({"": ours}, operators)[""]
    return HEADER + "".join(
        f"{name}{separator}{value}".rstrip() + "\n" for name, value in _lines(options, "true", "false")
    )


def stanzas(ours: Sections, operators: Sections) -> str:
    """HAProxy's form: a section's line, then indented `keyword value`. True: the keyword alone; False: not at all."""
    parts = [HEADER]
    for section, options in overlay(ours, operators).items():
        shown = {k: None if v is False else v for k, v in options.items()}
        body = "".join(f"    {name} {value}".rstrip() + "\n" for name, value in _lines(shown, "", ""))
        parts.append(f"\n{section}\n{body}")
    return "".join(parts)


def blocks(ours: Sections, operators: Sections) -> str:
    """Keepalived's form: `section { keyword value … }`; a list is a block of lines of its own."""
    parts = [HEADER]
    for section, options in overlay(ours, operators).items():
        body = ""
        for name, value in options.items():
            if isinstance(value, list | tuple):
                inner = "".join(f"        {line}\n" for line in _many(value))
                body += f"    {name} {{\n{inner}    }}\n"
            elif value is not None and value is not False:
                body += f"    {name} {'' if value is True else value}".rstrip() + "\n"
        parts.append(f"\n{section} {{\n{body}}}\n")
    return "".join(parts)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(),  # by file name: no daemon's configuration, which escaping would corrupt
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def template(path: str, /, **values: Any) -> str:
    """`templates/PATH`, such as `mariadb/service.conf.j2`. A variable that is missing is an error here, not a blank."""
    return _environment().get_template(path).render(**values)


def ms(seconds: float) -> str:
    """HAProxy's duration."""
    return f"{round(seconds * 1000)}ms"
