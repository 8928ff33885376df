"""XML as plain elements that know their place, for messages. No entities, no document type: nothing here needs them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from fournines.errors import CloudFileError, Problem


class ModelError(CloudFileError):
    """A model file cannot be used; `problems` says where and why."""


@dataclass
class Element:
    """1-based line and column. text: what stands directly in it, without the spaces around it."""

    tag: str
    attributes: Mapping[str, str]
    line: int
    column: int
    children: list[Element] = field(default_factory=list["Element"])
    text: str = ""

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    def problem(self, file: str, message: str, next: str = "") -> Problem:
        return Problem(file, self.line, self.column, f"{self.tag} {self.name}".strip(), message, next)

    def walk(self, without: Collection[str] = ()) -> Iterator[Element]:
        """Itself and everything in it, in the order of the file; not what stands in a tag of `without`."""
        todo = [self]
        while todo:
            element = todo.pop()
            yield element
            todo += [c for c in reversed(element.children) if c.tag not in without]


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
        element = open_elements.pop()
        element.text = element.text.strip()

    def character(data: str) -> None:
        if not data.isspace():
            open_elements[-1].text += data

    def refuse(*_: object) -> None:
        place = (parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
        raise ModelError(f"{file} cannot be used", (Problem(file, *place, ".", "a document type is not read here"),))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = character
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        why = f"this is not XML: {expat.ErrorString(error.code)}"
        raise ModelError(f"{file} cannot be used", (Problem(file, error.lineno, error.offset + 1, ".", why),)) from None
    return holder.children[0]
