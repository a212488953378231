"""How much room each stage takes in the graph of the console."""

from __future__ import annotations

from collections.abc import Collection

from orchestrate_tui.console.diagram.layout import COMPACT, Form, lay_out
from orchestrate_tui.console.diagram.scan import Scan
from orchestrate_tui.console.durations import NARROW
from orchestrate_tui.console.stage_label import shown_name
from orchestrate_tui.console.text import cell_width
from orchestrate_tui.domain.graph import StageGraph

MARK_CELLS = 2
"""The glyph of a status and the space after it."""

LIGHT_CELLS = 3
"""The light of a stage: the sign of an undo, its glyph, and a space."""


def scan_of(graph: StageGraph, form: Form, at_stake: Collection[str]) -> Scan:
    """The graph with room for the marks; for lights too of the stages `at_stake`."""
    time, light = (NARROW + 1, LIGHT_CELLS) if form is COMPACT else (0, 0)
    widths = {
        name: MARK_CELLS + cell_width(shown_name(name)) + time + light * (name in at_stake)
        for name in graph.names
    }
    return Scan(lay_out(graph, widths, form))
