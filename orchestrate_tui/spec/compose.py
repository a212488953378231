"""YAML text to a tree of nodes that keep their text and position; refuses what could explode.

Scalars are never given a type here: `1.10`, `NO` and `12:30` stay the text they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from yaml import SafeLoader
from yaml.composer import ComposerError
from yaml.error import Mark, MarkedYAMLError
from yaml.events import AliasEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from orchestrate_tui.spec.document import merged
from orchestrate_tui.spec.report import Place, Report, shown

LONGEST_FILE = 1024 * 1024
"""Bytes; a pipeline of a thousand stages, each with all there is, has fewer."""

TOO_LONG = f"the file is larger than {LONGEST_FILE // 1024**2} MiB"

MOST_NODES = 50_000
"""Keys, values and items: a thousand stages with all there is, or seven thousand with the least.

PyYAML takes up to 30 µs for each, so that the worst file of all takes about a second and a half.
"""

DEEPEST = 40
MOST_ALIASED_NODES = 50_000

_TAG = "tag:yaml.org,2002:"
_HARMLESS_TAGS = frozenset(
    {None, "!", *(_TAG + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map"))}
)


def compose(text: str, file: str, report: Report) -> Node | None:
    """The root node of `text`, an empty scalar if there is nothing in it.

    None when it cannot be read; then `report` says why.
    """
    content = text.encode(errors="replace")
    if len(content) > LONGEST_FILE:
        line = content.count(b"\n", 0, LONGEST_FILE) + 1
        report.error(Place(file=file, line=line, column=1), TOO_LONG)
        return None
    try:
        loader = _StrictLoader(text, file, report)
    except ReaderError as error:
        _report_character(error, text, file, report)
        return None
    return _compose(loader, file, report)


def _compose(loader: _StrictLoader, file: str, report: Report) -> Node | None:
    try:
        root = loader.get_single_node()
    except MarkedYAMLError as error:
        place, message, hint = _in_plain_words(error, file)
        report.error(place, message, hint)
        return None
    except (ValueError, OverflowError):  # an escape such as "\UFFFFFFFF"
        place = Place(file=file, line=loader.line + 1, column=loader.column + 1)
        report.error(place, "not valid YAML: a number or an escape is out of range")
        return None
    if root is None:
        start = Mark(file, 0, 0, 0, None, 0)
        return ScalarNode(_TAG + "null", "", start, start)
    return root


class _StrictLoader(SafeLoader):
    """Composes one document and counts what aliases would expand to."""

    def __init__(self, text: str, file: str, report: Report) -> None:
        super().__init__(text)
        self.name = file
        self._report = report
        self._depth = 0
        self._aliased_nodes = 0
        self._measures: dict[int, tuple[int, int]] = {}  # id of a node: its nodes, its height

    def resolve(self, kind: type[Node], value: str | None, implicit: tuple[bool, bool]) -> str:
        """No types: the readers decide what a text means."""
        del value, implicit
        return _TAG + ("str" if kind is ScalarNode else "seq" if kind is SequenceNode else "map")

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Compose one node within the limits of depth and expansion."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Mark = event.start_mark
        if isinstance(event, AliasEvent):
            node = super().compose_node(parent, index)
            self._count_alias(node, str(event.anchor), mark)
            return node
        if event.tag not in _HARMLESS_TAGS:
            raise _refusal(f"the tag '{shown(event.tag)}' is not allowed", mark)
        self._depth += 1
        self._refuse_depth(self._depth, mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None:
            self._measures[id(node)] = self._measure(node)
        if len(self._measures) > MOST_NODES:
            raise _refusal(f"the file holds more than {MOST_NODES:,} values", mark)
        return node

    def _count_alias(self, node: Node | None, name: str, mark: Mark) -> None:
        measure = self._measures.get(id(node))
        if measure is None:
            raise _refusal(f"the alias '*{shown(name)}' contains itself", mark)
        size, height = measure
        self._aliased_nodes += size
        if self._aliased_nodes > MOST_ALIASED_NODES:
            raise _refusal(f"aliases expand to more than {MOST_ALIASED_NODES:,} values", mark)
        self._refuse_depth(self._depth + height, mark)

    def _refuse_depth(self, depth: int, mark: Mark) -> None:
        if depth > DEEPEST:
            raise _refusal(f"nested more than {DEEPEST} levels deep", mark)

    def _measure(self, node: Node) -> tuple[int, int]:
        if isinstance(node, ScalarNode):
            return (1, 1)
        children = [self._measures[id(child)] for child in _children(node)]
        size = 1 + sum(size for size, _ in children)
        return (size, 1 + max((height for _, height in children), default=0))

    def compose_mapping_node(self, anchor: dict[str, Node]) -> MappingNode:
        """Compose a mapping, each of whose keys is a text of its own."""
        node = super().compose_mapping_node(anchor)
        seen: dict[str, Node] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                self._report.error(key, "a key must be text")
            elif key.value in seen:
                first = Place.of(seen[key.value]).line
                message = f"duplicate key '{shown(key.value)}'"
                self._report.error(key, message, f"it stands in line {first} already")
            else:
                seen[key.value] = key
        for source in merged(node):
            if not isinstance(source, MappingNode):
                self._report.error(source, "'<<' merges a mapping or a list of mappings")
        return node


def _children(node: Node) -> Iterator[Node]:
    return iter(node.value) if isinstance(node, SequenceNode) else chain.from_iterable(node.value)


def _refusal(message: str, mark: Mark) -> ComposerError:
    return ComposerError(problem=message, problem_mark=mark, note=_REFUSED)


_REFUSED = "refused"

_WORDS = (
    (
        "'\\t' that cannot start any token",
        "YAML takes no tab here",
        "use spaces",
    ),
    (
        "that cannot start any token",
        "a value cannot begin with this character",
        "put the text in quotes",
    ),
    (
        "mapping values are not allowed here",
        "a ':' does not fit here",
        "check the indentation, or put a text that contains ': ' in quotes",
    ),
    (
        "expected <block end>",
        "the indentation does not fit",
        "the parts of one list or mapping begin in the same column",
    ),
    (
        "could not find expected ':'",
        "a key without ':' and value",
        "check the line, and the indentation of the lines below it",
    ),
    (
        "but found '<stream end>'",
        "the file ends inside a value",
        "close the bracket",
    ),
    (
        "expected a single document",
        "a second document begins here, but a file holds one",
        "move it to a file of its own",
    ),
)
"""What PyYAML says, and what it means to somebody who writes a pipeline."""

_UNCLOSED = (
    ("while scanning a quoted scalar", "a quote is not closed"),
    ("while parsing a flow sequence", "a '[' is not closed"),
    ("while parsing a flow mapping", "a '{' is not closed"),
)


def _in_plain_words(error: MarkedYAMLError, file: str) -> tuple[Place, str, str]:
    problem, context = error.problem or "it cannot be read", error.context or ""
    place = _place(error.problem_mark or error.context_mark, file)
    if error.note == _REFUSED:
        return place, problem, ""
    for words, message in _UNCLOSED:
        if context == words and ("end of stream" in problem or "expected ','" in problem):
            return _place(error.context_mark, file), message, ""
    for words, message, hint in _WORDS:
        if words in problem or words in context:
            return place, message, hint
    return place, f"not valid YAML: {shown(problem)}", ""


def _place(mark: Mark | None, file: str) -> Place:
    if mark is None:
        return Place(file=file)
    return Place(file=file, line=mark.line + 1, column=mark.column + 1)


def _report_character(error: ReaderError, text: str, file: str, report: Report) -> None:
    before = text[: error.position]
    place = Place(
        file=file,
        line=before.count("\n") + 1,
        column=error.position - before.rfind("\n"),
    )
    report.error(place, f"the character U+{error.character:04X} is not allowed in YAML")
