"""Rehearses rollbacks: does all of one but its undos, and records what was missing.

A rehearsal changes nothing of the run, and holds nothing that a rollback would have to wait for.
It is refused, and not recorded, where a rollback or another run works in the same environments:
what the checks say then is not how things stand.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.rehearsal import RehearsalReport
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.errors import Refused, RollbackLoop
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.demand import applicant_of, check_loop
from orchestrate_tui.executor.environments import environments_undone, places_undone
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.planning import Draft
from orchestrate_tui.executor.records import Records
from orchestrate_tui.executor.rehearsed_steps import RehearsedSteps
from orchestrate_tui.executor.runnable import Runnable
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.environments import holder_of, newer_deployment
from orchestrate_tui.store.rehearsals import insert_rehearsal


class Rehearsals:
    """Rehearses rollbacks of any run, whoever works on it."""

    def __init__(self, executor: ExecutorContext, records: Records) -> None:
        self._executor = executor
        self._records = records

    async def rehearse(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None, actor: str
    ) -> int:
        """Rehearse, and record it; returns its id. See PipelineExecutor.rehearse."""
        run = self._records.run(run_id)
        if run.simulated:
            raise Refused(f"Run {run_id} was simulated: there is nothing to rehearse")
        began_at, read = self._executor.clock(), self._executor.database.read
        demand = _of_stages(demand)
        nobody = applicant_of(self._executor)
        draft = Draft(self._records.context(run), demand, nobody, definition)
        newest = read(partial(_newest_rollback, run_id=run_id))
        event, context, plan = read(partial(self._plan, draft=draft))
        report = replace(await self._report(context, plan), release=event.release_id)

        def insert(connection: Connection) -> int:
            self._check_apart(connection, context, plan)
            if (rollback_id := _newest_rollback(connection, run_id)) != newest:
                raise Refused(
                    f"Rollback {rollback_id} of run {run_id} went on meanwhile",
                    next_step="Rehearse what is left",
                )
            return insert_rehearsal(
                connection, run_id, (demand.from_stage, demand.to_stage), actor, report,
                began_at=began_at, at=self._executor.clock(),
            )  # fmt: skip

        return await self._executor.commit(insert, Change(run_id=run_id))

    def _plan(
        self, connection: Connection, draft: Draft
    ) -> tuple[RollbackEvent, RunContext, RollbackPlan]:
        """What is rehearsed. Raises Refused where nothing is, or others are at work."""
        event, context, plan = draft.plan(connection)
        self._check_apart(connection, context, plan)
        if not plan.steps and not plan.skipped and not plan.target:
            raise Refused(f"There is nothing to rehearse: nothing of run {context.id} has run")
        newer = newer_deployment(connection, context.id, places_undone(context, plan))
        loop = _loop(connection, context, event)
        warned = (*plan.warnings, *filter(None, (newer,)))
        return event, context, replace(plan, warnings=warned, refusal=loop or plan.refusal)

    def _check_apart(self, connection: Connection, context: RunContext, plan: RollbackPlan) -> None:
        """Raise Refused while a rollback of the run, or somebody else, is at work there."""
        rollbacks.check_none_under_way(connection, context.id)
        places, files = environments_undone(context, plan), self._executor.database.files
        if holder := holder_of(connection, files, places, context.id):
            told = holder.sentence[:1].upper() + holder.sentence[1:]
            raise Refused(told, next_step="Rehearse when it has ended")

    async def _report(self, context: RunContext, plan: RollbackPlan) -> RehearsalReport:
        secrets, instructions = context.secrets, self._records.instructions(context)
        known = {stage.stage_name: stage for stage in self._records.stages(context.id)}
        rehearsal = RehearsedSteps(self._executor, context, instructions, plan)
        return RehearsalReport(
            components=plan.components,
            cascade=plan.cascade,
            definition=plan.definition,
            differences=plan.differences,
            steps=tuple([await rehearsal.step(one, known[one.stage_name]) for one in plan.steps]),
            skipped=tuple((skip.part, skip.reason) for skip in plan.skipped),
            warnings=(*plan.warnings, *(f"Secrets: {reason}" for reason in secrets.missing)),
            problems=tuple(_problems(plan)),
        )


def _newest_rollback(connection: Connection, run_id: int) -> int | None:
    return next((event.id for event in rollbacks.list_events(connection, run_id, limit=1)), None)


def _of_stages(demand: RollbackDemand) -> RollbackDemand:
    """The demand with one of its stages for both. Raises Refused for what needs a stage."""
    source, target = demand.from_stage, demand.to_stage
    if not source and not target and (demand.retry or not demand.cascade):
        what = "A repetition" if demand.retry else "An undo of one stage alone"
        raise Refused(f"{what} is rehearsed of a stage", next_step="Name it with --to STAGE")
    return replace(demand, from_stage=source or target, to_stage=target or source)


def _loop(connection: Connection, context: RunContext, event: RollbackEvent) -> str:
    """Why the target cannot be one again; "" when it can, or nothing is the target."""
    if event.retry_of is not None:
        return ""
    try:
        check_loop(connection, context, event)
    except RollbackLoop as error:
        return str(error)
    return ""


def _problems(plan: RollbackPlan) -> list[str]:
    """What keeps the rollback, or some stage of it, from being undone."""
    stuck = [
        f"Stage '{skip.part}' has nothing to go back to: {skip.reason}"
        for skip in plan.skipped
        if skip.is_stuck
    ]
    is_of_target = bool(plan.target) and plan.refusal
    return list(dict.fromkeys([*([plan.refusal] if is_of_target else []), *stuck]))
