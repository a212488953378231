"""A pipeline that was read, and where each part of it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Agent, Pipeline, Stage
from orchestrate_tui.errors import Problem
from orchestrate_tui.spec.document import Document
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPipeline:
    """A pipeline without errors, its stages as a graph, and what somebody should look at.

    The agents of `pipeline` are its own, then those of `agents.yaml` beside the file, then the
    user's; an agent that is defined twice is the first of them. `source` is the text of `file`.
    `agent_documents` are the files that the agents stand in.
    """

    pipeline: Pipeline
    source: str
    file: str
    graph: StageGraph
    document: Document = field(repr=False)
    agent_documents: Mapping[str, Document] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()

    def locate(self, *path: str | int) -> tuple[int, int]:
        """Line and column, from 1, of what stands at `path`, such as ("stages", 3, "agent").

        A text finds itself in a list. Where nothing stands there, the place of what is around it.
        """
        place = self.document.at(*path)
        return place.line, place.column

    def placed_stages(self) -> tuple[tuple[int, Stage], ...]:
        """The stages, each with its position in the list of the file."""
        indexes = self.document.item_indexes("stages")
        return tuple(zip(indexes, self.pipeline.stages, strict=True))

    def agents(self) -> Mapping[str, Agent]:
        """The agents by name."""
        return {agent.name: agent for agent in self.pipeline.agents}
