"""Paths that stages keep which may run at the same time.

The file of a pipeline is refused for them when it is loaded. Links that lead from one to the other
only since then are noticed here, before the stage starts that comes second.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from glob import escape
from pathlib import Path

from orchestrate_tui.domain.paths import overlap
from orchestrate_tui.executor.context import RunContext
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import Database
from orchestrate_tui.store.snapshots import NewSnapshot, read_manifest, snapshots_of


def check_unshared(
    database: Database,
    context: RunContext,
    stage_name: str,
    workdir: Path,
    patterns: Sequence[str],
) -> None:
    """Raise Unfit, by name, when a stage that may run at the same time has kept the same."""
    if context.rivals.get(stage_name):
        from orchestrate_tui.snapshots.errors import Unfit  # noqa: PLC0415
        from orchestrate_tui.snapshots.places import resolve  # noqa: PLC0415

        own = os.path.realpath(os.fsencode(workdir))
        resolved = tuple(_absolute(own, resolve(own, pattern)) for pattern in patterns)
        look = partial(_shared, context=context, stage_name=stage_name, patterns=resolved)
        if problem := database.read(look):
            raise Unfit(problem)


def shared(connection: Connection, context: RunContext, new: NewSnapshot) -> str:
    """Why what was kept cannot be recorded beside what others kept; "" if it can.

    Others may have been quicker since it was looked for.
    """
    if not context.rivals.get(new.stage_name):
        return ""
    patterns = _patterns(new.workdir, new.manifest, new.sha256)
    problem = _shared(connection, context=context, stage_name=new.stage_name, patterns=patterns)
    return f"snapshot: {problem}" if problem else ""


def lie_together(one: bytes, other: bytes) -> bool:
    """Whether a path lies at, in or above another one."""
    return one == other or one.startswith(other + b"/") or other.startswith(one + b"/")


def _shared(
    connection: Connection, *, context: RunContext, stage_name: str, patterns: Sequence[str]
) -> str:
    """Which of these absolute patterns a rival has kept too, in a sentence; "" for none."""
    rivals = context.rivals[stage_name]
    for kept in snapshots_of(connection, context.id):
        if kept.stage_name in rivals:
            others = _patterns(kept.workdir, *read_manifest(connection, kept.id))
            for pattern in patterns:
                if any(overlap(pattern, other) for other in others):
                    return (
                        f"'{_spoken(pattern)}' is in the snapshot of stage"
                        f" '{kept.stage_name}' too, which may run at the same time"
                    )
    return ""


def _patterns(workdir: bytes, manifest: bytes, digest: bytes) -> tuple[str, ...]:
    """What a snapshot is of."""
    from orchestrate_tui.snapshots.manifest import unpack  # noqa: PLC0415

    return tuple(_absolute(workdir, one) for one in unpack(manifest, digest).patterns)


def _absolute(workdir: bytes, pattern: str) -> str:
    return f"{escape(os.fsdecode(workdir))}/{pattern}"


def _spoken(pattern: str) -> str:
    from orchestrate_tui.snapshots.errors import spoken  # noqa: PLC0415
    from orchestrate_tui.snapshots.places import unescaped  # noqa: PLC0415

    return spoken(os.fsencode(unescaped(pattern)))
