from __future__ import annotations

import gc

from orchestrate_tui.console.diagram.layout import BOXED, COMPACT, Form
from orchestrate_tui.console.diagram.scan import Scan
from orchestrate_tui.console.drawings import SMALL, Drawings
from orchestrate_tui.console.widgets.graph_canvas import NO_PIPELINE, _made_in_peace
from orchestrate_tui.domain.pipeline import Pipeline, Stage


def drawings(stages: int) -> Drawings:
    side_by_side = (
        Stage(name=f"s{number}", agent="a", task="t", depends_on=()) for number in range(stages)
    )
    return Drawings(Pipeline(name="p", stages=tuple(side_by_side)))


def test_a_small_graph_is_drawn_at_once() -> None:
    drawing = drawings(3).made(None, 80, 24)
    assert drawing is not None
    assert drawing.layout.form is BOXED


def test_a_large_graph_is_only_there_when_somebody_has_made_it() -> None:
    large = drawings(SMALL + 1)
    assert large.made(None, 80, 24) is None
    drawing = large.make(None, 80, 24)
    assert drawing.layout.form is COMPACT
    assert large.made(None, 80, 30) is drawing
    assert large.made(BOXED, 80, 24) is None


def test_more_room_may_ask_for_another_form() -> None:
    large = drawings(SMALL + 1)
    large.make(None, 80, 24)
    assert large.made(None, 80, 1000) is None
    assert large.make(None, 80, 1000).layout.form is BOXED
    assert large.made(None, 80, 1000) is not None


def test_while_a_large_graph_is_laid_out_nobody_looks_for_garbage() -> None:
    looked = []

    class Watched(Drawings):
        def make(self, form: Form | None, width: int, height: int) -> Scan:
            looked.append(gc.isenabled())
            return super().make(form, width, height)

    assert _made_in_peace(Watched(NO_PIPELINE), None, 80, 24).boxes is not None
    assert looked == [False]
    assert gc.isenabled()
