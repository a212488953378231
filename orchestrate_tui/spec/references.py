"""What stages say about each other: that the other exists, and that nobody waits for himself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.undo_order import undo_cycles
from orchestrate_tui.spec.document import Document
from orchestrate_tui.spec.report import Report


class StageReferences:
    """The stages of one pipeline file, each with its position in the file."""

    def __init__(self, pipeline: Pipeline, document: Document, report: Report) -> None:
        self._document = document
        self._report = report
        self._pipeline = pipeline
        self._placed = tuple(zip(document.item_indexes("stages"), pipeline.stages, strict=True))
        self._index: dict[str, int] = {}
        for index, stage in self._placed:
            self._index.setdefault(stage.name, index)

    def check(self) -> StageGraph:
        """Report every reference that leads nowhere or back; the graph of what is left."""
        self._refuse_same_names()
        for index, stage in self._placed:
            for path, message in _references(stage):
                self._refuse_unknown(index, path, message)
        unique = tuple(s for i, s in self._placed if s.name and self._index[s.name] == i)
        graph = StageGraph.of(unique)
        if not self._refuse_cycles(graph):
            self._refuse_undo_cycles(graph, unique)
        return graph

    def _refuse_same_names(self) -> None:
        for index, stage in self._placed:
            first = self._index[stage.name]
            if stage.name and first != index:
                line = self._document.at("stages", first).line
                self._report.error(
                    self._document.at("stages", index, "name"),
                    f"Stage name '{stage.name}' is used twice",
                    f"the first is in line {line}",
                )

    def _refuse_unknown(self, index: int, path: tuple[str, ...], message: str) -> None:
        name = path[-1]
        if name not in self._index or not name:
            hint = self._report.suggestion(name, self._index)
            self._report.error(self._document.at("stages", index, *path), message, hint)

    def _refuse_cycles(self, graph: StageGraph) -> bool:
        cycles = graph.cycles()
        for cycle in cycles:
            first, before = cycle[0], cycle[-1]
            path = ("depends_on", before) if self._depends(first, before) else ()
            self._report.error(
                self._document.at("stages", self._index[first], *path),
                f"Circular dependency detected involving stage '{first}'",
                " → ".join((first, *reversed(cycle))),
            )
        return bool(cycles)

    def _depends(self, name: str, other: str) -> bool:
        stage = self._pipeline.stage(name)
        return stage is not None and other in (stage.depends_on or ())

    def _refuse_undo_cycles(self, graph: StageGraph, stages: tuple[Stage, ...]) -> None:
        for cycle in undo_cycles(replace(self._pipeline, stages=stages), graph):
            name, follower = self._chained(cycle)
            self._report.error(
                self._document.at("stages", self._index[name], "rollback", "then", follower),
                f"Stage '{name}' rollback then makes its undo wait for itself",
                " → ".join((*reversed(cycle), cycle[-1])),
            )

    def _chained(self, cycle: tuple[str, ...]) -> tuple[str, str]:
        """A stage on the cycle and the next one, which its `then` names."""
        for follower, name in pairwise((*cycle, cycle[0])):
            stage = self._pipeline.stage(name)
            if stage and stage.rollback and follower in stage.rollback.then:
                return name, follower
        raise AssertionError("a cycle of undos without `then` is a cycle of dependencies")


def _references(stage: Stage) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every name of another stage: its path in this one, and what to say if it is unknown."""
    who = f"Stage '{stage.name}'"
    for name in stage.depends_on or ():
        yield ("depends_on", name), f"{who} depends on non-existent stage '{name}'"
    for name in stage.parallel_with:
        yield ("parallel_with", name), f"{who} parallel_with non-existent stage '{name}'"
    if stage.rollback_to is not None:
        message = f"{who} rollback_to non-existent stage '{stage.rollback_to}'"
        yield ("rollback_to", stage.rollback_to), message
    for name in stage.rollback.then if stage.rollback else ():
        yield ("rollback", "then", name), f"{who} rollback then names non-existent stage '{name}'"
