"""Names as they are, whatever they hold."""

from __future__ import annotations

import pytest

from fournines.design.document import markdown
from fournines.design.document.parts import Document, Items, Paragraph, Section, Table, Tree
from fournines.design.markdown import code, inline, preformatted

RAW = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (RAW, "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("a|b", "a\\|b"),
        ("*a* _b_ cinder_volume", "\\*a\\* \\_b\\_ cinder_volume"),
        ("![x](http://e)", "!\\[x\\](http://e)"),
        ("`a`\\", "\\`a\\`\\\\"),
        ("# a", "\\# a"),
        ("- a", "\\- a"),
        ("---", "\\---"),
        ("1. a", "1\\. a"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("-1", "-1"),
        ("a\nb", "a b"),
    ],
)
def test_a_line_is_shown_as_it_is(text: str, shown: str) -> None:
    assert inline(text) == shown


def test_code_and_blocks_end_where_they_should() -> None:
    assert code("host.kill@ctl1") == "`host.kill@ctl1`"
    assert code("a``b|c") == "``` a``b\\|c ```"
    assert preformatted(("a", "b")) == "```\na\nb\n```"
    assert preformatted(("```", RAW)) == "<pre>\n```\n&lt;script&gt;alert(1)&lt;/script&gt;\n</pre>"


def test_no_part_of_a_document_lets_html_through() -> None:
    parts = (Paragraph(RAW), Items((RAW,)), Tree((RAW,)), Table((RAW,), ((RAW,),)))
    written = markdown(Document(RAW, RAW, (Section(RAW, parts),)))
    assert "<script" not in written
    assert written.count("&lt;script&gt;") == 8
