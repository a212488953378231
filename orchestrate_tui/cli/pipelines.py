"""Commands about pipeline files: validate, graph, schema, init."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from argparse import Namespace
from pathlib import Path

from orchestrate_tui.cli.places import example
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.telling import problem_record
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.readiness import coverage
from orchestrate_tui.errors import PipelineFileError, Problem, Refused
from orchestrate_tui.spec import json_schema, load_pipeline
from orchestrate_tui.spec.loaded import LoadedPipeline

SCHEMA_FILE = "pipeline.schema.json"


def validate(arguments: Namespace) -> int:
    """Print every problem of every file; 1 when there is an error, 0 with warnings only."""
    results = [_check(path) for path in arguments.files]
    has_errors = any(loaded is None for loaded, _ in results)
    if arguments.json:
        print_json([_record(path, *result) for path, result in _paired(arguments.files, results)])
        return int(has_errors)
    for path, (loaded, problems) in _paired(arguments.files, results):
        for problem in problems:
            say(str(problem), to=sys.stderr)
        if loaded is not None:
            count = len(loaded.pipeline.stages)
            stages = f"{count} stage{'s' if count > 1 else ''}"
            say(f"{path}: {loaded.pipeline.name}: {stages}, fine")
            if covered := coverage(loaded.pipeline).sentence:
                say(f"{path}: {covered}")
    return int(has_errors)


_Result = tuple[LoadedPipeline | None, tuple[Problem, ...]]


def _paired(paths: list[Path], results: list[_Result]) -> list[tuple[Path, _Result]]:
    return list(zip(paths, results, strict=True))


def _check(path: Path) -> _Result:
    try:
        loaded = load_pipeline(path)
    except PipelineFileError as error:
        return None, error.problems
    return loaded, loaded.warnings


def _record(
    path: Path, loaded: LoadedPipeline | None, problems: tuple[Problem, ...]
) -> dict[str, object]:
    return {
        "file": str(path),
        "valid": loaded is not None,
        "pipeline": loaded.pipeline.name if loaded else None,
        "order": loaded.graph.order if loaded else [],
        "coverage": _coverage_record(loaded.pipeline) if loaded else None,
        "problems": [problem_record(problem) for problem in problems],
    }


def _coverage_record(pipeline: Pipeline) -> dict[str, object]:
    found = coverage(pipeline)
    return {
        "stages": found.stages,
        "undoable": found.undoable,
        "nothing_to_go_back_to": found.exposed,
        "sentence": found.sentence,
    }


def graph(arguments: Namespace) -> int:
    """Draw the stages of a pipeline, or list what each waits for."""
    loaded = load_pipeline(arguments.file)
    if arguments.json:
        print_json({"stages": loaded.graph.dependencies, "order": loaded.graph.order})
        return 0
    from orchestrate_tui.console.graph_text import render_graph  # noqa: PLC0415

    for line in render_graph(loaded.graph):
        print(line)
    return 0


def schema(_arguments: Namespace) -> int:
    """Print the JSON Schema of pipeline files."""
    print_json(json_schema())
    return 0


def init(arguments: Namespace) -> int:
    """Write a template and the schema that its first line names; overwrites nothing."""
    path: Path = arguments.path
    if path.is_dir():
        path /= "pipeline.yaml"
    if os.path.lexists(path):
        raise Refused(f"{path} exists", next_step="Name another file, or move it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(example(f"{arguments.template}.yaml"), path)
        if not os.path.lexists(path.parent / SCHEMA_FILE):
            shutil.copyfile(example(SCHEMA_FILE), path.parent / SCHEMA_FILE)
    except OSError as error:
        raise Refused(
            f"Cannot write {path}: {error.strerror}", next_step="Name another place"
        ) from error
    say(f"Wrote {path}. Check it with: orchestrate-tui validate {shlex.quote(str(path))}")
    return 0
