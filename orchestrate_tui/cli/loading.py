"""Pipelines that are to be run: read, and checked before anything starts."""

from __future__ import annotations

from pathlib import Path

from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.errors import CannotStart, PipelineFileError, Problem
from orchestrate_tui.executor.people import People
from orchestrate_tui.spec import load_pipeline, problems_for_run
from orchestrate_tui.spec.loaded import LoadedPipeline


def checked_for_run(
    path: Path,
    trigger: TriggerContext,
    people: People,
    *,
    simulated: bool,
    folder: Path | None = None,
) -> LoadedPipeline:
    """The pipeline, if a run of it can start in the `folder`, None means the present one.

    Raises CannotStart with every problem, by line.
    """
    try:
        loaded = load_pipeline(path, folder=folder)
    except PipelineFileError as error:
        raise _refused(path, error.problems) from error
    problems = list(problems_for_run(loaded, dict(trigger.variables), simulate=simulated))
    if not simulated:
        problems += _approval_problems(loaded, people)
    if problems:
        raise _refused(path, tuple(problems))
    return loaded


def definition_for_rollback(path: Path) -> LoadedPipeline:
    """The pipeline by which something is to be undone. Raises CannotStart with every problem."""
    try:
        return load_pipeline(path)
    except PipelineFileError as error:
        raise CannotStart(
            f"Cannot roll back as {path} says",
            problems=error.problems,
            next_step="Nothing was changed",
        ) from error


def _refused(path: Path, problems: tuple[Problem, ...]) -> CannotStart:
    return CannotStart(f"Cannot start {path}", problems=problems, next_step="Nothing was started")


def _approval_problems(loaded: LoadedPipeline, people: People) -> list[Problem]:
    positions = {stage.name: index for index, stage in loaded.placed_stages()}
    problems = []
    for name, reason in people.obstacles(loaded.pipeline):
        line, column = loaded.locate("stages", positions[name], "approvers")
        hint = "name a user, an @group, or a role from your configuration"
        problems.append(
            Problem(file=loaded.file, line=line, column=column, message=reason, hint=hint)
        )
    return problems
