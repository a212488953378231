"""Orchestrate TUI: run deployment pipelines, watch them and roll them back.

The names below are loaded on first use, so that a command pays only for what it needs. The stage
host loads this module too, and starts in half the time without `typing`.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestrate_tui.domain.events import RollbackEvent
    from orchestrate_tui.domain.status import RollbackStatus, RollbackTriggerType
    from orchestrate_tui.executor.executor import PipelineExecutor

__all__ = ["PipelineExecutor", "RollbackEvent", "RollbackStatus", "RollbackTriggerType"]

_HOMES = {
    "PipelineExecutor": "orchestrate_tui.executor.executor",
    "RollbackEvent": "orchestrate_tui.domain.events",
    "RollbackStatus": "orchestrate_tui.domain.status",
    "RollbackTriggerType": "orchestrate_tui.domain.status",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
