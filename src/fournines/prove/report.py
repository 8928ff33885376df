"""A campaign as one HTML file that needs nothing but itself: no request leaves it, whatever a host's output holds."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from fournines.prove import report_text
from fournines.prove.model import Campaign
from fournines.prove.report_view import view

_PAGE = "report_page"
#: Verdict -> (sign, word). Each is told apart by shape, too.
SIGNS = {"pass": ("✓", "Pass"), "fail": ("✕", "Fail"), "unknown": ("?", "Unknown")}


def render(campaign: Campaign) -> str:
    """The report's HTML. Pure: the same campaign gives the same bytes."""
    style, script = _asset("page.css"), _asset("page.js")
    page = _environment().get_template("page.html")
    return page.render(
        campaign=campaign,
        view=view(campaign),
        signs=SIGNS,
        text=report_text,
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


@cache
def _asset(name: str) -> str:
    return (files("fournines.prove") / _PAGE / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("fournines.prove", _PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
