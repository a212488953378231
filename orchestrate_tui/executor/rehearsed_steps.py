"""The steps of a rehearsal: each undo written out, its snapshot read, and its check asked."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from anyio import to_thread
from anyio.from_thread import check_cancelled

from orchestrate_tui.agents import perform
from orchestrate_tui.agents.contract import Outcome, Process, Program, Work
from orchestrate_tui.agents.environment import remove_outputs
from orchestrate_tui.agents.writing import written
from orchestrate_tui.domain.components import part_name
from orchestrate_tui.domain.pipeline import Stage, Undo
from orchestrate_tui.domain.readiness import BAD_SNAPSHOTS, SnapshotState
from orchestrate_tui.domain.rehearsal import CheckAnswer, RehearsedStep, WrittenUndo
from orchestrate_tui.domain.rollback import parts_before, undo_of
from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.instructions import NOT_NEEDED, Instructions, checker
from orchestrate_tui.executor.notices import last_lines
from orchestrate_tui.executor.previews import Preview
from orchestrate_tui.executor.readiness import snapshot_state
from orchestrate_tui.store.snapshots import snapshots_of
from orchestrate_tui.values import dataclass

_GRACE_S = 2.0
"""What a check that is given up has to end by itself."""

_AT_WORK = frozenset({StageStatus.RUNNING, StageStatus.RETRYING, StageStatus.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class RehearsedSteps:
    """The steps of one rehearsal."""

    executor: ExecutorContext
    context: RunContext
    instructions: Instructions
    plan: RollbackPlan

    async def step(self, step: PlanStep, stands: StageRun) -> RehearsedStep:
        """Rehearse one undo."""
        stage = next(one for one in self.context.pipeline.stages if one.name == step.stage_name)
        undo = self._undo(stage, step)
        snapshot = await self._snapshot(stage, step, stands)
        problems = [f"its snapshot is {snapshot}"] if snapshot in BAD_SNAPSHOTS else []
        if snapshot is SnapshotState.INTACT and stands.status not in _AT_WORK:
            preview = Preview(self.executor, self.context)
            problems += await preview.obstacles(step.stage_name, step.component)
        undoing, task = self._written(stage, undo, step)
        problems += undoing.problems
        answer, lines, problem = await self._check(stage, undo, step, stands)
        problems += [problem] if problem else []
        return RehearsedStep(
            stage_name=step.stage_name,
            component=step.component,
            agent=step.agent if step.task else "",
            task=task,
            restores=tuple(map(self._masked, step.restores)),
            snapshot=snapshot,
            release=step.release,
            from_version=step.from_version,
            to_version=step.to_version,
            undo=undoing,
            check=answer,
            check_lines=tuple(lines),
            problems=tuple(dict.fromkeys(problems)),
        )

    def _undo(self, stage: Stage, step: PlanStep) -> Undo:
        undo = undo_of(stage, stage.name, has_rollback_agent=True) if step.task else None
        return undo or Undo(task="")

    async def _snapshot(self, stage: Stage, step: PlanStep, stands: StageRun) -> SnapshotState:
        """Read all that was kept, and compare the hashes."""
        if stage.snapshot is None or not stage.snapshot.paths:
            return SnapshotState.NOT_ASKED
        database = self.executor.database
        look = partial(
            snapshot_state,
            stage=stands,
            component=step.component or "",
            packs=database.files.snapshots / "packs",
            thorough=True,
            checkpoint=check_cancelled,
        )

        def read() -> SnapshotState:
            try:
                return database.read(look)
            finally:
                database.release_reader()

        return await to_thread.run_sync(read)

    def _written(self, stage: Stage, undo: Undo, step: PlanStep) -> tuple[WrittenUndo, str]:
        """The undo with its values, and its task."""
        if not step.task:
            return WrittenUndo(), ""
        agent = self.context.pipeline.agent(step.agent)
        if agent is None:
            why = f"agent '{step.agent}', which would undo it, is not defined"
            return WrittenUndo(problems=(why,)), self._masked(step.task)
        work = self.instructions.for_rehearsal(stage, undo, step, agent, self._failed(stage))
        if isinstance(work, Outcome):
            why = self._masked(work.reason)
            return WrittenUndo(kind=agent.kind, problems=(why,)), self._masked(step.task)
        found = written(work, coming=self._coming(step))
        shown = replace(
            found,
            command=tuple(map(self._masked, found.command)),
            workdir=self._masked(found.workdir),
            environment=tuple((name, self._masked(text)) for name, text in found.environment),
            problems=tuple(map(self._masked, found.problems)),
        )
        return shown, self._masked(work.task)

    def _coming(self, step: PlanStep) -> tuple[Path, ...]:
        """What is put back before the agent of a step runs: by it, and by those before it."""
        before, context = {step.part}, self.context
        if self.plan.target:
            before |= parts_before(context.pipeline, context.graph, self.plan, step)
        read = partial(snapshots_of, run_id=context.id)
        return tuple(
            Path(os.fsdecode(path))
            for kept in self.executor.database.read(read)
            if part_name(kept.stage_name, kept.component or None) in before
            for path in kept.paths
        )

    async def _check(
        self, stage: Stage, undo: Undo, step: PlanStep, stands: StageRun
    ) -> tuple[CheckAnswer, list[str], str]:
        """What the check of an undo says, what it wrote when it failed, and what is wrong."""
        if not undo.check or not step.task:
            return CheckAnswer.NONE, [], ""
        if stands.status in _AT_WORK:
            return CheckAnswer.NOT_ASKED, [], ""
        asked = self.instructions.for_rehearsal(
            stage, undo, step, checker(undo), self._failed(stage)
        )
        if isinstance(asked, Outcome):
            return CheckAnswer.NOT_ASKED, [], self._masked(asked.reason)
        outcome, lines = await self._asked(asked)
        if not outcome.succeeded:
            said = f"its check failed: {outcome.reason}"
            return CheckAnswer.FAILED, [self._masked(line) for line in lines], self._masked(said)
        if outcome.exit_code == NOT_NEEDED:
            return CheckAnswer.NOT_NEEDED, [], ""
        return CheckAnswer.NEEDED, [], ""

    async def _asked(self, work: Work) -> tuple[Outcome, list[str]]:
        """Have a check run, and leave nothing of it behind."""
        token = os.urandom(8).hex()
        log = work.log_path.with_name(f"{token}.rehearsal.log")
        work = replace(
            work,
            agent=replace(work.agent, grace_s=_GRACE_S),
            log_path=log,
            idempotency_key=f"rehearsal-{token}-{work.idempotency_key}",
        )
        try:
            outcome = await perform(work, _Launching(self.executor))
            return outcome, last_lines(log)
        finally:
            remove_outputs(log)
            log.unlink(missing_ok=True)
            with suppress(OSError):  # there are other logs in it
                log.parent.rmdir()

    def _failed(self, stage: Stage) -> str:
        """The stage that failed; one that is rehearsed by itself counts as that."""
        return self.plan.failed_stage or stage.name

    def _masked(self, text: str) -> str:
        return self.context.secrets.masked(text)


@dataclass(frozen=True, slots=True)
class _Launching:
    """Starts programs that belong to no run: whoever works on it may go on."""

    executor: ExecutorContext

    async def start(self, program: Program) -> Process:
        """Start it as soon as there is room; see Launcher."""
        return await self.executor.room.start(partial(self.executor.launcher.start, program))
