"""A document as Markdown, its drawings beside it."""

from __future__ import annotations

from fournines.design.document.parts import Document, Drawing, Items, Paragraph, Part, Table, Tree


def markdown(document: Document) -> str:
    pieces = [f"# {document.title}", document.subtitle]
    for section in document.sections:
        pieces.append(f"## {section.title}")
        pieces += [_part(p) for p in section.parts]
    return "\n\n".join(pieces) + "\n"


def _part(part: Part) -> str:
    match part:
        case Paragraph():
            return part.text
        case Items():
            return "\n".join(f"- {t}" for t in part.texts)
        case Drawing():
            return f"{part.says}\n\n![{part.says}]({part.name}.svg)"
        case Tree():
            return "```\n" + "\n".join(part.lines) + "\n```"
        case Table():
            return _table(part)


def _table(table: Table) -> str:
    rule = ["--:" if i in table.right else "---" for i in range(len(table.columns))]
    rows = [table.columns, rule, *table.rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in row) + " |" for row in rows)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
