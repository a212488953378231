"""The node tree of one file: looking up what stands where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from orchestrate_tui.spec.report import Place
from orchestrate_tui.values import dataclass

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key of a mapping and its value."""

    key: ScalarNode
    value: Node


Entries = dict[str, Entry]
EntriesOf = Callable[[MappingNode], Entries]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file that could be read as YAML."""

    file: str
    text: str
    root: Node
    _known: dict[int, Entries] = field(default_factory=dict, repr=False, compare=False)

    def at(self, *path: str | int) -> Place:
        """Where `path` stands, or the nearest thing around it that exists."""
        return Place.of(descend(self.root, *path, entries_of=self._entries))

    def _entries(self, node: MappingNode) -> Entries:
        """The keys of a mapping, looked up once: a file may be asked about each of many."""
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = entries(node)
        return known

    def item_indexes(self, key: str) -> tuple[int, ...]:
        """The positions of the mappings in the list under `key` at the top."""
        node = _child(self.root, key, entries)
        items = enumerate(node.value if isinstance(node, SequenceNode) else ())
        return tuple(index for index, item in items if isinstance(item, MappingNode))


def descend(node: Node, *path: str | int, entries_of: EntriesOf | None = None) -> Node:
    """The node at `path`: keys of mappings, and positions or texts in lists.

    `entries_of` looks up the keys of a mapping; None means `entries`.

    Where the path leads nowhere, the last node on it that exists; a single value that stands
    without its list is such a node.
    """
    for step in path:
        child = _child(node, step, entries_of or entries)
        if child is None:
            return node
        node = child
    return node


def _child(node: Node, step: str | int, entries_of: EntriesOf) -> Node | None:
    if isinstance(node, MappingNode) and isinstance(step, str):
        entry = entries_of(node).get(step)
        return entry.value if entry else None
    if isinstance(node, SequenceNode) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    if isinstance(node, SequenceNode):
        texts = (item for item in node.value if isinstance(item, ScalarNode))
        return next((text for text in texts if text.value == step), None)
    return None


def entries(node: MappingNode) -> Entries:
    """The keys of a mapping; its own come before those that `<<` merges into it."""
    found: Entries = {}
    for key, value in node.value:
        if isinstance(key, ScalarNode) and not _is_merge(key):
            found.setdefault(key.value, Entry(key=key, value=value))
    for source in merged(node):
        if isinstance(source, MappingNode):
            for name, entry in entries(source).items():
                found.setdefault(name, entry)
    return found


def merged(node: MappingNode) -> Iterator[Node]:
    """What the `<<` keys of a mapping name: each one mapping or a list of them."""
    for key, value in node.value:
        if _is_merge(key):
            yield from value.value if isinstance(value, SequenceNode) else [value]


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.style is None and key.value == "<<"


def is_nothing(node: Node) -> bool:
    """Whether a key has no value: nothing, `~` or `null`, without quotes."""
    return isinstance(node, ScalarNode) and node.style is None and node.value in _NOTHING
