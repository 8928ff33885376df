"""The architecture document: what a review board wants to see of a cloud, as HTML, as Markdown, with drawings."""

from fournines.design.document.content import Document, compose
from fournines.design.document.page import html
from fournines.design.document.text import markdown

__all__ = ["Document", "compose", "html", "markdown"]
