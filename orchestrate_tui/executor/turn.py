"""One turn of a run: everything that is decided together is committed together.

What follows from a decision (starting a stage, answering a request) happens only after the
commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field

from orchestrate_tui.executor.hub import Change
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.fencing import check_owner
from orchestrate_tui.store.runs import StageChange, change_stages
from orchestrate_tui.values import dataclass


@dataclass(slots=True)
class Turn:
    """Collects changes of stages, other changes of the store, and what to do afterwards."""

    run_id: int
    epoch: int
    stages: list[StageChange] = field(default_factory=list)
    others: list[Callable[[Connection], object]] = field(default_factory=list)
    afterwards: list[Callable[[], object]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not self.stages and not self.others

    def apply(self, connection: Connection) -> None:
        """Make all changes, in one transaction that the caller ends.

        Raises StaleTransition when the run has another owner, or a stage another status.
        """
        if self.stages:
            change_stages(connection, self.run_id, self.epoch, self.stages)
        else:
            check_owner(connection, self.run_id, self.epoch)
        for change in self.others:
            change(connection)

    def told(self) -> Iterator[Change]:
        """What the hub is told after the commit."""
        for one in self.stages:
            yield Change(run_id=self.run_id, stage_name=one.stage_name)
        if self.others:
            yield Change(run_id=self.run_id)
