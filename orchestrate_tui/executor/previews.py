"""What putting snapshots back would change now, and what would refuse it; changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from anyio import to_thread
from anyio.from_thread import check_cancelled

from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.snapshot import PathChange
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.snapshots import Snapshots, answered, located
from orchestrate_tui.store.snapshots import read_manifest
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrate_tui.snapshots.restore import Restore

MOST_LISTED = 200
"""Changes of one stage that a preview lists; of the others it tells how many there are."""

Looked = tuple[tuple[PathChange, ...], tuple[str, ...]]
"""What would change, and what would refuse it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Looks at what a rollback of one run would put back."""

    executor: ExecutorContext
    context: RunContext

    async def of(self, plan: RollbackPlan) -> RollbackPlan:
        """The plan with what its restores would change, and why they would fail; its hash stays."""
        steps = tuple([await self._step(step) for step in plan.steps])
        warnings = (
            f"stage '{step.part}' cannot be undone as things stand: {why}"
            for step in steps
            for why in step.obstacles
        )
        return replace(plan, steps=steps, warnings=(*plan.warnings, *warnings))

    async def obstacles(self, stage_name: str, component: str | None) -> tuple[str, ...]:
        """What would refuse to put back what was kept before a stage, a sentence each."""
        _, found = await self._looked(stage_name, component, _nothing)
        return found

    async def _step(self, step: PlanStep) -> PlanStep:
        if not step.restores:
            return step
        changes, obstacles = await self._looked(step.stage_name, step.component, _changes)
        return replace(
            step,
            changes=tuple(map(self._masked, changes[:MOST_LISTED])),
            unlisted=max(len(changes) - MOST_LISTED, 0),
            obstacles=obstacles,
        )

    async def _looked(
        self,
        stage_name: str,
        component: str | None,
        look: Callable[[Restore], tuple[PathChange, ...]],
    ) -> Looked:
        def work() -> Looked:
            with self._restoring(stage_name, component) as restore:
                return look(restore), tuple(restore.obstacles())

        run = partial(answered, self.executor.database, work)
        found, problem = await to_thread.run_sync(run)
        changes, obstacles = found or ((), (problem,))
        masked = self.context.secrets.masked
        return changes, tuple(map(masked, obstacles))

    @contextmanager
    def _restoring(self, stage_name: str, component: str | None) -> Iterator[Restore]:
        """What would put it back. Raises SnapshotError or OSError when that cannot be known."""
        from orchestrate_tui.snapshots.blobs import PackReader  # noqa: PLC0415  (takes a while)
        from orchestrate_tui.snapshots.errors import SnapshotError  # noqa: PLC0415
        from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415
        from orchestrate_tui.snapshots.restore import Restore  # noqa: PLC0415

        database = self.executor.database
        kept = Snapshots(self.executor, self.context).find(stage_name, component)
        if kept is None:
            raise SnapshotError("there is no snapshot")
        manifest = unpack(*database.read(partial(read_manifest, snapshot_id=kept.id)))
        folder = database.files.snapshots
        packs = PackReader(folder / "packs", located(database, manifest).get)
        try:
            yield Restore(
                manifest=manifest,
                packs=packs,
                journals=folder / "restores",
                checkpoint=check_cancelled,
            )
        finally:
            packs.close()

    def _masked(self, change: PathChange) -> PathChange:
        masked = self.context.secrets.masked
        return replace(change, path=masked(change.path), diff=tuple(map(masked, change.diff)))


def _nothing(_restore: Restore) -> tuple[PathChange, ...]:
    """For whom asks about obstacles alone."""
    return ()


def _changes(restore: Restore) -> tuple[PathChange, ...]:
    """All that would change."""
    return tuple(restore.changes())
