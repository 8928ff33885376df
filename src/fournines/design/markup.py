"""XML as plain elements that know their place, for messages. No entities, no document type: nothing here needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from fournines.errors import CloudFileError, Problem


class ModelError(CloudFileError):
    """A model file cannot be used; `problems` says where and why."""


@dataclass
class Element:
    """1-based line and column."""

    tag: str
    attributes: Mapping[str, str]
    line: int
    column: int
    children: list[Element] = field(default_factory=list["Element"])

    def problem(self, file: str, message: str, next: str = "") -> Problem:
        name = self.attributes.get("name", "")
        return Problem(file, self.line, self.column, f"{self.tag} {name}".strip(), message, next)

    def every(self, tag: str) -> Iterator[Element]:
        """At any depth, itself included."""
        if self.tag == tag:
            yield self
        for child in self.children:
            yield from child.every(tag)


def read(text: bytes, file: str) -> Element:
    """The root element. Raises ModelError."""
    parser = expat.ParserCreate()
    holder = Element("", {}, 1, 1)
    open_elements = [holder]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def refuse(*_: object) -> None:
        place = (parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
        raise ModelError(f"{file} cannot be used", (Problem(file, *place, ".", "a document type is not read here"),))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        why = f"this is not XML: {expat.ErrorString(error.code)}"
        raise ModelError(f"{file} cannot be used", (Problem(file, error.lineno, error.offset + 1, ".", why),)) from None
    return holder.children[0]
