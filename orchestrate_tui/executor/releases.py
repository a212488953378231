"""What the stages of a run brought to their environments, and what an undo is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from orchestrate_tui.domain.components import Parts, part_name, parts_of
from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT
from orchestrate_tui.domain.release import Succession
from orchestrate_tui.domain.rollback import undo_of
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.executor.context import RunContext
from orchestrate_tui.executor.secrets import LostSecret
from orchestrate_tui.executor.versions import sealed_version
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import Database
from orchestrate_tui.store.placing import sibling_of
from orchestrate_tui.store.releases import insert_release, read_release, succession
from orchestrate_tui.store.runs import StageChange


def releases_of(
    connection: Connection,
    context: RunContext,
    stages: Iterable[StageRun],
    starts: Mapping[str, int],
    release_id: int | None = None,
) -> dict[str, Succession]:
    """What those stages, or their components, brought to their environments.

    A simulated run brings nothing. `starts` are as for place_before. The release of that id takes
    the place of the one before in its environment, where there is an undo to tell it to.
    """
    if context.run.simulated:
        return {}
    version = sealed_version(context)
    named = None if release_id is None else read_release(connection, release_id)
    found: dict[str, Succession] = {}
    for stage in stages:
        if stage.environment is None or not stage.started:
            continue
        name = stage.stage_name
        is_about = named is not None and named.environment == stage.environment
        told = named.id if named and is_about and _is_told(context, name) else None
        for part in _parts(context, name):
            own = succession(connection, context.id, name, version, component=part, starts=starts)
            of_part = told and sibling_of(connection, told, name, part)
            own = replace(own, earlier=read_release(connection, of_part)) if of_part else own
            found[part_name(name, part)] = own
    return found


def _is_told(context: RunContext, stage_name: str) -> bool:
    """Whether something is told what an undo of the stage goes back to: a snapshot is not."""
    stage = context.stages.get(stage_name)
    has_agent = context.pipeline.agent(ROLLBACK_AGENT) is not None
    undo = stage and undo_of(stage, stage_name, has_rollback_agent=has_agent)
    return bool(undo and undo.task)


def _parts(context: RunContext, stage_name: str) -> Parts:
    stage = context.stages.get(stage_name)
    return parts_of(stage) if stage else (None,)


def recording(context: RunContext, change: StageChange) -> Callable[[Connection], None]:
    """What records the release that the success of a stage makes."""
    return partial(
        insert_release,
        run_id=context.id,
        stage_name=change.stage_name,
        version=sealed_version(context),
        at=change.at,
        components=tuple(filter(None, _parts(context, change.stage_name))),
    )


def previous_values(context: RunContext, database: Database, release_id: int) -> dict[str, str]:
    """What an undo may know of the release that it goes back to.

    What needs a secret that is lost is left out.
    """
    release = database.read(partial(read_release, release_id=release_id))
    known: dict[str, str] = {}
    for key, stored in release.values.items():
        with suppress(LostSecret):
            known[key] = context.secrets.unsealed(stored)
    return known
