"""A stage graph as plain lines of text, for `graph FILE` and for whoever reads without colours."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrate_tui.console.diagram.layout import BOXED, Box, Form, lay_out
from orchestrate_tui.console.diagram.scan import Scan, border
from orchestrate_tui.console.text import cell_width, visible
from orchestrate_tui.domain.graph import StageGraph


def render_graph(
    graph: StageGraph, labels: Mapping[str, str] | None = None, form: Form = BOXED
) -> list[str]:
    """The lines of the drawing; a stage without a label shows its name."""
    texts = {name: visible((labels or {}).get(name, name)) for name in graph.names}
    layout = lay_out(graph, {name: cell_width(text) for name, text in texts.items()}, form)
    scan = Scan(layout)
    return [
        "".join(
            part if isinstance(part, str) else _box_line(part, row - part.y, texts[part.name])
            for part in scan.row(row, 0, layout.width)
        ).rstrip()
        for row in range(layout.height)
    ]


def _box_line(box: Box, line: int, label: str) -> str:
    if box.height == 1:
        return f" {label} "
    if line == box.row - box.y:
        return f"│ {label} {'├' if box.left else '│'}"
    return border(box, line)
