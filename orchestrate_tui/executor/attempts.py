"""Having an attempt of a stage, or of its undo, done; what it is, its instructions say."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from dataclasses import field, replace
from glob import escape
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint_if_cancelled

from orchestrate_tui.agents import perform
from orchestrate_tui.agents.contract import Outcome, Process, Work
from orchestrate_tui.agents.environment import remove_outputs
from orchestrate_tui.agents.log import StageLog
from orchestrate_tui.agents.questions import NoAnswer, ask
from orchestrate_tui.agents.wording import MAY_LACK_OUTPUT
from orchestrate_tui.domain.components import parts_of
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.keys import CHECK
from orchestrate_tui.domain.pipeline import AgentKind, Snapshot, Stage, Undo
from orchestrate_tui.domain.variables import UnknownVariable, substitute
from orchestrate_tui.executor.context import RunContext
from orchestrate_tui.executor.instructions import PRETENCE, Instructions, checker, with_component
from orchestrate_tui.executor.permission import StartPermission
from orchestrate_tui.executor.quarantine import Guard
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.domain.rollback_plan import PlanStep
    from orchestrate_tui.executor.snapshots import Snapshots

_PRETENDED = Outcome(succeeded=True)


@dataclass(slots=True)
class Attempts:
    """Has the stages of one run, and their undos, done.

    `left` has the processes that were taken back from a dead executor, by the keys of their
    attempts, and `unstarted` the keys of those that it did not get to start.
    """

    instructions: Instructions
    permission: StartPermission
    left: dict[str, Process] = field(default_factory=dict)
    unstarted: Collection[str] = ()

    @property
    def context(self) -> RunContext:
        """The run."""
        return self.instructions.context

    def under(self, context: RunContext) -> Attempts:
        """The same, with what is known and what was taken back, under other definitions."""
        theirs = copy(self)
        theirs.instructions = self.instructions.under(context)
        return theirs

    def pretend(self, stage: Stage) -> Outcome | None:
        """The outcome of a stage that only pretends and takes no time; None for any other."""
        agent = self.instructions.agent(stage.agent)
        if isinstance(agent, Outcome) or agent.simulated != PRETENCE:
            return None
        keeps_or_brings = stage.snapshot is not None or stage.environment is not None
        if keeps_or_brings and not self.context.run.simulated:
            return None
        rendered = self.instructions.rendered(stage, stage.task)
        return rendered if isinstance(rendered, Outcome) else _PRETENDED

    async def perform_stage(self, stage: Stage, attempt: int) -> Outcome:
        """Do one attempt of a stage; whatever goes wrong is an outcome with its reason."""
        agent = self.instructions.agent(stage.agent)
        if isinstance(agent, Outcome):
            return agent
        if stage.environment is not None and not self.is_left(stage.name, attempt):
            # most stages work nowhere that others do
            from orchestrate_tui.executor.environments import until_free  # noqa: PLC0415

            path = self.instructions.log_path(stage.name, attempt)
            log = StageLog(path, self.context.secrets.masker_now())
            executor = self.permission.executor
            await until_free(executor, self.context, stage, log)
            guard = Guard(executor.database, self.context)
            if refusal := guard.refusal(stage, self.instructions.outputs):
                return Outcome(succeeded=False, reason=refusal, is_refused=True)
        if problem := await self._keep(stage, attempt):
            return Outcome(succeeded=False, reason=self.context.secrets.masked(problem))
        return await self._perform(self.instructions.for_stage(stage, agent, attempt))

    async def perform_undo(
        self, stage: Stage, undo: Undo, step: PlanStep, event: RollbackEvent, attempt: int
    ) -> Outcome:
        """Do one attempt of a stage's undo; whatever goes wrong is an outcome with its reason."""
        if problem := await self._put_back(step, event, attempt):
            return Outcome(succeeded=False, reason=self.context.secrets.masked(problem))
        if not step.task:
            return Outcome(succeeded=True)
        agent = self.instructions.agent(step.agent)
        if isinstance(agent, Outcome):
            return agent
        work = self.instructions.for_undo(stage, undo, step, event, agent, attempt=attempt)
        try:
            return await self._perform(work)
        finally:  # nobody is told what an undo puts out
            remove_outputs(self.instructions.log_path(step.part, attempt, event.id or 0))

    async def ask_check(
        self, stage: Stage, undo: Undo, step: PlanStep, event: RollbackEvent, attempt: int
    ) -> Outcome:
        """Have the check of an undo run: exit code 1 says that there is nothing to undo."""
        if self.context.run.simulated:
            return Outcome(succeeded=True, exit_code=0)
        asker, told = checker(undo), self.instructions
        work = told.for_undo(stage, undo, step, event, asker, attempt=attempt, kind=CHECK)
        return await self._perform(work)

    async def _keep(self, stage: Stage, attempt: int) -> str:
        """Take the snapshot that the stage needs before it starts; why not, "" when all is well."""
        if stage.snapshot is None or self.is_left(stage.name, attempt):
            return ""
        parts = tuple(one for one in parts_of(stage) if self._snapshots.is_due(stage, one))
        if not parts:
            return ""
        rendered = self.instructions.rendered(stage, "")
        if isinstance(rendered, Outcome):
            return rendered.reason
        workdir = Path(self.context.run.workdir, rendered.workdir)
        for part in parts:
            if problem := await self._keep_part(stage, stage.snapshot, attempt, workdir, part):
                return problem
        return ""

    async def _keep_part(
        self, stage: Stage, snapshot: Snapshot, attempt: int, workdir: Path, part: str | None
    ) -> str:
        """Take the snapshot of one component, or (None) of the stage as a whole."""
        known = with_component(self.instructions.values, part)
        try:
            escaped = {name: escape(value) for name, value in known.items()}
            paths = tuple(substitute(path, escaped) for path in snapshot.paths)
            values = [
                (name, await self._answer(stage, attempt, name, script, part))
                for name, script in snapshot.values
            ]
        except (UnknownVariable, NoAnswer) as error:
            return f"snapshot: {error}"
        return await self._snapshots.take(stage, workdir, paths, tuple(values), part)

    async def _answer(
        self, stage: Stage, attempt: int, name: str, script: str, component: str | None
    ) -> str:
        """What the script of a value of a snapshot prints. Raises NoAnswer."""
        work = self.instructions.for_question(
            stage, attempt, name=name, script=script, component=component
        )
        if isinstance(work, Outcome):
            raise NoAnswer(work.reason)
        work = replace(work, log_path=self.instructions.log_path(stage.name, attempt))
        try:
            return await ask(work, self.permission.launcher(), script)
        except NoAnswer as error:
            raise NoAnswer(f"the value '{name}' is not known: {error}") from error
        finally:
            remove_outputs(work.log_path)

    async def _put_back(self, step: PlanStep, event: RollbackEvent, attempt: int) -> str:
        """Put back what was kept before the stage; why not, "" when it is as it was.

        What was taken back after its process had started has it behind it.
        """
        if not step.restores or self.is_left(step.part, attempt, event.id):
            return ""
        async with self.permission.granted(event.id):
            return await self._snapshots.restore(step.stage_name, step.component)

    @property
    def _snapshots(self) -> Snapshots:
        # most stages keep nothing
        from orchestrate_tui.executor.snapshots import Snapshots  # noqa: PLC0415

        return Snapshots(self.permission.executor, self.context)

    def forget_outputs(self, stage_name: str, attempt: int) -> None:
        """Remove the file of what an attempt of a stage put out: it is recorded by now."""
        remove_outputs(self.instructions.log_path(stage_name, attempt))

    async def _perform(self, work: Work | Outcome) -> Outcome:
        """Have work done; what could not be written out has failed with its reason."""
        if isinstance(work, Outcome):
            return work
        if work.agent.simulated == PRETENCE:
            return _PRETENDED
        await checkpoint_if_cancelled()  # what was stopped meanwhile is not started
        outcome = await self._do(work)
        if outcome.reason:
            return replace(outcome, reason=self.context.secrets.masked(outcome.reason))
        return outcome

    async def _do(self, work: Work) -> Outcome:
        """Have it done; what has no process of its own is not taken over while it is done."""
        rollback_id = work.rollback.rollback_id if work.rollback else None
        launcher, room = self.permission.launcher(rollback_id), self.permission.executor.room
        if (process := self.left.pop(work.key, None)) is not None:
            # loaded by whoever took it back
            from orchestrate_tui.agents.left_programs import TakenBack  # noqa: PLC0415

            taken = TakenBack(self.permission.guard(process, rollback_id))
            outcome = await perform(work, taken)
        elif work.agent.kind is not AgentKind.HTTP:
            outcome = await perform(work, launcher)
        else:
            await room.wait()
            launcher.started_s = monotonic()
            async with self.permission.granted(rollback_id):
                outcome = await perform(work, launcher)
        if outcome.succeeded and not outcome.reason and room.was_full_since(launcher.started_s):
            work.log.note(MAY_LACK_OUTPUT)
            return replace(outcome, reason=MAY_LACK_OUTPUT)
        return outcome

    def is_left(self, stage_name: str, attempt: int, rollback_id: int | None = None) -> bool:
        """Whether the process of an attempt was taken back."""
        return self.instructions.key(stage_name, attempt, rollback_id) in self.left

    def goes_on(self, stage_name: str, attempt: int, rollback_id: int | None = None) -> bool:
        """Whether something of an attempt that was taken back still runs below its host."""
        process = self.left.get(self.instructions.key(stage_name, attempt, rollback_id))
        return process is not None and process.tree_lives()

    def is_unstarted(self, stage_name: str, attempt: int, rollback_id: int | None = None) -> bool:
        """Whether an attempt of a dead executor never had a process."""
        return self.instructions.key(stage_name, attempt, rollback_id) in self.unstarted
