"""Every error an operator can meet, in one tree.

OrchestrateError
├── Senseless              words of a command line that nothing can be made of
├── PipelineFileError      a pipeline file has problems (all of them at once)
├── CannotStart            a run is refused before anything started
├── NotFound               an unknown run, stage or rollback
├── Refused                an action the present state does not allow
│   ├── Unconfirmed        something grave, without the name that is to be typed for it
│   ├── RollbackRefused
│   │   ├── RollbackLoop
│   │   └── StalePlan
│   └── StaleTransition
│       └── Fenced         another executor took over what this one worked on
└── StoreError             the database cannot be used as it is
    ├── NoRoom             the disk did not take what was to be written
    ├── NotAwaited         others were using it, and it was not waited for them
    └── Unrecorded         something was done, or ended, that a full disk kept from being written

Each error carries what happened and the next step, both one sentence, and the exit code of the
command that meets it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from orchestrate_tui.values import dataclass


class Severity(StrEnum):
    """How much a problem in a file matters."""

    ERROR = "error"
    """The file cannot be used."""
    WARNING = "warning"
    """The file can be used; somebody should look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a file, where it stands and what to do.

    `line` and `column` count from 1; 0 means the file as a whole.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        kind = "warning: " if self.severity is Severity.WARNING else ""
        return f"{place}: {kind}{self.message}" + (f" ({self.hint})" if self.hint else "")


SAY_WHY = "Say why with --reason TEXT"
"""The next step where a reason is missing."""


class OrchestrateError(Exception):
    """The root: what happened, and what the operator can do next.

    `problems` are those of the file that is to blame; empty when none is.
    """

    exit_code: ClassVar[int] = 2

    def __init__(
        self, message: str, *, next_step: str = "", problems: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """What to tell, line by line; a line break within one came from outside."""
        if self.problems:
            return tuple(filter(None, (self.message, *map(str, self.problems), self.next_step)))
        return (f"{self.message}. {self.next_step}" if self.next_step else self.message,)


class Senseless(OrchestrateError):
    """Words that nothing can be made of; `command` is the one that they were said to."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(f"{message}; see {command} --help")
        self.command = command


class PipelineFileError(OrchestrateError):
    """A pipeline file, or a file it needs, has problems."""

    exit_code = 1

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("", problems=problems)


class CannotStart(OrchestrateError):
    """A run was refused before anything started; nothing was changed."""


class NotFound(OrchestrateError):
    """A run, stage or rollback that is not in the database."""


class Refused(OrchestrateError):
    """The present state does not allow the action; nothing was changed."""


class Unconfirmed(Refused):
    """Something grave in protected `environments`, whose names were not typed."""

    def __init__(self, message: str, *, next_step: str, environments: tuple[str, ...]) -> None:
        super().__init__(message, next_step=next_step)
        self.environments = environments


class RollbackRefused(Refused):
    """A rollback that may not start; no event was written."""


class RollbackLoop(RollbackRefused):
    """A stage that was the target of a rollback in this run already; `last` says of which.

    `left` are its components that were not undone by one.
    """

    def __init__(
        self, stage_name: str, times: int, last: str = "", left: tuple[str, ...] = ()
    ) -> None:
        step = "Choose another target, or repeat a failed rollback with --retry"
        if left:
            step = f"Undo what is left of it with: {' '.join(f'-C {name}' for name in left)}"
        super().__init__(
            f"Rollback loop detected: stage '{stage_name}' has already been "
            f"rolled back to {times} time(s)",
            next_step=f"{last}{step}",
        )
        self.stage_name = stage_name
        self.times = times


class StalePlan(RollbackRefused):
    """The run changed between the plan that was shown and the request."""

    def __init__(self) -> None:
        super().__init__(
            "The run changed since this plan was made",
            next_step="Look at the new plan and ask again",
        )


class StaleTransition(Refused):
    """A guarded change found another status, or another owner, than it expected."""


class Fenced(StaleTransition):
    """Another executor took over what this one worked on: it may not write about it any more."""

    exit_code = 3


class StoreError(OrchestrateError):
    """The database cannot be opened or used as it is; it was left untouched."""


class NoRoom(StoreError):
    """The disk is full, or fails: nothing of what was to be written was kept."""


class NotAwaited(StoreError):
    """Others kept a command from beginning, and somebody ended it; nothing of it was kept."""

    exit_code = 130


class Unrecorded(StoreError):
    """What was done, or has ended, is not recorded: its disk was full; 4 is for this alone.

    A run that failed in a stage whose log had no room exits with it, too.
    """

    exit_code = 4
