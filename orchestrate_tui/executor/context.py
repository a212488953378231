"""What an executor's parts share: the store, the epoch it writes under, and what it starts with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import anyio

from orchestrate_tui.agents.contract import OwnLauncher
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.snapshot import rivals_of
from orchestrate_tui.executor.hub import Change, Hub
from orchestrate_tui.executor.people import People
from orchestrate_tui.executor.room import Room
from orchestrate_tui.executor.secrets import NO_SECRETS, Secrets
from orchestrate_tui.store.database import Database
from orchestrate_tui.store.fencing import Takeover
from orchestrate_tui.store.locks import SharedHold
from orchestrate_tui.store.owners import Ownership
from orchestrate_tui.store.recovery import OWNER_DIED
from orchestrate_tui.store.writer import Change as StoreChange
from orchestrate_tui.values import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorContext:
    """The surroundings of every run that one executor works on.

    `waits` says that rollbacks wait for the operator when a step of theirs fails.
    """

    database: Database
    ownership: Ownership
    launcher: OwnLauncher
    hub: Hub
    people: People
    clock: Callable[[], datetime]
    room: Room
    waits: bool = False

    @property
    def epoch(self) -> int:
        """Under which it is known who works on a run."""
        return self.ownership.epoch

    @property
    def starting(self) -> SharedHold:
        """Held while something is started; see Ownership."""
        return self.ownership.starting

    @property
    def trouble(self) -> str:
        """Why nothing new starts although it could, in a sentence; "" when nothing is wrong."""
        return self.database.trouble or self.room.trouble

    async def commit(self, change: StoreChange[T], *told: Change, is_patient: bool = True) -> T:
        """Commit `change`, then tell the hub; a cancelled scope waits for that.

        Where the disk is full, a patient one waits until it is not. Raises what the change
        raised, or StoreError.
        """
        with anyio.CancelScope(shield=True):
            committed = self.database.submit(change, is_patient=is_patient)
            result = await asyncio.wrap_future(committed)
        self.publish(told)
        return result

    def takeover(self, actor: str, reason: str | None = None) -> Takeover:
        """How this executor takes over; with a `reason` from one that may still live, too."""
        return Takeover(
            epoch=self.epoch,
            actor=actor,
            reason=OWNER_DIED if reason is None else reason.strip(),
            at=self.clock(),
            is_forced=reason is not None,
        )

    def publish(self, told: Iterable[Change]) -> None:
        """Tell the hub what is committed."""
        self.hub.publish(told)


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What does not change about a run while it is worked on; its trigger holds real values."""

    run: Run
    pipeline: Pipeline
    graph: StageGraph
    secrets: Secrets = NO_SECRETS

    @property
    def id(self) -> int:
        """The run's id."""
        return self.run.id

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        """The stages as the pipeline defines them, by name."""
        return {stage.name: stage for stage in self.pipeline.stages}

    @cached_property
    def rivals(self) -> Mapping[str, frozenset[str]]:
        """Which stages with paths to keep may run at the same time; see rivals_of."""
        return rivals_of(self.pipeline.stages, self.graph)
