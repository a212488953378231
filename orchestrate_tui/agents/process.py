"""One attempt that is a process: what command, shell and python agents have in common."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from orchestrate_tui.agents import wording
from orchestrate_tui.agents.contract import Launcher, Outcome, Program, TakenOver, Work
from orchestrate_tui.agents.environment import output_path, own_environment, text_values
from orchestrate_tui.agents.log import StageLog, has_room
from orchestrate_tui.agents.output import BadOutput, make_private, read_outputs
from orchestrate_tui.agents.supervision import Ending, supervise
from orchestrate_tui.domain.variables import substitute
from orchestrate_tui.stagehost.masking import encode_forms
from orchestrate_tui.stagehost.starting import inherited_environment

_NO_VARIABLES: Mapping[str, str] = {}


async def run_program(
    work: Work,
    launcher: Launcher,
    argv: tuple[str, ...],
    extra_environment: Mapping[str, str] = _NO_VARIABLES,
) -> Outcome:
    """Start `argv` for `work`, wait for its end and read what it hands on.

    Raises UnknownVariable or UnsafeValue before anything is started.
    """
    outputs = output_path(work)
    program = Program(
        run_id=work.run_id,
        key=work.key,
        argv=argv,
        environment={**own_environment(work, outputs), **extra_environment},
        inherited=inherited_environment() if work.inherited is None else work.inherited,
        workdir=workdir_of(work),
        log_path=work.log_path,
        secret_forms=encode_forms(work.masker.forms) if work.masker else b"",
        secret_files=work.secret_files,
        timeout_s=work.timeout_s,
        grace_s=work.agent.grace_s,
        leaves_processes=work.agent.leaves_processes,
    )
    if work.is_exposed or work.masker is not None:
        with suppress(OSError):  # then the stage tries, and the log tells why it cannot
            make_private(outputs)
    try:
        outcome = await _start_and_supervise(work, launcher, program)
    except TakenOver as error:
        return Outcome(succeeded=False, reason=str(error))
    return _with_outputs(outcome, outputs, work.log)


async def _start_and_supervise(work: Work, launcher: Launcher, program: Program) -> Outcome:
    try:
        process = await launcher.start(program)
    except (OSError, ValueError) as error:
        reason = wording.cannot_start(program.argv[0], error)
        work.log.note(reason)
        return Outcome(succeeded=False, reason=reason)
    try:
        ending = await supervise(process, timeout_s=work.timeout_s, grace_s=work.agent.grace_s)
    except TakenOver:
        raise
    except OSError as error:
        reason = wording.lost(error)
        work.log.note(reason)
        return Outcome(succeeded=False, reason=reason)
    finally:  # also when it was cancelled
        if process.kept:
            work.log.note(wording.kept(process.kept))
    for sentence in _notes(ending, work.timeout_s):
        work.log.note(sentence)
    return _outcome(ending, work)


def workdir_of(work: Work) -> Path:
    """The folder in which a process does the work. Raises UnknownVariable."""
    if work.agent.workdir is None:
        return work.workdir
    return work.workdir / substitute(work.agent.workdir, text_values(work))


def _notes(ending: Ending, timeout_s: float | None) -> list[str]:
    notes = []
    if ending.timed_out:
        notes.append(wording.timed_out(timeout_s))
    if ending.left_running:
        notes.append(
            "ended what was left running in the background; a service is started with setsid, "
            "by an agent with `leaves_processes: true`"
        )
    if ending.survived:
        notes.append("a process did not end even after SIGKILL")
    return notes


def _outcome(ending: Ending, work: Work) -> Outcome:
    if ending.timed_out or ending.code is None:
        reason = wording.timed_out(work.timeout_s)
    elif ending.code not in work.agent.success_codes:
        reason = wording.ended_with(ending.code)
        if ending.code > 0 and not has_room(work.log_path.parent):  # that may be why
            reason += wording.NO_ROOM
    else:
        return Outcome(succeeded=True, exit_code=ending.code)
    return Outcome(succeeded=False, exit_code=ending.code, reason=reason)


def _with_outputs(outcome: Outcome, path: Path, log: StageLog) -> Outcome:
    """`outcome` with what the stage handed on; a failed stage may do so too."""
    try:
        outputs = read_outputs(path, log.masked)
    except BadOutput as error:
        log.note(str(error))
        if outcome.succeeded:
            outcome = replace(outcome, succeeded=False, reason=str(error))
        return replace(outcome, has_output_file=True)
    if outputs is None:
        return outcome
    return replace(outcome, outputs=outputs, has_output_file=True)
