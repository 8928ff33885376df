"""Text in Markdown: whatever a name holds, it is shown as it is, neither as HTML nor as Markdown of its own."""

from __future__ import annotations

import re
from html import escape

#: What begins something inside a line: emphasis, code, links, HTML, tables.
_SPECIAL = re.compile(r"([\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
#: What begins a block at the start of a line: a heading, a list, a rule.
_BLOCK = re.compile(r"(?:#{1,6}|[-+])(?=\s|$)|[-=]+\s*$|[0-9]{1,9}(?=[.)](?:\s|$))")


def inline(text: str) -> str:
    """One line of text, also of a table's cell."""
    line = _SPECIAL.sub(r"\\\1", escape(" ".join(text.split()), quote=False))
    if block := _BLOCK.match(line):
        end = block.end() if block[0].isdigit() else 0
        return f"{line[:end]}\\{line[end:]}"
    return line


def code(text: str) -> str:
    """A code span, also in a table's cell."""
    line = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def preformatted(lines: tuple[str, ...]) -> str:
    """A block of lines as they are; as HTML where a renderer could take a line for something else."""
    body = "\n".join(lines)
    return f"<pre>\n{escape(body)}\n</pre>" if re.search("[<&`]", body) else f"```\n{body}\n```"
