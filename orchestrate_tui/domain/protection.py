"""Environments in which a slip would be grave."""

from __future__ import annotations

from collections.abc import Collection

from orchestrate_tui.domain.pipeline import Pipeline


def protected_environments(pipeline: Pipeline, configured: Collection[str]) -> tuple[str, ...]:
    """The protected environments that stages of the pipeline touch, in the order of the file.

    An environment is protected by the pipeline, or by what this user has `configured`.
    """
    own = {environment.name for environment in pipeline.environments if environment.protected}
    touched = dict.fromkeys(stage.environment for stage in pipeline.stages if stage.environment)
    return tuple(name for name in touched if name in own or name in configured)


def confirmation(environments: Collection[str]) -> str:
    """What has to be typed before something grave is done in these environments."""
    return ", ".join(environments)
