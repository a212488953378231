"""`snapshot:` what is kept before a stage runs, and which stages may not keep the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from orchestrate_tui.domain.paths import overlap
from orchestrate_tui.domain.pipeline import Snapshot, Stage
from orchestrate_tui.domain.variables import substitute
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.names import collisions
from orchestrate_tui.spec.readers import ListOf, MapOf, Text
from orchestrate_tui.spec.records import Field, Record, Values
from orchestrate_tui.spec.report import Report, shown


def _snapshot(values: Values) -> Snapshot:
    snapshot = Snapshot(paths=values["paths"], values=values["values"])
    if not snapshot.paths and not snapshot.values and not values.blamed("paths"):
        values.error((), "'snapshot' keeps nothing", "name paths: or values:")
    for path in snapshot.paths:
        if path.startswith("/") or ".." in path.split("/"):
            message = f"the path '{shown(path)}' does not lie in the stage's folder"
            values.error(("paths", path), message, "set workdir: to the folder that it lies in")
    for name, first, _ in collisions((name, name.upper()) for name, _ in snapshot.values):
        message = f"'{name}' and '{first}' would be one environment variable"
        values.error(("values", name), message, "rename one of them")
    return snapshot


SNAPSHOT = Record(
    title="'snapshot'",
    definition="snapshot",
    build=_snapshot,
    extra={"minProperties": 1},
    fields=(
        Field(
            key="paths",
            reader=ListOf(item=Text(pattern=r"\s*\S[\s\S]*", rule="must not be blank")),
            description="Globs of what is kept, below the stage's folder; may hold ${variable}.",
            default=(),
        ),
        Field(
            key="values",
            reader=MapOf(
                value=Text(pattern=r"\s*\S[\s\S]*", rule="must not be blank"),
                keys=Text(pattern="[A-Za-z_][A-Za-z0-9_]*", rule="must be letters, digits and '_'"),
            ),
            description="Scripts for /bin/sh; what each prints is given to the undo as"
            " ${snapshot.NAME}.",
            default=(),
        ),
    ),
)
"""What is kept before a stage runs."""


def check_snapshots(loaded: LoadedPipeline, report: Report) -> None:
    """Refuse paths that two stages keep which may run at the same time."""
    known = dict(loaded.pipeline.variables)
    kept = [
        (index, stage, tuple(_patterns(stage, known)))
        for index, stage in loaded.placed_stages()
        if stage.snapshot and stage.snapshot.paths
    ]
    for number, (index, stage, patterns) in enumerate(kept):
        ordered = loaded.graph.upstream(stage.name) | loaded.graph.downstream(stage.name)
        for _, other, others in kept[:number]:
            if other.name in ordered or other.name == stage.name:
                continue
            for path, place in _both(patterns, others):
                report.error(
                    loaded.document.at("stages", index, "snapshot", "paths", path),
                    f"'{shown(place)}' is in the snapshot of stage '{other.name}' too,"
                    " which may run at the same time",
                    "let one depend on the other, or name different paths",
                )


def _patterns(stage: Stage, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each path as it is written, and as it is seen from the folder of the run."""
    folder = substitute(stage.workdir or "", known, keep_unknown=True)
    for path in stage.snapshot.paths if stage.snapshot else ():
        yield path, os.path.normpath(folder + "/" + substitute(path, known, keep_unknown=True))


def _both(
    patterns: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    theirs = tuple(others)
    for path, pattern in patterns:
        if any(overlap(pattern, other) for _, other in theirs):
            yield path, pattern
