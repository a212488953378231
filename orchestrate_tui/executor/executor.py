"""Runs pipelines and rollbacks: the one class through which all of it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from orchestrate_tui.agents.contract import OwnLauncher
from orchestrate_tui.agents.hosted import HostLauncher
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.notifying import NotifyRule
from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.rollback_demand import EVERYTHING, RollbackDemand
from orchestrate_tui.domain.run import Run, Settlement, TriggerContext
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.domain.step_decision import StepAction, StepDecision
from orchestrate_tui.errors import CannotStart, Refused, StoreError
from orchestrate_tui.executor.companion import Companion, take_up
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.executor.former_hosts import forget_hosts
from orchestrate_tui.executor.hub import Hub
from orchestrate_tui.executor.parts import Parts
from orchestrate_tui.executor.people import People
from orchestrate_tui.executor.records import Records
from orchestrate_tui.executor.room import Room
from orchestrate_tui.executor.runs import Runs
from orchestrate_tui.executor.snapshot_folder import finish_restores
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.commands import CommandKind
from orchestrate_tui.store.database import Database, open_database
from orchestrate_tui.store.fencing import Takeover
from orchestrate_tui.store.owners import Ownership
from orchestrate_tui.store.recovery import UNDER_WAY, mark_interrupted
from orchestrate_tui.store.runs import NewRun

if TYPE_CHECKING:
    from orchestrate_tui.domain.release import Ruling
    from orchestrate_tui.domain.rollback_plan import RollbackPlan
    from orchestrate_tui.executor.left_work import LeftStage
    from orchestrate_tui.executor.runnable import Runnable


class PipelineExecutor:
    """Creates, runs, resumes, cancels and rolls back runs, in the event loop that calls it.

    `database` is a Database, which stays the caller's, or the path of one. What is asked about
    a run that another process works on is passed on to that process. `notify` says who is told of
    each run beside those whom its pipeline names. `waits` lets rollbacks wait for the operator when
    a step of theirs fails; else they do so only while a console is open.
    """

    def __init__(
        self,
        database: Database | Path | str,
        *,
        launcher: OwnLauncher | None = None,
        people: People | None = None,
        clock: Callable[[], datetime] = utc_now,
        hub: Hub | None = None,
        notify: tuple[NotifyRule, ...] = (),
        waits: bool = False,
    ) -> None:
        self._is_own = not isinstance(database, Database)
        self.database = database if isinstance(database, Database) else open_database(database)
        self.hub = hub or Hub()
        try:
            self._ownership = Ownership(self.database, current_user(), clock())
        except BaseException:
            self._close_database()
            raise
        self._context = ExecutorContext(
            database=self.database,
            ownership=self._ownership,
            launcher=launcher or HostLauncher(self.database.files.host(self._ownership.epoch)),
            hub=self.hub,
            people=people or People(),
            clock=clock,
            room=Room(self.database.files.runs, self.database.trouble_mark),
            waits=waits,
        )
        self._records = Records(self._context)
        self._runs = Runs(self._context, self._records)
        self._parts = Parts(self._context, self._records, self._runs)
        self._notify = notify
        self._companion = Companion(self.database, self._context.epoch)
        try:
            finish_restores(self.database.files)
            mark_interrupted(self.database, clock())
            take_up(self.database, self._context.epoch)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Work on nothing any more; a database that was given as a path is closed."""
        self._companion.close()
        self._parts.close()
        self._context.launcher.close()
        self._ownership.release()
        with suppress(StoreError):  # then they are forgotten by the next one
            forget_hosts(self.database)
        self.database.release_reader()
        self._close_database()

    def _close_database(self) -> None:
        if self._is_own:
            self.database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def active(self) -> tuple[int, ...]:
        """The runs that this executor works on, rollbacks of ended ones included."""
        return (*self._runs.sessions, *self._parts.rolled_back)

    @property
    def trouble(self) -> str:
        """Why nothing new starts, such as a full disk, in a sentence; "" when nothing is wrong."""
        return self._context.trouble

    # Runs

    async def create_run(
        self,
        pipeline: Pipeline,
        trigger: TriggerContext | None = None,
        *,
        simulated: bool = False,
        source: str = "",
        workdir: Path | None = None,
        pipeline_dir: Path | None = None,
        actor: str = "",
    ) -> int:
        """Record a run, all of its stages pending; returns its id.

        `workdir` None means the present folder. `actor` "" means the operating system's user.
        """
        new = NewRun(
            pipeline=replace(pipeline, notify=(*pipeline.notify, *self._notify)),
            source=source,
            trigger=trigger or TriggerContext(),
            actor=actor or current_user(),
            simulated=simulated,
            workdir=_folder(workdir or Path()),
            pipeline_dir=_folder(pipeline_dir) if pipeline_dir else "",
            epoch=self._context.epoch,
            at=self._context.clock(),
        )
        return await self._runs.create(new)

    async def execute_run(self, run_id: int) -> Run:
        """Work on a run until it has ended; returns it as it ended.

        Cancelling this call cancels the run, waits for its end, and is then raised again; a
        rollback that is under way is finished first. Raises NotFound, or Refused for a run that
        was begun before.
        """
        return await self._runs.execute(run_id)

    async def resume_run(
        self,
        run_id: int,
        *,
        take_over: str | None = None,
        settled: Mapping[str, Settlement] | None = None,
        actor: str = "",
    ) -> Run:
        """Go on with a run whose executor died; finished stages do not run again.

        Stages that still run, or have ended meanwhile, are taken back from their host. `settled`
        says what became of those that are lost and not marked idempotent.

        `take_over` is the reason for which a run is taken from an executor that still lives, one
        that hangs or was stopped; None does so only from a dead one. Raises NotFound, or Refused
        when the run is not interrupted.
        """
        run = self._runs.marked(run_id)
        takeover = self._takeover(run, take_over, actor or current_user())
        is_left = run.status is RunStatus.INTERRUPTED
        if is_left or (takeover.is_forced and run.status in UNDER_WAY):
            return await self._parts.taking_over.resume(run, takeover, settled or {})
        return await self._parts.rollbacks.resume(run, takeover)

    async def left_stages(self, run_id: int) -> tuple[LeftStage, ...]:
        """How the stages of an interrupted run stand that were running. Raises NotFound."""
        return self._parts.taking_over.left_stages(self._runs.marked(run_id))

    def _takeover(self, run: Run, reason: str | None, actor: str) -> Takeover:
        if reason is not None:
            reason = self._records.secrets(run).masked(reason)
        if reason is not None and not reason.strip():
            raise Refused(
                "Taking a run over from an executor that lives needs a reason",
                next_step="Say why with --reason TEXT",
            )
        return self._context.takeover(actor, reason)

    # Rollbacks

    async def plan_rollback(
        self,
        run_id: int,
        from_stage: str,
        to_stage: str | None = None,
        *,
        retry: bool = False,
        release: str = "",
        definition: Runnable | None = None,
        components: tuple[str, ...] = (),
        cascade: bool = True,
    ) -> RollbackPlan:
        """What a rollback would do now; `to_stage` None means the failed stage itself.

        What it would change is looked up, which changes nothing. The plan's `refusal` says why a
        request would be refused at present; `retry` asks for the repetition of a failed rollback.
        `release` is the id or the version of the one to return to, or `golden`; "" means the one
        before. Of `definition` the undos and agents are used instead of those of the run.
        `components` narrows it to these, () means all; without `cascade` `to_stage` alone is
        undone. Raises NotFound for an unknown run, stage
        or component, RollbackRefused for an impossible target, release or definition.
        """
        demand = RollbackDemand(
            from_stage=from_stage,
            to_stage=to_stage or "",
            retry=retry,
            release=release,
            components=components,
            cascade=cascade,
        )
        return await self.preview(run_id, demand, definition)

    async def preview(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> RollbackPlan:
        """What a rollback that is demanded would do now; see plan_rollback."""
        return await self._parts.planning.previewed(run_id, demand, definition)

    async def trigger_rollback(
        self,
        run_id: int,
        from_stage: str,
        to_stage: str | None = None,
        *,
        reason: str = "",
        actor: str = "",
        plan_hash: str = "",
        accept_irreversible: bool = False,
        retry: bool = False,
        force: bool = False,
        waits: bool = False,
        release: str = "",
        definition: Runnable | None = None,
        components: tuple[str, ...] = (),
        cascade: bool = True,
        accepted: Callable[[int], None] = lambda _rollback_id: None,
        key: str = "",
    ) -> RollbackEvent:
        """Roll a run back by hand; returns the rollback as it ended.

        A running run is stopped first. `plan_hash` is that of the plan that was shown; "" takes
        any plan. `force` puts back over what others changed since, and although a newer run has
        deployed since; `waits` lets it wait for the operator when a step fails. `accepted` is told
        the id once the rollback is recorded; `key` is as for approve, the others as for
        plan_rollback. Raises NotFound, or RollbackRefused when it may not start, and then no event
        is written.
        """
        demand = RollbackDemand(
            from_stage=from_stage,
            to_stage=to_stage or "",
            reason=reason,
            plan_hash=plan_hash,
            accept_irreversible=accept_irreversible,
            retry=retry,
            force=force,
            waits=waits,
            release=release,
            components=components,
            cascade=cascade,
        )
        return await self.roll_back(
            run_id, demand, definition, actor=actor, accepted=accepted, key=key
        )

    async def roll_back(
        self,
        run_id: int,
        demand: RollbackDemand,
        definition: Runnable | None = None,
        *,
        actor: str = "",
        accepted: Callable[[int], None] = lambda _rollback_id: None,
        key: str = "",
    ) -> RollbackEvent:
        """Carry out what is demanded; see trigger_rollback."""
        kept = "" if definition is None else await self._parts.planning.keep(run_id, definition)
        waits = demand.waits or self._context.waits
        demand = replace(demand, definition=kept, waits=waits)
        return await self._parts.rollbacks.trigger(
            run_id, demand, actor or current_user(), accepted, key
        )

    async def rehearse(
        self,
        run_id: int,
        demand: RollbackDemand = EVERYTHING,
        definition: Runnable | None = None,
        *,
        actor: str = "",
    ) -> int:
        """Do all of a rollback but its undos, and record what is missing; returns its id.

        One of the stages of `demand` stands for both; without them each stage that ran is
        rehearsed by itself. Cancelling it ends its checks. Raises
        NotFound, or Refused for a simulated run and while others work in its environments.
        """
        return await self._parts.rehearsals.rehearse(
            run_id, demand, definition, actor or current_user()
        )

    async def follow_rollback(self, rollback_id: int) -> RollbackEvent:
        """Wait for the end of a rollback, whoever carries it out.

        Raises Refused when its executor died.
        """
        return await self._parts.rollbacks.follow(rollback_id)

    async def halt(
        self, rollback_id: int, *, reason: str = "", actor: str = "", key: str = ""
    ) -> str:
        """Stop a rollback at its present step; returns what that did.

        `key` is as for approve. Raises NotFound or Refused.
        """
        return await self._parts.rollbacks.halt(rollback_id, actor or current_user(), reason, key)

    async def decide_step(
        self,
        rollback_id: int,
        action: StepAction,
        *,
        stage: str = "",
        reason: str = "",
        actor: str = "",
        accepted: Callable[[str], None] = lambda _answer: None,
        key: str = "",
    ) -> str:
        """Decide how a rollback goes on after a step that failed; returns what that did.

        `stage` "" means the only step that waits. `accepted` is told the answer once the decision
        is recorded; when the rollback's executor died, this one then carries it out to its end.
        `key` is as for approve. Raises NotFound or Refused.
        """
        decision = StepDecision(
            action=action, actor=actor or current_user(), reason=reason, stage_name=stage
        )
        answer, run_id = await self._parts.rollbacks.decide(rollback_id, decision, key)
        accepted(answer)
        if run_id is not None:
            await self.resume_run(run_id, actor=decision.actor)
        return answer

    # What people ask

    async def approve(
        self, run_id: int, stage: str, *, comment: str = "", actor: str = "", key: str = ""
    ) -> str:
        """Approve a waiting stage; returns what that did. Raises NotFound or Refused.

        With a `key` the answer is kept, and the same key again does nothing new.
        """
        what, who = {"stage": stage, "comment": comment}, actor or current_user()
        return await self._parts.asking.decide(CommandKind.APPROVE, run_id, what, who, key)

    async def reject(
        self, run_id: int, stage: str, *, comment: str = "", actor: str = "", key: str = ""
    ) -> str:
        """Reject a waiting stage, as approve does."""
        what, who = {"stage": stage, "comment": comment}, actor or current_user()
        return await self._parts.asking.decide(CommandKind.REJECT, run_id, what, who, key)

    async def cancel(self, run_id: int, *, actor: str = "", key: str = "") -> str:
        """Stop a run, with a `key` as approve; what that did. Raises NotFound or Refused."""
        return await self._parts.asking.cancel(run_id, actor or current_user(), key)

    async def rule(
        self, ruling: Ruling, identity: int, *, reason: str = "", actor: str = ""
    ) -> str:
        """Pin or unpin a release, lift a quarantine, or reset a breaker; returns what that did.

        Raises NotFound, or Refused when it does not apply, and for a lift without a reason.
        """
        return await self._parts.rulings.rule(ruling, identity, reason, actor or current_user())

    @property
    def epoch(self) -> int:
        """Under which it is known who works on a run."""
        return self._context.epoch

    async def acknowledge(self, run_id: int, *, comment: str = "", actor: str = "") -> str:
        """Say that somebody has seen how a run went wrong; returns what that did.

        Raises NotFound, or Refused for a run that did not, or of which somebody has said so.
        """
        return await self._parts.asking.acknowledge(run_id, comment, actor or current_user())


def _folder(path: Path) -> str:
    """The folder, as it is recorded. Raises CannotStart where its name is no text."""
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise CannotStart(
            f"The name of the folder {name} is not valid UTF-8",
            next_step="Nothing was started; rename it, or start in another one",
        ) from error
    return name
