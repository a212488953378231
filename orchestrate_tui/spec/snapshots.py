"""`snapshot:` what is kept before a stage runs, and which stages may not keep the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from glob import escape, has_magic
from itertools import takewhile
from pathlib import Path

from orchestrate_tui.domain.paths import overlap
from orchestrate_tui.domain.pipeline import Snapshot, Stage
from orchestrate_tui.domain.variables import substitute
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.names import collisions
from orchestrate_tui.spec.readers import ListOf, MapOf, Text
from orchestrate_tui.spec.records import Field, Record, Values, written
from orchestrate_tui.spec.report import Report, shown
from orchestrate_tui.values import dataclass


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
    extra={"anyOf": [written("paths"), written("values")]},
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A path of a stage: as it is `written`, seen from the folder of the run, and on the disk.

    `real` has the links on the way to the first sign followed, as far as they are there by now.
    """

    written: str
    seen: str
    real: str


def check_snapshots(loaded: LoadedPipeline, report: Report, folder: Path | None = None) -> None:
    """Refuse paths that two stages keep which may run at the same time.

    `folder` is that of the run; None where nobody knows it, and no link can be followed.
    """
    known = dict(loaded.pipeline.variables)
    kept = [
        (index, stage, tuple(_kept(stage, known, folder)))
        for index, stage in loaded.placed_stages()
        if stage.snapshot and stage.snapshot.paths
    ]
    for number, (index, stage, paths) in enumerate(kept):
        ordered = loaded.graph.upstream(stage.name) | loaded.graph.downstream(stage.name)
        for _, other, others in kept[:number]:
            if other.name in ordered or other.name == stage.name:
                continue
            for path, verb in _both(paths, others):
                report.error(
                    loaded.document.at("stages", index, "snapshot", "paths", path.written),
                    f"'{shown(path.seen)}' {verb} in the snapshot of stage '{other.name}' too,"
                    " which may run at the same time",
                    "let one depend on the other, or name different paths",
                )


def _kept(stage: Stage, known: dict[str, str], folder: Path | None) -> Iterator[_Kept]:
    workdir = substitute(stage.workdir or "", known, keep_unknown=True)
    for path in stage.snapshot.paths if stage.snapshot else ():
        text = substitute(path, known, keep_unknown=True)
        seen = os.path.normpath(f"{workdir}/{text}")
        real = seen if folder is None else _real(str(folder / workdir), text)
        yield _Kept(written=path, seen=seen, real=real)


def _real(workdir: str, pattern: str) -> str:
    """The pattern with the links on its way followed; nobody knows where a variable leads."""
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    plain = list(takewhile(lambda part: not has_magic(part) and "${" not in part, parts[:-1]))
    way = "/".join((workdir, *plain))
    real = os.path.normpath(way) if "${" in workdir else os.path.realpath(way)
    return "/".join((escape(real), *parts[len(plain) :]))


def _both(paths: Iterable[_Kept], others: Sequence[_Kept]) -> Iterator[tuple[_Kept, str]]:
    """The paths that are among the others too, and how."""
    for path in paths:
        if any(overlap(path.seen, other.seen) for other in others):
            yield path, "is"
        elif any(overlap(path.real, other.real) for other in others):
            yield path, "is, by a link,"
