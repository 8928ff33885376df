"""Pages of Markdown from the templates beside this module."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape


def markdown(name: str) -> Template:
    """`NAME.md.j2`. A variable that is missing is an error, not a blank."""
    return _environment().get_template(f"{name}.md.j2")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("fournines.cli", "."),
        autoescape=select_autoescape(),  # by file name: HTML, not Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
