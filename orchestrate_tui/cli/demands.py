"""What `rollback` and `rehearse` both say of a rollback: from where to where, and how."""

from __future__ import annotations

from argparse import Namespace

from orchestrate_tui.cli.loading import definition_for_rollback
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.spec.loaded import LoadedPipeline


def demand_of(arguments: Namespace) -> RollbackDemand:
    """The demand, as far as both say it."""
    return RollbackDemand(
        from_stage=arguments.from_stage,
        to_stage=arguments.to_stage,
        retry=arguments.retry,
        release=arguments.release,
        components=tuple(dict.fromkeys(arguments.component)),
        cascade=arguments.cascade,
    )


def definition_of(arguments: Namespace) -> LoadedPipeline | None:
    """The definition that is named; None without. Raises OrchestrateError."""
    file = arguments.definition
    return definition_for_rollback(file) if file else None
