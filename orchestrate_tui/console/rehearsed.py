"""What a rehearsal found, as lines for people: the same on the screen and in a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from orchestrate_tui.console.marks import ARROW, Tone
from orchestrate_tui.domain.pipeline import AgentKind
from orchestrate_tui.domain.rehearsal import (
    CheckAnswer,
    RehearsalReport,
    RehearsedStep,
    WrittenUndo,
)

Line = tuple[str, Tone | None]
"""A line of outside text, and its tone (None: plain)."""

_OWN = "ORCHESTRATE_"
_TELLING = tuple(f"{_OWN}{name}" for name in ("COMPONENT", "PREVIOUS_", "SNAPSHOT_"))
"""How variables of ours begin that are not the same in every undo."""

_CHECKS = {
    CheckAnswer.NEEDED: ("its check says that it is needed", Tone.GOOD),
    CheckAnswer.NOT_NEEDED: ("its check says that there is nothing to undo", Tone.QUIET),
    CheckAnswer.NOT_ASKED: ("its check was not asked", Tone.ATTENTION),
}


def report_lines(report: RehearsalReport) -> Iterator[Line]:
    """What would be done in which order, what each step lacks, then what has no step."""
    for difference in report.differences:
        yield f"±  {difference}", Tone.ATTENTION
    for problem in report.problems:
        yield f"✗  {problem}", Tone.BAD
    for number, step in enumerate(report.steps, 1):
        yield from _step_lines(number, step)
    for name, reason in report.skipped:
        yield f"-  {name}: {reason}", Tone.QUIET
    for warning in report.warnings:
        yield f"!  {warning}", Tone.ATTENTION


def _step_lines(number: int, step: RehearsedStep) -> Iterator[Line]:
    told = f": {step.task} ({step.agent})" if step.task else ""
    before = step.to_version or f"release {step.release}"
    versions = f", {step.from_version or 'no version'} {ARROW} {before}" if step.release else ""
    yield f"{number}. undo {step.part}{told}{versions}", None
    if step.restores:
        yield f"   puts back {', '.join(step.restores)} (snapshot {step.snapshot})", None
    yield from ((f"   {line}", tone) for line, tone in _written_lines(step.undo))
    if step.check in _CHECKS:
        said, tone = _CHECKS[step.check]
        yield f"   {said}", tone
    for problem in step.problems:
        yield f"   ✗ {problem}", Tone.BAD
    for line in step.check_lines:
        yield f"     {line}", Tone.QUIET


def _written_lines(undo: WrittenUndo) -> Iterator[Line]:
    """The command of an undo, its folder, and its variables without those that all have."""
    if undo.kind is AgentKind.SIMULATED or not undo.command:
        return
    yield from ((line, None) for line in _command_lines(undo))
    if undo.kind is AgentKind.HTTP:
        return
    yield f"in {undo.workdir}", Tone.QUIET
    for name, text in undo.environment:
        if not name.startswith(_OWN) or name.startswith(_TELLING):
            yield f"{name}={text}", Tone.QUIET


def _command_lines(undo: WrittenUndo) -> Iterator[str]:
    match undo.kind:
        case AgentKind.SHELL:
            yield from (f"$ {line}" for line in undo.command[-1].splitlines())
        case AgentKind.COMMAND:
            yield f"$ {shlex.join(undo.command)}"
        case AgentKind.PYTHON:
            yield f"calls {undo.command[0]}"
        case _:
            yield from undo.command
