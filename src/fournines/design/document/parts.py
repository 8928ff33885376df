"""What a document is made of: sections of paragraphs, lists, tables and drawings, whatever it is rendered to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Items:
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """`right`: columns (by number) of figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """`name`: of its file, without `.svg`. `says`: what it shows, for those who cannot see it."""

    name: str
    says: str
    svg: str


@dataclass(frozen=True)
class Tree:
    """Lines that keep their spaces."""

    lines: tuple[str, ...]


Part = Paragraph | Items | Table | Drawing | Tree


@dataclass(frozen=True)
class Section:
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Document:
    title: str
    subtitle: str
    sections: tuple[Section, ...]

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        return tuple(p for s in self.sections for p in s.parts if isinstance(p, Drawing))
