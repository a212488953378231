"""The wires of one channel, joined so that a reader cannot follow a line to a wrong stage.

A wire is one vertical line: lines from the left enter it at its `lefts`, lines to the right
leave it at its `rights`. Whoever follows a line only ever moves right, so everything that
enters a wire reaches everything that leaves it. Hence two rules:

- Nets with the same targets in this channel share a wire.
- Where different nets end at one stage, at most one wire with further targets leads there
  directly. The others, and those that lead nowhere else, meet in a collector: a wire whose only
  exit is that stage. It joins the direct line from the side, right of where that one began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from orchestrate_tui.values import dataclass

Ends = tuple[Iterable[int], Iterable[int]]
"""The rows of one net on the left and on the right side of a channel."""


@dataclass(eq=False, slots=True)
class Wire:
    """One vertical line between the rows of its ends; `column` counts within the channel.

    `is_half` marks what is left of a wire that was cut; it is not cut again.
    """

    lefts: set[int]
    rights: set[int]
    is_half: bool = False
    column: int = 0

    @property
    def is_straight(self) -> bool:
        """Whether it begins and ends in one row and needs no vertical line."""
        return self.lefts == self.rights and len(self.lefts) == 1

    @property
    def top(self) -> int:
        """Its first row."""
        return min(self.lefts | self.rights)

    @property
    def bottom(self) -> int:
        """Its last row."""
        return max(self.lefts | self.rights)


@dataclass(slots=True)
class Row:
    """Who uses one row of the channel, from left to right; None where nobody does.

    `pin` takes a line from the left border. `tap` ends a line that comes from `pin`, or from
    `source` in a row without a pin. `entry` begins the line to the right border and `joint`
    joins it.
    """

    pin: Wire | None = None
    source: Wire | None = None
    tap: Wire | None = None
    entry: Wire | None = None
    joint: Wire | None = None

    def chain(self) -> Iterator[Wire]:
        """Its vertical lines in the order that their columns must have."""
        before = None
        for wire in (self.pin, self.source, self.tap, self.entry, self.joint):
            if wire is not None and wire is not before and not wire.is_straight:
                yield wire
                before = wire


@dataclass(slots=True)
class Channel:
    """All wires between two layers, and who uses which row."""

    wires: list[Wire] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)

    def free_row(self, top: int, bottom: int) -> int:
        """An unused row, between `top` and `bottom` or else as near to them as there is one."""
        distance, middle = 0, (top + bottom) // 2
        while True:
            for row in (middle + distance, middle - distance):
                if row not in self.rows:
                    return row
            distance += 1

    def exits(self, wire: Wire) -> set[int]:
        """The rows in which `wire` begins or joins a line to the right border from elsewhere."""
        users = {row: self.rows[row] for row in wire.rights}
        return {
            row
            for row, user in users.items()
            if user.joint is wire or (user.entry is wire and user.pin is not wire)
        }

    def cut(self, wire: Wire) -> int:
        """Replace a wire by two that a line in a free row connects; that row."""
        exits = self.exits(wire)
        free = self.free_row(wire.top, wire.bottom)
        left = Wire(wire.lefts, wire.rights - exits | {free}, is_half=True)
        right = Wire({free}, exits, is_half=True)
        for row in wire.lefts | wire.rights:
            _hand_over(self.rows[row], wire, right if row in exits else left)
        self.rows[free] = Row(source=left, tap=right)
        self.wires.remove(wire)
        self.wires += [left, right]
        return free


def _hand_over(row: Row, old: Wire, new: Wire) -> None:
    row.pin = new if row.pin is old else row.pin
    row.source = new if row.source is old else row.source
    row.tap = new if row.tap is old else row.tap
    row.entry = new if row.entry is old else row.entry
    row.joint = new if row.joint is old else row.joint


def wires_of(nets: Sequence[Ends]) -> Channel:
    """The wires that connect the ends of each net; no net joins another but before its target."""
    channel = Channel()
    visitors: dict[int, list[Wire]] = {}
    for rights, lefts in _bundles(nets).items():
        wire = Wire(set(lefts), set(rights))
        channel.wires.append(wire)
        for row in lefts:
            channel.rows.setdefault(row, Row()).pin = wire
        for row in rights:
            channel.rows.setdefault(row, Row())
            visitors.setdefault(row, []).append(wire)
    for row, wires in visitors.items():
        _enter(channel, row, wires, visitors)
    return channel


def _bundles(nets: Sequence[Ends]) -> dict[frozenset[int], list[int]]:
    """For every set of right ends the left ends of all nets that lead exactly there."""
    bundles: dict[frozenset[int], list[int]] = {}
    for lefts, rights in nets:
        bundles.setdefault(frozenset(rights), []).extend(lefts)
    return bundles


def _enter(
    channel: Channel, row: int, wires: list[Wire], visitors: Mapping[int, Sequence[Wire]]
) -> None:
    """Decide which of `wires` leads to the right border directly, and who joins how."""
    users = channel.rows[row]
    if len(wires) == 1:
        users.entry = wires[0]
        return
    collector = next((wire for wire in wires if wire.rights == {row}), None)
    others = [wire for wire in wires if wire is not collector]
    if collector is not None and users.pin is collector:
        users.entry = collector
    else:
        users.entry = _direct(users.pin, others, row)
        others.remove(users.entry)
        users.joint = collector = collector or Wire(set(), {row})
    if not collector.lefts:
        channel.wires.append(collector)
    for wire in others:
        _tap(channel, wire, collector, row, visitors)


def _direct(pin: Wire | None, wires: Sequence[Wire], row: int) -> Wire:
    """The wire that has its line in this row already, or else the nearest one."""
    if pin is not None and pin in wires:
        return pin
    return min(wires, key=lambda wire: min(abs(left - row) for left in wire.lefts))


def _tap(
    channel: Channel,
    wire: Wire,
    collector: Wire,
    target: int,
    visitors: Mapping[int, Sequence[Wire]],
) -> None:
    """Lead a line from `wire` to `collector`: in a row where it comes in anyway, or a free one."""
    own = [
        row
        for row in sorted(wire.lefts)
        if channel.rows[row].tap is None and wire not in visitors.get(row, ())
    ]
    if own:
        row = min(own, key=lambda row: (row in visitors, abs(row - target)))
    else:
        row = channel.free_row(min(wire.top, target), max(wire.bottom, target))
        channel.rows[row] = Row(source=wire)
    channel.rows[row].tap = collector
    wire.rights = wire.rights - {target} | {row}
    collector.lefts.add(row)
