"""A document as Markdown, its drawings beside it."""

from __future__ import annotations

from fournines.design.document.parts import Document, Drawing, Items, Paragraph, Part, Table, Tree
from fournines.design.markdown import inline, preformatted


def markdown(document: Document) -> str:
    pieces = [f"# {inline(document.title)}", inline(document.subtitle)]
    for section in document.sections:
        pieces.append(f"## {inline(section.title)}")
        pieces += [_part(p) for p in section.parts]
    return "\n\n".join(pieces) + "\n"


def _part(part: Part) -> str:
    match part:
        case Paragraph():
            return inline(part.text)
        case Items():
            return "\n".join(f"- {inline(t)}" for t in part.texts)
        case Drawing():
            return f"{inline(part.says)}\n\n![{inline(part.says)}]({part.name}.svg)"
        case Tree():
            return preformatted(tuple(part.lines))
        case Table():
            return _table(part)


def _table(table: Table) -> str:
    rule = ["--:" if i in table.right else "---" for i in range(len(table.columns))]
    lines = [[inline(c) for c in row] for row in (table.columns, *table.rows)]
    lines.insert(1, rule)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
