"""Which version a run is about, as it may be stored."""

from __future__ import annotations

from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.release import VERSION
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.executor.context import RunContext
from orchestrate_tui.executor.secrets import Secrets


def sealed_version(context: RunContext) -> str:
    """What the run knows as `${version}`, as it may be stored; "" when it knows none."""
    return stored_version(context.pipeline, context.run.trigger, context.secrets)


def stored_version(pipeline: Pipeline, trigger: TriggerContext, secrets: Secrets) -> str:
    """`${version}` as it may be stored; the variables of `trigger` are as they are stored."""
    given = dict(trigger.variables)
    if VERSION in given:
        return given[VERSION]
    return secrets.sealed(dict(pipeline.variables).get(VERSION, ""))
