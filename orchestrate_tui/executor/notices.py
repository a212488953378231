"""What somebody is told: what happened, what to do, and the last lines of the log."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shlex import quote

from orchestrate_tui.domain.moments import spoken
from orchestrate_tui.domain.notification import Delivery, Notification
from orchestrate_tui.domain.notifying import Occasion
from orchestrate_tui.domain.run import Run, StageRun
from orchestrate_tui.domain.status import RollbackStatus
from orchestrate_tui.domain.text import visible
from orchestrate_tui.executor.secrets import Secrets, secrets_of_pipeline
from orchestrate_tui.executor.sending import Message
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.breakers import breakers_of
from orchestrate_tui.store.database import Database
from orchestrate_tui.store.definitions import read_definition
from orchestrate_tui.store.history import read_run, stages_of, steps_of
from orchestrate_tui.store.notifications import was_told

LOG_LINES, LOG_BYTES = 20, 4096
"""So much of the end of a log is told."""

_LONGEST_LINE = 300
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_TITLES = {
    Occasion.APPROVAL_REQUESTED: "stage '{stage}' of run {run} of {pipeline} waits for approval",
    Occasion.RUN_FAILED: "run {run} of {pipeline} failed",
    Occasion.ROLLBACK_STARTED: "run {run} of {pipeline} is being rolled back to '{stage}'",
    Occasion.ROLLBACK_SUCCEEDED: "run {run} of {pipeline} was rolled back to '{stage}'",
    Occasion.ROLLBACK_FAILED: "the rollback of run {run} of {pipeline} to '{stage}' FAILED",
    Occasion.BREAKER_TRIPPED: "too many rollbacks of {pipeline}: new runs are refused",
}
_WAITING = "the rollback of run {run} of {pipeline} to '{stage}' WAITS: a step failed"
_KINDS = {
    Occasion.APPROVAL_REQUESTED: "info",
    Occasion.ROLLBACK_STARTED: "warning",
    Occasion.ROLLBACK_SUCCEEDED: "success",
}


def message_of(database: Database, notification: Notification, delivery: Delivery) -> Message:
    """What a channel is told, with nothing secret in it, and nothing that is not plain text."""
    run = database.read(partial(read_run, run_id=notification.run_id))
    pipeline = database.read(partial(read_definition, digest=run.definition_hash))
    secrets = secrets_of_pipeline(pipeline, run.pipeline_dir or run.workdir)
    is_waiting = _waits_for_a_decision(database, notification)
    title = (_WAITING if is_waiting else _TITLES[notification.occasion]).format(
        run=run.id, pipeline=run.pipeline, stage=notification.stage_name
    )
    return Message(
        title=_plain(title + _escalation(database, delivery), secrets),
        body="\n".join(_plain(line, secrets) for line in _body(database, notification, run)),
        kind=_KINDS.get(notification.occasion, "failure"),
    )


def _escalation(database: Database, delivery: Delivery) -> str:
    """That a message is not the first of its kind, to whom it comes anew and to whom again."""
    if not delivery.step:
        return ""
    if database.read(partial(was_told, delivery=delivery)):
        return f" (told again, step {delivery.step + 1})"
    return f" (step {delivery.step + 1}: nobody has seen to it yet)"


def _plain(line: str, secrets: Secrets) -> str:
    return visible(secrets.masked(_COLOUR.sub("", line.rstrip("\r")).expandtabs(4)))


def _body(database: Database, notification: Notification, run: Run) -> Iterator[str]:
    if notification.detail:
        yield notification.detail
    place = f"{database.path} on {socket.gethostname()}"
    yield f"Since {spoken(notification.created_at)}; started by {run.actor}; recorded in {place}"
    for step in _next_steps(database, notification):
        yield f"{step} --db {quote(str(database.path))}"
    stages = database.read(partial(stages_of, run_id=run.id))
    for name, log in _logs(database, notification, stages):
        lines = last_lines(log)
        if lines:
            yield ""
            yield f"The last lines of the log of {name}:"
            yield from lines
            return


def _waits_for_a_decision(database: Database, notification: Notification) -> bool:
    """Whether it is of a rollback that a step has stopped, and that somebody may let go on."""
    rollback_id = notification.rollback_id
    if rollback_id is None or notification.occasion is not Occasion.ROLLBACK_FAILED:
        return False
    event = database.read(partial(rollbacks.read, rollback_id=rollback_id))
    return event.status is RollbackStatus.RUNNING


def _next_steps(database: Database, notification: Notification) -> Iterator[str]:
    """The commands that answer it, each with what it is for, without the database."""
    run_id, rollback_id = notification.run_id, notification.rollback_id
    if notification.occasion is Occasion.APPROVAL_REQUESTED:
        stage = quote(notification.stage_name or "")
        yield f"Decide with: orchestrate-tui approve {run_id} {stage}"
    elif notification.occasion is Occasion.BREAKER_TRIPPED:
        for breaker in database.read(partial(breakers_of, rollback_id=rollback_id or 0)):
            there = f"When you know why, let new runs go to '{breaker.environment}' again"
            yield f"{there}: orchestrate-tui reset {breaker.id} --reason TEXT"
    elif _waits_for_a_decision(database, notification):
        command = f"orchestrate-tui rollback-step {rollback_id}"
        yield f"Decide with: {command} retry|skip|done|halt --reason TEXT"
    else:
        if notification.occasion is Occasion.ROLLBACK_FAILED:
            event = database.read(partial(rollbacks.read, rollback_id=rollback_id or 0))
            yield f"Try again what is left: {event.again}"
        yield f"Say that you see to it: orchestrate-tui acknowledge {run_id}"


def _logs(
    database: Database, notification: Notification, stages: tuple[StageRun, ...]
) -> Iterator[tuple[str, Path]]:
    """The logs that tell most of what happened, the best first; some may not exist."""
    files, run_id = database.files, notification.run_id
    if notification.rollback_id is not None:
        steps = database.read(partial(steps_of, rollback_id=notification.rollback_id))
        for step in reversed(steps):
            if step.attempt:
                where = (run_id, step.rollback_id, step.part, step.attempt)
                yield f"the undo of {step.part}", files.undo_log(*where)
    for stage in sorted(stages, key=_interest, reverse=True):
        if stage.attempt:
            yield stage.stage_name, files.log(run_id, stage.stage_name, stage.attempt)


def _interest(stage: StageRun) -> tuple[bool, bool, str]:
    """What failed comes first, then what ended last."""
    ended = stage.completed_at.isoformat() if stage.completed_at else ""
    return stage.status == "failed", stage.status == "interrupted", ended


def last_lines(log: Path) -> list[str]:
    """The last lines of a log, of limited length; none when it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - LOG_BYTES, 0))
            text = file.read(LOG_BYTES).decode(errors="replace")
    except OSError:
        return []
    lines = text.split("\n")[-LOG_LINES - 1 :]
    return [line[:_LONGEST_LINE] for line in lines if line.strip()]
