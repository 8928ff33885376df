"""How large a cloud file may be, enforced while it is read: a few kilobytes of YAML can stand for more than memory
holds, or take minutes to scan."""

# ruamel's scanner and composer carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML, composer, scanner
from ruamel.yaml.events import AliasEvent

#: Bytes of a file. Ten thousand hosts with a line of their own each are less than one of them.
MOST_BYTES = 4_000_000
#: Lists and mappings inside one another. A cloud file has eight.
_DEEPEST = 40
#: Values that aliases may add by repeating others.
_MOST_REPEATED = 20_000


class LimitError(Exception):
    """The file is larger, once read, than any cloud is."""

    def __init__(self, mark: Any, what: str, next: str) -> None:
        super().__init__(what)
        self.place = (mark.line + 1, mark.column + 1)
        self.what = what
        self.next = next


class _Composer(composer.Composer):
    """Measures while it composes: what is too deep is refused before the rest of it is read, and what aliases stand for
    is counted, not carried out."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self._inside = 0
        self._measures: dict[int, tuple[int, int]] = {}  # id of a node -> values in it, and how deep they go
        self._composed = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.parser.peek_event()
        if isinstance(event, AliasEvent):
            node: Any = super().compose_node(parent, index)
            if id(node) not in self._measures:
                raise LimitError(event.start_mark, "an alias contains itself", "name another anchor")
            return node
        self._inside += 1
        self._composed += 1
        _limit_depth(event.start_mark, self._inside)
        node = super().compose_node(parent, index)
        self._inside -= 1
        self._measure(node)
        return node

    def _measure(self, node: Any) -> None:
        children: list[Any] = []
        if node.id == "mapping":
            children = [child for pair in node.value for child in pair]
        elif node.id == "sequence":
            children = node.value
        found = [self._measures[id(child)] for child in children]
        values, depth = 1 + sum(v for v, _ in found), 1 + max((d for _, d in found), default=0)
        _limit_depth(node.start_mark, depth)
        if values > self._composed + _MOST_REPEATED:
            what = f"its aliases stand for {values:,} values"
            raise LimitError(node.start_mark, what, f"aliases may repeat {_MOST_REPEATED:,} values in all")
        self._measures[id(node)] = (values, depth)


class _Scanner(scanner.Scanner):
    """It looks ahead for the end of a key, past brackets that the composer has not seen yet, in quadratic time."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 - as in its base
        super().fetch_flow_collection_start(TokenClass, to_push)
        _limit_depth(self.tokens[-1].start_mark, len(self.flow_context))


def limited() -> Any:
    """ruamel's YAML 1.2, within the limits. Raises LimitError."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.Scanner, yaml.Composer = _Scanner, _Composer
    return yaml


def _limit_depth(mark: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise LimitError(mark, f"this is nested too deeply: {_DEEPEST} levels are the most", "close what is open")
