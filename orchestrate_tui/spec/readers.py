"""Readers of single values: each knows what it accepts, and the JSON Schema that says the same."""

from __future__ import annotations

import re
from dataclasses import field
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from orchestrate_tui.spec.document import entries, is_nothing
from orchestrate_tui.spec.durations import PATTERN, InvalidDuration, parse_duration
from orchestrate_tui.spec.report import Report, listed, shown
from orchestrate_tui.values import dataclass

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=StrEnum)

Schema = dict[str, Any]
"""A JSON Schema, or a part of one."""

NEVER = float("inf")
"""The duration of what has no end."""

_SURROGATES = r"[\ud800-\udfff]"
_MOST_DIGITS = 15


class Reader(Protocol[T_co]):
    """Turns a node into a value."""

    def read(self, node: Node, label: str, report: Report) -> T_co | None:
        """The value of `node`, which messages call `label`; None after telling `report` why not."""
        ...

    def schema(self, definitions: Schema) -> Schema:
        """What is accepted, as JSON Schema; named parts are added to `definitions`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text exactly as it is written.

    `pattern` has to match the whole text, else the message is `rule`. `most_bytes` 0 means any
    length. `one_line` refuses control characters. `quoted` False keeps the text out of messages.
    """

    pattern: str = ""
    rule: str = ""
    most_bytes: int = 0
    one_line: bool = False
    quoted: bool = True

    def read(self, node: Node, label: str, report: Report) -> str | None:
        """The text as it stands in the file."""
        text = scalar(node, label, "text", report)
        complaint = None if text is None else self._complaint(text)
        if complaint:
            report.error(node, f"{label} {complaint}")
            return None
        return text

    def _complaint(self, text: str) -> str | None:
        if "\0" in text or (not text.isascii() and re.search(_SURROGATES, text)):
            return "contains a character that no program can be given"
        if self.most_bytes and len(text.encode()) > self.most_bytes:
            return f"is longer than {self.most_bytes} bytes"
        if self.one_line and re.search(r"[\x00-\x1f\x7f-\x9f]", text):
            return "must be one line without control characters"
        if self.pattern and not re.fullmatch(self.pattern, text):
            return f"{self.rule}, not '{shown(text)}'" if self._is_shown(text) else self.rule
        return None

    def _is_shown(self, text: str) -> bool:
        return self.quoted and bool(text.strip())

    def schema(self, definitions: Schema) -> Schema:
        """A string; numbers and truth values are taken as the text they are written as."""
        del definitions
        found: Schema = {"type": ["string", "number", "boolean"]}
        if self.pattern:
            found["pattern"] = f"^(?:{self.pattern})$"
        if self.most_bytes:
            found["maxLength"] = self.most_bytes
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """True or false."""

    TRUE: ClassVar[tuple[bool | str, ...]] = (True, "yes", "on")
    FALSE: ClassVar[tuple[bool | str, ...]] = (False, "no", "off")
    """As a schema sees them: the words are text in YAML 1.2."""

    def read(self, node: Node, label: str, report: Report) -> bool | None:
        """Any of the words YAML 1.1 has for true and false."""
        words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        value = words.get(_plain(node).lower())
        if value is None:
            report.error(node, f"{label} must be true or false, not {_found(node)}")
        return value

    def schema(self, definitions: Schema) -> Schema:
        """A truth value, or a word that YAML 1.2 reads as text."""
        del definitions
        return {"enum": [*self.TRUE, *self.FALSE]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int
    most: int

    def read(self, node: Node, label: str, report: Report) -> int | None:
        """The number, written in decimal digits without quotes."""
        text = _plain(node)
        if re.fullmatch(r"-?(?:0|[1-9]\d*)", text, re.ASCII) and len(text) <= _MOST_DIGITS:
            number = int(text)
            if self.least <= number <= self.most:
                return number
        expected = f"a whole number from {self.least} to {self.most}"
        report.error(node, f"{label} must be {expected}, not {_found(node)}")
        return None

    def schema(self, definitions: Schema) -> Schema:
        """An integer in the range."""
        del definitions
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number from `least` to `most`, with or without a fraction."""

    least: float
    most: float

    def read(self, node: Node, label: str, report: Report) -> float | None:
        """The number, written in decimal digits without quotes."""
        text = _plain(node)
        if re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", text, re.ASCII):
            number = float(text)
            if self.least <= number <= self.most:
                return number
        expected = f"a number from {self.least:g} to {self.most:g}"
        report.error(node, f"{label} must be {expected}, not {_found(node)}")
        return None

    def schema(self, definitions: Schema) -> Schema:
        """A number in the range."""
        del definitions
        return {"type": "number", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """Seconds, from `30m`, `1h30m` or a plain number. `zero` and `never` allow these as well."""

    zero: bool = True
    never: bool = False

    def read(self, node: Node, label: str, report: Report) -> float | None:
        """The duration in seconds; NEVER for `never` where that is allowed."""
        text = scalar(node, label, "a duration such as 30s, 15m or 1h30m", report)
        if text is None:
            return None
        if self.never and text == "never":
            return NEVER
        try:
            seconds = parse_duration(text)
        except InvalidDuration as error:
            hint = error.next_step[:1].lower() + error.next_step[1:]
            report.error(node, f"{label}: {shown(error.message)}", hint)
            return None
        if seconds or self.zero:
            return seconds
        report.error(node, f"{label} must be more than 0")
        return None

    def schema(self, definitions: Schema) -> Schema:
        """A number of seconds, or text of the form."""
        del definitions
        pattern = f"^(?:{PATTERN}{'|never' if self.never else ''})$"
        return {"type": ["string", "number"], "minimum": 0, "minLength": 1, "pattern": pattern}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Generic[E]):
    """One of the words of an enumeration."""

    words: type[E]

    def read(self, node: Node, label: str, report: Report) -> E | None:
        """The member that is written."""
        expected = listed(self.words)
        text = scalar(node, label, expected, report)
        if text is None or text in self.words.__members__.values():
            return None if text is None else self.words(text)
        hint = report.suggestion(text, self.words)
        report.error(node, f"{label} must be {expected}, not '{shown(text)}'", hint)
        return None

    def schema(self, definitions: Schema) -> Schema:
        """The words."""
        del definitions
        return {"enum": [str(word) for word in self.words]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Generic[T]):
    """A list. With `single`, one item may stand without the list; `empty` allows none at all."""

    item: Reader[T]
    single: bool = True
    empty: bool = True
    hint: str = ""

    def read(self, node: Node, label: str, report: Report) -> tuple[T, ...] | None:
        """The items that could be read; the others are in the report."""
        if not isinstance(node, SequenceNode) and not self.single:
            report.error(node, f"{label} must be a list, not {_found(node)}", self.hint)
            return None
        if not isinstance(node, SequenceNode):
            value = self._read_item(node, label, report)
            return None if value is None else (value,)
        if not node.value and not self.empty:
            report.error(node, f"{label} is empty")
        read = (self._read_item(item, f"an item of {label}", report) for item in node.value)
        return tuple(value for value in read if value is not None)

    def _read_item(self, node: Node, label: str, report: Report) -> T | None:
        if is_nothing(node):
            report.error(node, f"{label} is empty", "write '' for an empty text")
            return None
        return self.item.read(node, label, report)

    def schema(self, definitions: Schema) -> Schema:
        """An array, or one item where that is allowed."""
        item = self.item.schema(definitions)
        array: Schema = {"type": "array", "items": item}
        if not self.empty:
            array["minItems"] = 1
        return {"anyOf": [array, item]} if self.single else array


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf(Generic[T]):
    """A mapping with free keys, as pairs in the order of the file."""

    value: Reader[T]
    keys: Text = field(default_factory=Text)

    def read(self, node: Node, label: str, report: Report) -> tuple[tuple[str, T], ...] | None:
        """The pairs that could be read; the others are in the report."""
        if not isinstance(node, MappingNode):
            report.error(node, f"{label} must be a mapping of names to values, not {_found(node)}")
            return None
        pairs = []
        for name, entry in entries(node).items():
            key = self.keys.read(entry.key, f"a name in {label}", report)
            value = self.value.read(entry.value, f"'{shown(name)}' in {label}", report)
            if key is not None and value is not None:
                pairs.append((key, value))
        return tuple(pairs)

    def schema(self, definitions: Schema) -> Schema:
        """An object with any keys of the form."""
        found: Schema = {
            "type": "object",
            "additionalProperties": self._value_schema(definitions),
        }
        names = {k: v for k, v in self.keys.schema(definitions).items() if k != "type"}
        if names:
            found["propertyNames"] = names
        return found

    def _value_schema(self, definitions: Schema) -> Schema:
        """What the values are; where any text will do, nothing is an empty one."""
        found = self.value.schema(definitions)
        if isinstance(self.value, Text) and not self.value.pattern:
            found["type"] = [*found["type"], "null"]
        return found


WORDS = Text(pattern=r"\s*\S[\s\S]*", rule="must not be blank")
"""Text that says something."""

NAMES = ListOf(item=WORDS)
"""Texts, one of which may stand without the list."""


def scalar(node: Node, label: str, expected: str, report: Report) -> str | None:
    """The text of a single value; anything else is reported as not `expected`."""
    if isinstance(node, ScalarNode):
        return str(node.value)
    report.error(node, f"{label} must be {expected}, not {_found(node)}")
    return None


def kind_of(node: Node) -> str:
    """What a node is, in words."""
    if isinstance(node, ScalarNode):
        return "a single value"
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


def _found(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        return kind_of(node)
    quotes = f"the text '{shown(node.value)}'" if node.style else f"'{shown(node.value)}'"
    return quotes if node.value else "nothing"


def _plain(node: Node) -> str:
    """The text of an unquoted value; "" for anything else."""
    return node.value if isinstance(node, ScalarNode) and node.style is None else ""
