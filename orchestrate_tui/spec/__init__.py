"""YAML to pipelines: a strict reader that tells every problem at once, with its line.

The names below are loaded on first use: who asks only for the configuration reads no pipeline.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrate_tui.spec.advice import warnings_for_run
    from orchestrate_tui.spec.durations import parse_duration
    from orchestrate_tui.spec.loaded import LoadedPipeline
    from orchestrate_tui.spec.loading import load_pipeline, parse_pipeline
    from orchestrate_tui.spec.schema import json_schema
    from orchestrate_tui.spec.starting import problems_for_run

__all__ = [
    "LoadedPipeline",
    "json_schema",
    "load_pipeline",
    "parse_duration",
    "parse_pipeline",
    "problems_for_run",
    "warnings_for_run",
]

_HOMES = {
    "LoadedPipeline": "loaded",
    "json_schema": "schema",
    "load_pipeline": "loading",
    "parse_duration": "durations",
    "parse_pipeline": "loading",
    "problems_for_run": "starting",
    "warnings_for_run": "advice",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
