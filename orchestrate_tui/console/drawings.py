"""The drawings of one graph, in each form; laid out when they are first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from orchestrate_tui.console.diagram.layout import BOXED, COMPACT, Form
from orchestrate_tui.console.graph_boxes import scan_of
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.readiness import at_stake

if TYPE_CHECKING:
    from orchestrate_tui.console.diagram.scan import Scan
    from orchestrate_tui.domain.pipeline import Pipeline


SMALL = 120
"""Up to so many stages and lines a drawing is made faster than handed to a thread and awaited."""


class Drawings:
    """The stages of a pipeline as drawings; who asks for one that is not `made` has to wait."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._scans: dict[Form, Scan] = {}

    @cached_property
    def at_stake(self) -> frozenset[str]:
        """The stages that it is shown of whether they could be undone."""
        return at_stake(self.pipeline)

    @cached_property
    def graph(self) -> StageGraph:
        """Which stage waits for which."""
        return StageGraph.of(self.pipeline.stages)

    def made(self, form: Form | None, width: int, height: int) -> Scan | None:
        """The drawing that `make` returns, if that takes no time to speak of."""
        if self._is_small:
            return self.make(form, width, height)
        needed = self._needed(form, height)
        if needed is None or not self._scans.keys() >= needed:
            return None
        return self._chosen(form, width, height)

    def make(self, form: Form | None, width: int, height: int) -> Scan:
        """The drawing in a form, or in the one that suits the room there is."""
        self._scan(form or COMPACT)
        for other in self._needed(form, height) or ():
            self._scan(other)
        return self._chosen(form, width, height)

    @cached_property
    def _is_small(self) -> bool:
        stages = self.pipeline.stages
        return len(stages) + sum(len(stage.depends_on or ()) for stage in stages) <= SMALL

    def _needed(self, form: Form | None, height: int) -> set[Form] | None:
        """The forms that have to be looked at; None when that is not known yet."""
        if form is not None:
            return {form}
        if COMPACT not in self._scans:
            return None
        return {COMPACT} if self._is_too_high(height) else {COMPACT, BOXED}

    def _is_too_high(self, height: int) -> bool:
        layers = self._scans[COMPACT].layout.layers
        return max(map(len, layers), default=0) * BOXED.height > height

    def _chosen(self, form: Form | None, width: int, height: int) -> Scan:
        """Boxes if they all fit, or would have to be scrolled sideways in either form."""
        if form is not None:
            return self._scans[form]
        compact = self._scans[COMPACT]
        if self._is_too_high(height):
            return compact
        boxed = self._scans[BOXED]
        fits = boxed.layout.width <= width or compact.layout.width > width
        return boxed if fits and boxed.layout.height <= height else compact

    def _scan(self, form: Form) -> None:
        if form not in self._scans:
            scan = scan_of(self.graph, form, self.at_stake)
            scan.boxes  # noqa: B018  (which finds them here and not while something is drawn)
            self._scans[form] = scan
