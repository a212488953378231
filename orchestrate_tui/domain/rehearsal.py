"""Rehearsals: everything of a rollback but its undos, to learn what is missing before it is needed.

The checks of the undos run, the snapshots are read, and each undo is written out with the values
that it would have.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from enum import StrEnum

from orchestrate_tui.domain.components import part_name
from orchestrate_tui.domain.pipeline import AgentKind, Pairs
from orchestrate_tui.domain.readiness import SnapshotState
from orchestrate_tui.values import dataclass


class CheckAnswer(StrEnum):
    """What the check of an undo said."""

    NONE = "none"
    """The undo has no check."""
    NEEDED = "needed"
    """There is something to undo."""
    NOT_NEEDED = "not needed"
    """There is nothing to undo."""
    FAILED = "failed"
    """It gave no answer."""
    NOT_ASKED = "not asked"
    """It could not run, or its stage still works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenUndo:
    """An undo with its values filled in, as it would run; nothing secret is in it.

    `command` is the argument vector of a process, or the lines of a request; `kind` None means
    that nothing runs after the snapshot is put back. `problems` say why it could not be started.
    """

    kind: AgentKind | None = None
    command: tuple[str, ...] = ()
    workdir: str = ""
    environment: Pairs = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedStep:
    """One undo of a rehearsal, in the place that it would have in the rollback.

    `release` is what it would go back to, with its version, None for nothing. `check_lines` are
    the last lines that a check wrote which failed.
    """

    stage_name: str
    component: str | None = None
    agent: str = ""
    task: str = ""
    restores: tuple[str, ...] = ()
    snapshot: SnapshotState = SnapshotState.NOT_ASKED
    release: int | None = None
    from_version: str = ""
    to_version: str = ""
    undo: WrittenUndo = field(default_factory=WrittenUndo)
    check: CheckAnswer = CheckAnswer.NONE
    check_lines: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """The stage, or the part of it that would be undone."""
        return part_name(self.stage_name, self.component)


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalReport:
    """What a rehearsal found; `skipped` are stages without a step, each with its reason.

    `problems` are those of the rollback as a whole; those of its steps stand there. It was narrowed
    to `components`, () for all, and without `cascade` to its target; `release` is the one that was
    named to return to, None for those before; `definition` the hash of the one whose undos were
    used, "" for that of the run, and `differences` says where it is another.
    """

    components: tuple[str, ...] = ()
    cascade: bool = True
    release: int | None = None
    definition: str = ""
    differences: tuple[str, ...] = ()
    steps: tuple[RehearsedStep, ...] = ()
    skipped: Pairs = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def narrowing(self) -> str:
        """Of what it was not the whole, or not the usual, in a few words; "" of none."""
        told = (
            "" if self.cascade else "that stage alone",
            f"only {', '.join(self.components)}" if self.components else "",
            f"back to release {self.release}" if self.release else "",
            "as another file says" if self.definition else "",
        )
        return ", ".join(filter(None, told))

    @property
    def all_problems(self) -> tuple[str, ...]:
        """Everything that is missing, a sentence each."""
        of_steps = (f"{step.part}: {one}" for step in self.steps for one in step.problems)
        return (*self.problems, *of_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """One rehearsal of a run, without its report.

    `rollback_to_stage` "" means that each stage which ran was rehearsed by itself. `problems` is
    how many there were.
    """

    id: int
    run_id: int
    failed_stage_name: str = ""
    rollback_to_stage: str = ""
    actor: str
    started_at: datetime
    completed_at: datetime
    problems: int

    @property
    def is_well(self) -> bool:
        """Whether nothing was missing."""
        return not self.problems

    @property
    def outcome(self) -> str:
        """How it went, in a few words."""
        return outcome_of(self.problems)


def outcome_of(problems: int) -> str:
    """How a rehearsal went that found so many problems."""
    return f"{problems} problem{'s' * (problems != 1)}" if problems else "all well"
