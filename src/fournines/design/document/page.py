"""A document as one HTML page that opens offline, prints, and asks nothing of any server."""

from __future__ import annotations

import re
from html import escape
from importlib.resources import files

from fournines.design.document.parts import Document, Drawing, Items, Paragraph, Part, Section, Table, Tree

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html(document: Document) -> str:
    style = files("fournines.design.document").joinpath("page.css").read_text(encoding="utf-8")
    contents = "".join(f'<li><a href="#{_anchor(s)}">{escape(s.title)}</a></li>' for s in document.sections)
    sections = "".join(_section(s) for s in document.sections)
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(document.title)}</title><style>{style}</style></head>\n<body>"
        f"<header><h1>{escape(document.title)}</h1><p>{escape(document.subtitle)}</p></header>"
        f"<nav><ol>{contents}</ol></nav><main>{sections}</main></body></html>\n"
    )


def _anchor(section: Section) -> str:
    return re.sub(r"\W+", "-", section.title.lower())


def _section(section: Section) -> str:
    inside = "".join(_part(p) for p in section.parts)
    return f'<section id="{_anchor(section)}"><h2>{escape(section.title)}</h2>{inside}</section>\n'


def _part(part: Part) -> str:
    match part:
        case Paragraph():
            return f"<p>{escape(part.text)}</p>"
        case Items():
            return "<ul>" + "".join(f"<li>{escape(t)}</li>" for t in part.texts) + "</ul>"
        case Drawing():
            return f"<figure>{part.svg}<figcaption>{escape(part.says)}</figcaption></figure>"
        case Tree():
            return f"<pre>{escape(chr(10).join(part.lines))}</pre>"
        case Table():
            return _table(part)


def _table(table: Table) -> str:
    def row(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(_cell(c, tag, i in table.right) for i, c in enumerate(cells)) + "</tr>"

    body = "".join(row(r, "td") for r in table.rows)
    return f"<div class=table><table><thead>{row(table.columns, 'th')}</thead><tbody>{body}</tbody></table></div>"


def _cell(text: str, tag: str, right: bool) -> str:
    verdict = {"met": " class=good", "missed": " class=bad"}.get(text, " class=figure" if right else "")
    return f"<{tag}{verdict}>{escape(text)}</{tag}>"
