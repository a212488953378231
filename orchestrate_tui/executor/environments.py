"""Keeps rollbacks and whatever else works in an environment apart."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import anyio

from orchestrate_tui.agents.log import StageLog
from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.environments import Holder, hold_stage, holder_of
from orchestrate_tui.store.fencing import check_owner

LOOK_INTERVAL_S = 0.2


def environments_of(context: RunContext, stage_names: Collection[str]) -> frozenset[str]:
    """The environments that some stages of a run touch; none in a simulated run."""
    if context.run.simulated:
        return frozenset()
    environments = (context.stages[name].environment for name in stage_names)
    return frozenset(filter(None, environments))


def environments_undone(context: RunContext, plan: RollbackPlan) -> frozenset[str]:
    """The environments in which a plan undoes something."""
    return environments_of(context, {step.stage_name for step in plan.steps})


def places_undone(context: RunContext, plan: RollbackPlan) -> frozenset[tuple[str, str | None]]:
    """The environments in which a plan undoes something, each with a component, or None."""
    if context.run.simulated:
        return frozenset()
    places = ((context.stages[step.stage_name].environment, step) for step in plan.steps)
    return frozenset((place, step.component) for place, step in places if place)


def rollback_in(executor: ExecutorContext, run_id: int, environment: str) -> Holder | None:
    """The rollback of another run that has the environment; None for nobody."""
    return executor.database.read(
        partial(
            holder_of,
            files=executor.database.files,
            environments=(environment,),
            run_id=run_id,
            only_rollbacks=True,
        )
    )


async def until_free(
    executor: ExecutorContext, context: RunContext, stage: Stage, log: StageLog
) -> None:
    """Wait while a rollback of another run has the environment of a stage, and say so."""
    environment = stage.environment
    if environment is None or context.run.simulated:
        return

    def look(connection: Connection) -> str:
        check_owner(connection, context.id, executor.epoch)
        return hold_stage(
            connection,
            executor.database.files,
            context.id,
            stage_name=stage.name,
            environment=environment,
            at=executor.clock(),
        )

    told, sentence = Change(run_id=context.id, stage_name=stage.name), ""
    while True:
        holder = rollback_in(executor, context.id, environment)
        if (holder.sentence if holder else "") != sentence:
            sentence = await executor.commit(look, told)
            if sentence:
                log.note(f"waits: {sentence}")
        if not sentence:
            return
        await anyio.sleep(LOOK_INTERVAL_S)
