"""What a rollback reaches: the stages of which something is undone, in order, and what stays.

That is everything downstream of its target that started in the run and was not undone before.
Undoing goes against the direction of the dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from operator import attrgetter

from orchestrate_tui.domain.components import Parts, chosen_parts, why_it_stays
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.rollback import is_in_scope
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.undo_order import Edges, chains_of, closure_of, undo_order, undone_after
from orchestrate_tui.values import dataclass

WHOLE: Parts = (None,)
"""A stage that is undone as a whole."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Follows from what `plan_rollback` is given; each part of it from the parts above it."""

    pipeline: Pipeline
    graph: StageGraph
    stages: Mapping[str, StageRun]
    failed_stage: str
    target: str
    components: tuple[str, ...]
    undone: Mapping[str, frozenset[str]]
    cascade: bool
    starts: Mapping[str, int]

    @cached_property
    def defined(self) -> dict[str, Stage]:
        """The stages as the pipeline defines them, by name."""
        return {stage.name: stage for stage in self.pipeline.stages}

    @cached_property
    def there(self) -> frozenset[str]:
        """The stages whose effects may be there."""
        return frozenset([name for name, stage in self.stages.items() if is_in_scope(stage)])

    @cached_property
    def chains(self) -> Edges:
        """What `then` has follow the undos of these."""
        return chains_of(self.pipeline.stages, self.graph, self.there)

    @cached_property
    def closure(self) -> frozenset[str]:
        """All that follows from the target, whether it ran or not."""
        starts = (self.target, self.failed_stage) if self.target else self.there
        return closure_of(self.graph, self.chains, starts)

    @cached_property
    def oldest_first(self) -> list[str]:
        """What of that is there, in the order of its starts."""
        reached = self.closure & self.there
        begun = [self.stages[name] for name in self.graph.names if name in reached]
        begun.sort(key=attrgetter("started_at", "position"))
        names = [stage.stage_name for stage in begun]
        if self.starts:
            names.sort(key=lambda name: self.starts.get(name, 0))
        return names

    @cached_property
    def reached(self) -> tuple[str, ...]:
        """The same in the order of undoing."""
        return undo_order(self.closure, self.oldest_first, undone_after(self.graph, self.chains))

    @cached_property
    def asked_for(self) -> tuple[str, ...]:
        """What of that is to be undone, of whatever components it is."""
        if self.cascade:
            return self.reached
        return tuple(name for name in self.reached if name == self.target)

    @cached_property
    def split(self) -> frozenset[str]:
        """The stages that are not undone as a whole, or not at all."""
        stages = self.pipeline.stages
        return frozenset([one.name for one in stages if one.components or self.components])

    @cached_property
    def parts(self) -> dict[str, Parts]:
        """What is undone by itself of those that are not undone as a whole."""
        return {
            name: chosen_parts(self.defined[name], self.components, self.undone.get(name, ()))
            for name in self.asked_for
            if name in self.split
        }

    @cached_property
    def scope(self) -> tuple[str, ...]:
        """The stages of which something is undone, in order."""
        if not self.parts:
            return self.asked_for
        return tuple(name for name in self.asked_for if self.parts.get(name, WHOLE))

    @cached_property
    def staying(self) -> dict[str, str]:
        """The stages that stay as they are because less than all was asked for, and why."""
        alone = f"stays as it is: only '{self.target}' is undone"
        kept_apart = {
            name: why_it_stays(self.defined[name], self.undone.get(name, frozenset()))
            for name, parts in self.parts.items()
            if not parts
        }
        return kept_apart | dict.fromkeys(set(self.reached).difference(self.asked_for), alone)
