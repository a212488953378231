"""A stage graph laid out from left to right: boxes in layers, lines between them.

    layers_of  →  ordered  →  rows_of  →  wires_of  →  assign_columns
    layers        order       rows        joins        columns

Everything is in character cells; column 0 and row 0 are the top left corner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestrate_tui.console.diagram.columns import assign_columns
from orchestrate_tui.console.diagram.edges import Edges, Vertical
from orchestrate_tui.console.diagram.nets import Pins, layers_of
from orchestrate_tui.console.diagram.order import ordered
from orchestrate_tui.console.diagram.rows import rows_of
from orchestrate_tui.console.diagram.wires import Channel, Row, Wire, wires_of
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How much room things take. `padding` is what a box is wider than its label.

    `stride` is the distance of two vertical lines, `tail` what a line keeps before its arrow.
    """

    height: int
    padding: int
    gap: int
    stride: int
    tail: int


BOXED = Form(height=3, padding=4, gap=0, stride=2, tail=1)
"""Boxes with a border, three rows high."""

COMPACT = Form(height=1, padding=2, gap=0, stride=1, tail=0)
"""One row for a stage, for small terminals."""


LEAD = 1
"""Cells that a line keeps after a box."""

ARROW = 1
"""Cells that an arrow takes before a box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where one stage stands. `row` is its middle row, `layer` counts from the left.

    `entered` tells whether an arrow stands before it, `left` whether a line begins after it.
    """

    name: str
    x: int
    row: int
    width: int
    height: int
    layer: int
    entered: bool
    left: bool

    @property
    def y(self) -> int:
        """Its first row."""
        return self.row - self.height // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The whole drawing: the boxes by name, the stages of each layer from the top, the lines."""

    form: Form
    boxes: Mapping[str, Box]
    layers: tuple[tuple[str, ...], ...]
    edges: Edges
    width: int
    height: int


def lay_out(graph: StageGraph, label_widths: Mapping[str, int], form: Form = BOXED) -> Layout:
    """Lay out an acyclic graph whose labels are that many cells wide."""
    plan = layers_of(graph)
    order = ordered(plan)
    rows = rows_of(plan, order, height=form.height, gap=form.gap)
    channels = [_channel(pins, rows) for pins in plan.channels]
    counts = [assign_columns(channel) for channel in channels]
    top, bottom = _extent(rows, channels, form)
    names = tuple(
        tuple(graph.names[item] for item in layer if item < plan.stage_count) for layer in order
    )
    widths = [
        max((label_widths[name] for name in layer), default=0) + form.padding for layer in names
    ]
    columns = _Columns.of(widths, counts, form)
    boxes = {
        name: Box(
            name=name,
            x=columns.starts[layer],
            row=rows[graph.position[name]] - top,
            width=label_widths[name] + form.padding,
            height=form.height,
            layer=layer,
            entered=bool(graph.dependencies[name]),
            left=bool(graph.dependants[name]),
        )
        for layer, members in enumerate(names)
        for name in members
    }
    bends = [
        (rows[item] - top, columns.starts[layer], columns.ends[layer])
        for layer, members in enumerate(order)
        for item in members
        if item >= plan.stage_count
    ]
    stubs = [
        (box.row, box.x + box.width, columns.ends[box.layer]) for box in boxes.values() if box.left
    ]
    spans, verticals = _lines(channels, columns, form, top)
    return Layout(
        form=form,
        boxes=boxes,
        layers=names,
        edges=Edges.of([*bends, *stubs, *spans], verticals),
        width=columns.ends[-1] if columns.ends else 0,
        height=bottom - top + 1,
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where each layer starts and ends; what lies between an end and a start is a channel."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, widths: Sequence[int], counts: Sequence[int], form: Form) -> _Columns:
        starts, ends, x = [], [], 0
        for width, count in zip(widths, (*counts, 0), strict=False):
            starts.append(x)
            ends.append(x + width)
            lines = (count - 1) * form.stride + 1 if count else 0
            x += width + LEAD + lines + form.tail + ARROW
        return cls(tuple(starts), tuple(ends))


def _channel(pins: Sequence[Pins], rows: Mapping[int, int]) -> Channel:
    return wires_of(
        [([rows[item] for item in one.lefts], [rows[item] for item in one.rights]) for one in pins]
    )


def _extent(rows: Mapping[int, int], channels: Sequence[Channel], form: Form) -> tuple[int, int]:
    """The first and the last row that anything stands in."""
    if not rows:
        return 0, -1
    half = form.height // 2
    used = [row for channel in channels for row in channel.rows]
    return min([min(rows.values()) - half, *used]), max([max(rows.values()) + half, *used])


def _lines(
    channels: Sequence[Channel], columns: _Columns, form: Form, top: int
) -> tuple[list[tuple[int, int, int]], list[Vertical]]:
    spans: list[tuple[int, int, int]] = []
    verticals: list[Vertical] = []
    for index, channel in enumerate(channels):
        start, end = columns.ends[index], columns.starts[index + 1]
        place = {wire: start + LEAD + wire.column * form.stride for wire in channel.wires}
        for row, users in channel.rows.items():
            spans += [(row - top, *span) for span in _spans(users, place, start, end)]
        joints = {users.joint: row for row, users in channel.rows.items() if users.joint}
        for wire in channel.wires:
            if not wire.is_straight:
                lefts = wire.lefts | ({joints[wire]} if wire in joints else set())
                verticals.append(
                    Vertical(
                        x=place[wire],
                        top=wire.top - top,
                        bottom=wire.bottom - top,
                        lefts=frozenset(row - top for row in lefts),
                        rights=frozenset(row - top for row in wire.rights),
                    )
                )
    return spans, verticals


def _spans(row: Row, place: Mapping[Wire, int], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The horizontal lines of one row of a channel, as first column and column after the last."""
    if row.pin is not None and row.pin is row.entry:
        yield start, end
        return
    origin = row.pin or row.source
    if row.pin is not None and not row.pin.is_straight:
        yield start, place[row.pin]
    if row.tap is not None and origin is not None:
        yield (start if origin.is_straight else place[origin]), place[row.tap]
    if row.entry is not None:
        yield place[row.entry], end
