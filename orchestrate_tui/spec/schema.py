"""The JSON Schema of pipeline files, from the same tables that read them."""

from __future__ import annotations

from orchestrate_tui.spec.pipelines import PIPELINE
from orchestrate_tui.spec.readers import Schema


def json_schema() -> Schema:
    """The schema of a pipeline file, in the dialect of 2020-12."""
    definitions: Schema = {}
    body = PIPELINE.schema(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Orchestrate TUI pipeline",
        "description": "A deployment pipeline that can be rolled back.",
        **body,
        "$defs": dict(sorted(definitions.items())),
    }
