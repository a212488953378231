"""What a rollback would do: the plan that an operator sees before anything happens."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.redefinition import marked, mismatch, redefined
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.errors import RollbackRefused
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.demand import Applicant, accept, applicant_of, demanded_event
from orchestrate_tui.executor.environments import places_undone
from orchestrate_tui.executor.previews import Preview
from orchestrate_tui.executor.records import Records
from orchestrate_tui.executor.rollback import plan_event, told_plan, under_definition
from orchestrate_tui.executor.runnable import Runnable
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.definitions import encode_pipeline, insert_definition
from orchestrate_tui.store.environments import newer_deployment
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """A demand of a run, and the definition that is named for it, None for none."""

    run: RunContext
    demand: RollbackDemand
    applicant: Applicant
    definition: Runnable | None = None

    def plan(self, connection: Connection) -> tuple[RollbackEvent, RunContext, RollbackPlan]:
        """The event that it would be, the run with the undos that are used, and the plan.

        Raises NotFound, or RollbackRefused for a target that is not upstream, a release that is
        not there, or a definition of other stages.
        """
        own, demand = self.run, self.demand
        if self.definition is None:
            event = demanded_event(connection, own, demand, self.applicant)
            used = under_definition(connection, own, event.definition_hash)
            return event, used, plan_event(own, connection, event)
        used = replace(own, pipeline=redefined_pipeline(own, self.definition))
        event = demanded_event(connection, used, demand, self.applicant)
        event = replace(event, definition_hash=None)
        _, digest = encode_pipeline(used.pipeline)
        plan = plan_event(used, connection, event)
        return event, used, marked(plan, digest, own.pipeline, used.pipeline)


def redefined_pipeline(context: RunContext, definition: Runnable) -> Pipeline:
    """The pipeline of the run with the undos and agents of another. Raises Refused."""
    if problem := mismatch(context.pipeline, definition.pipeline):
        raise RollbackRefused(
            f"{definition.file} does not fit run {context.id}",
            next_step=problem,
        )
    pipeline = redefined(context.pipeline, definition.pipeline)
    context.secrets.check_unwritten(encode_pipeline(pipeline)[0], definition.source)
    return pipeline


class Planning:
    """Plans manual rollbacks, and keeps the definitions that are named for them."""

    def __init__(self, executor: ExecutorContext, records: Records) -> None:
        self._executor = executor
        self._records = records

    def plan(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> RollbackPlan:
        """What a rollback would do now, or why it would be refused.

        Raises NotFound, or RollbackRefused for a target that is not upstream, a release that is
        not there, or a definition of other stages.
        """
        own = self._records.context(self._records.run(run_id))
        nobody = applicant_of(self._executor)
        draft = Draft(own, demand, nobody, definition)
        _, context, plan = self._executor.database.read(draft.plan)
        plan = told_plan(plan, self._records.instructions(context))
        secrets = (f"Secrets: {reason}" for reason in context.secrets.missing)
        plan = replace(plan, warnings=(*plan.warnings, *secrets))
        plan = self._warned(plan, context)
        consenting = replace(demand, accept_irreversible=True, force=True)
        try:
            self._executor.database.read(
                partial(accept, context=context, demand=consenting, applicant=nobody)
            )
        except RollbackRefused as refused:
            return replace(plan, refusal=refused.message)
        return plan

    def _warned(self, plan: RollbackPlan, context: RunContext) -> RollbackPlan:
        """The plan with the newer run that keeps it from being carried out unforced."""
        places = places_undone(context, plan)
        find = partial(newer_deployment, run_id=context.id, places=places)
        newer = self._executor.database.read(find)
        if not newer:
            return plan
        warning = f"{newer}: refused unless it is forced"
        return replace(plan, newer=newer, warnings=(*plan.warnings, warning))

    async def previewed(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> RollbackPlan:
        """The plan with what its restores would change now. Raises what `plan` raises."""
        plan = self.plan(run_id, demand, definition)
        if not any(step.restores for step in plan.steps):
            return plan
        context = self._records.context(self._records.run(run_id))
        return await Preview(self._executor, context).of(plan)

    async def keep(self, run_id: int, definition: Runnable) -> str:
        """Keep the definition that a rollback is to use; returns its hash. Raises Refused."""
        context = self._records.context(self._records.run(run_id))
        pipeline = redefined_pipeline(context, definition)
        at = to_text(self._executor.clock())
        return await self._executor.commit(
            partial(insert_definition, pipeline=pipeline, source=definition.source, at=at)
        )
