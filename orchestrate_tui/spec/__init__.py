"""YAML to pipelines: a strict reader that tells every problem at once, with its line."""

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
