"""A stage graph as plain lines of text, for `graph FILE` and for whoever reads without colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrate_tui.console.diagram.layout import BOXED, Box, Form, Layout, lay_out
from orchestrate_tui.console.text import cell_width, visible
from orchestrate_tui.domain.graph import StageGraph


def render_graph(
    graph: StageGraph, labels: Mapping[str, str] | None = None, form: Form = BOXED
) -> list[str]:
    """The lines of the drawing; a stage without a label shows its name."""
    texts = {name: visible((labels or {}).get(name, name)) for name in graph.names}
    layout = lay_out(graph, {name: cell_width(text) for name, text in texts.items()}, form)
    by_row: dict[int, list[Box]] = {}
    for box in layout.boxes.values():
        for row in range(box.y, box.y + box.height):
            by_row.setdefault(row, []).append(box)
    return [_line(layout, row, by_row.get(row, ()), texts) for row in range(layout.height)]


def _line(layout: Layout, row: int, boxes: Iterable[Box], texts: Mapping[str, str]) -> str:
    parts, x = [], 0
    for box in sorted(boxes, key=lambda box: box.x):
        head = "▶" if box.entered and row == box.row else ""
        start = box.x - len(head)
        parts += [
            layout.edges.text(row, x, start),
            head,
            box_line(box, row - box.y, texts[box.name]),
        ]
        x = box.x + box.width
    parts.append(layout.edges.text(row, x, layout.width))
    return "".join(parts).rstrip()


def box_line(box: Box, line: int, label: str) -> str:
    """One line of a box, counted from its top; `label` is as wide as the layout was told."""
    if box.height == 1:
        return f" {label} "
    inner = box.width - 2
    if line == 0:
        return f"╭{'─' * inner}╮"
    if line == box.height - 1:
        return f"╰{'─' * inner}╯"
    return f"│ {label} {'├' if box.left else '│'}"
