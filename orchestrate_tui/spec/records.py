"""Mappings with known keys, each described once: the same table reads, refuses and documents.

A `Field` is one key: what reads it, what it means, and what it is when it is not written. A
`Record` is a mapping of such fields and the value they build.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any, Generic, TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode

from orchestrate_tui.spec.document import Entry, descend, entries, is_nothing
from orchestrate_tui.spec.readers import Reader, Schema, kind_of
from orchestrate_tui.spec.report import Place, Report, listed, shown
from orchestrate_tui.values import dataclass

T = TypeVar("T")

_FEW_KEYS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of a mapping. `default` is its value when it is not written.

    `required` is the message when it is missing or blank, in which `{name}` is the text of the
    field `name` of the same mapping; "" means that it may be missing. `reader` None means that
    the key is refused because it is not yet available.
    """

    key: str
    reader: Reader[Any] | None
    description: str
    default: Any = None
    required: str = ""

    def schema(self, definitions: Schema) -> Schema:
        """The field as JSON Schema, with its description and a simple default."""
        if self.reader is None:
            return {"not": {}, "description": f"Not yet available: {self.description}"}
        read = self.reader.schema(definitions)
        found = {**(read if self.required else _or_nothing(read)), "description": self.description}
        if isinstance(self.default, (bool, int, float, str)) and self.default != "":
            found["default"] = self.default
        if not self.required:
            return found
        if found.get("type") == "array":
            return {**found, "minItems": 1}
        return {**found, "allOf": [{"pattern": r"\S"}]}  # beside a pattern of its own


def written(key: str) -> Schema:
    """What a mapping is in which the key stands with a value, as JSON Schema."""
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def _or_nothing(schema: Schema) -> Schema:
    """The same, or no value: that is as if the key were not written."""
    match schema:
        case {"enum": words}:
            return {**schema, "enum": [*words, None]}
        case {"type": str(kind)}:
            return {**schema, "type": [kind, "null"]}
        case {"type": kinds}:
            return {**schema, "type": [*kinds, "null"]}
        case {"anyOf": kinds}:
            return {**schema, "anyOf": [*kinds, {"type": "null"}]}
        case _:
            return {"anyOf": [schema, {"type": "null"}]}


class Values:
    """The fields of one mapping as they were read, and where they stand."""

    def __init__(self, node: MappingNode, label: str, report: Report) -> None:
        self.node = node
        self.label = label
        self.report = report
        self.entries: dict[str, Entry] = entries(node)
        self._found: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        return self._found[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._found[key] = value

    def written(self, key: str) -> bool:
        """Whether the key stands in the file with a value."""
        return key in self.entries and not is_nothing(self.entries[key].value)

    def blamed(self, key: str) -> bool:
        """Whether the key stands in the file with a value that was refused."""
        return self.written(key) and self.report.blames(self.at(key))

    def at(self, *path: str | int) -> Place:
        """Where the value of a field, or a part of it, stands."""
        return Place.of(descend(self.node, *path))

    def error(self, path: tuple[str | int, ...], message: str, hint: str = "") -> None:
        """Record a problem at a field; () is the mapping itself."""
        self.report.error(self.at(*path), message, hint)


@dataclass(frozen=True, kw_only=True)
class Record(Generic[T]):
    """A mapping with known keys that builds one value.

    `title` is what messages call it, "" when each place has a name of its own for it.
    `definition` names it in the schema, `extra` is what the schema says beside the fields.
    """

    fields: tuple[Field, ...]
    build: Callable[[Values], T]
    title: str = ""
    definition: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _by_key(self) -> Mapping[str, Field]:
        return {field.key: field for field in self.fields}

    def read(self, node: Node, label: str, report: Report) -> T | None:
        """The value that the mapping describes, with defaults for what could not be read."""
        if not isinstance(node, MappingNode):
            report.error(node, f"{label} must be a mapping, not {kind_of(node)}")
            return None
        values = Values(node, self.title or label, report)
        self._refuse_unknown(values)
        for one in self.fields:
            value = self._read_field(one, values)
            values[one.key] = one.default if value is None else value
        self._refuse_missing(values)
        return self.build(values)

    def _read_field(self, one: Field, values: Values) -> Any:
        if one.reader is None:
            self._refuse_not_yet(one, values)
            return None
        if not values.written(one.key):
            return None
        return one.reader.read(values.entries[one.key].value, f"'{one.key}'", values.report)

    def _refuse_not_yet(self, one: Field, values: Values) -> None:
        if one.key in values.entries:
            key = values.entries[one.key].key
            values.report.error(key, f"'{one.key}' is not yet available", "remove it")

    def _refuse_missing(self, values: Values) -> None:
        for one in self.fields:
            if one.required and not self._is_given(one, values):
                name = values["name"] if "name" in self._by_key else ""
                values.error((one.key,), one.required.format(name=name))

    def _is_given(self, one: Field, values: Values) -> bool:
        """Whether a required field has a value, or an error of its own."""
        value = values[one.key]
        if value.strip() if isinstance(value, str) else value:
            return True
        if not values.written(one.key):
            return False
        node = values.entries[one.key].value
        has_parts = not isinstance(node, ScalarNode) and bool(node.value)
        return has_parts or values.blamed(one.key)

    def _refuse_unknown(self, values: Values) -> None:
        for key, entry in values.entries.items():
            if key not in self._by_key:
                hint = values.report.suggestion(key, self._by_key)
                if not hint and len(self._by_key) <= _FEW_KEYS:
                    hint = f"known: {listed(self._by_key)}"
                message = f"unknown key '{shown(key)}' in {values.label}"
                values.report.error(entry.key, message, hint)

    def schema(self, definitions: Schema) -> Schema:
        """An object of these fields; a reference to it when it has a name."""
        if not self.definition:
            return self._object(definitions)
        if self.definition not in definitions:
            definitions[self.definition] = {}  # so that a record may contain itself
            definitions[self.definition] = self._object(definitions)
        return {"$ref": f"#/$defs/{self.definition}"}

    def _object(self, definitions: Schema) -> Schema:
        found: Schema = {
            "type": "object",
            "properties": {one.key: one.schema(definitions) for one in self.fields},
            "additionalProperties": False,
            **self.extra,
        }
        required = [one.key for one in self.fields if one.required]
        return {**found, "required": required} if required else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shorthand(Generic[T]):
    """A record, or one plain value that stands for it."""

    record: Record[T]
    plain: Reader[Any]
    expand: Callable[[Any], T]

    def read(self, node: Node, label: str, report: Report) -> T | None:
        """The value of either form."""
        if isinstance(node, MappingNode):
            return self.record.read(node, label, report)
        value = self.plain.read(node, label, report)
        return None if value is None else self.expand(value)

    def schema(self, definitions: Schema) -> Schema:
        """Either form."""
        return {"anyOf": [self.plain.schema(definitions), self.record.schema(definitions)]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lazy(Generic[T]):
    """A record that is named before it is defined, because it contains itself."""

    record: Callable[[], Record[T]]

    def read(self, node: Node, label: str, report: Report) -> T | None:
        """What the record reads."""
        return self.record().read(node, label, report)

    def schema(self, definitions: Schema) -> Schema:
        """The record's schema."""
        return self.record().schema(definitions)
