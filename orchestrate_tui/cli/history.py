"""Commands that read what happened: runs, show, rollbacks."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from orchestrate_tui.cli.marked import print_table, say_marked
from orchestrate_tui.cli.notifying import print_notifications
from orchestrate_tui.cli.places import database_option, database_path
from orchestrate_tui.cli.reading import history_if_any
from orchestrate_tui.cli.records import print_json, rollback_record, run_record
from orchestrate_tui.cli.terminal import local, say
from orchestrate_tui.console.durations import duration, elapsed_s
from orchestrate_tui.console.last_rehearsed import last_rehearsed
from orchestrate_tui.console.marks import mark_of, rollback_mark, run_mark, step_mark
from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.pipeline import OnFailure
from orchestrate_tui.domain.readiness import coverage
from orchestrate_tui.domain.run import ApprovalRecord, Run, StageRun
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.history import History
from orchestrate_tui.store.rehearsals import last_rehearsal
from orchestrate_tui.store.rollback_steps import waits_for


def runs(arguments: Namespace) -> int:
    """List runs, newest first."""
    status, since = _status(arguments.status), _since(arguments.since)
    history = history_if_any(arguments)
    if history is None:
        say("No runs yet", to=sys.stderr)
        if arguments.json:
            print_json([])
        return 0
    found = history.runs(
        pipeline=arguments.pipeline,
        status=status,
        since=since,
        limit=arguments.limit,
    )
    if arguments.json:
        print_json([run_record(history, run) for run in found])
        return 0
    heads = ("RUN", "", "STATUS", "ROLLBACK", "STARTED", "TOOK", "BY", "PIPELINE")
    print_table(heads, [_run_row(history, run) for run in found])
    return 0


def show(arguments: Namespace) -> int:
    """Show one run, its stages and its rollbacks."""
    history = History(database_path(arguments), hands_off=True)
    run = history.run(arguments.run)
    if arguments.json:
        print_json(run_record(history, run))
        return 0
    _print_head(run)
    _print_rehearsal(history, run)
    allowed = {
        stage.name
        for stage in history.definition(run.id).stages
        if stage.on_failure is OnFailure.CONTINUE
    }
    rows = [
        _stage_row(stage, may_fail=stage.stage_name in allowed) for stage in history.stages(run.id)
    ]
    print_table(("STAGE", "", "STATUS", "STARTED", "TOOK", "TRIES", "REASON"), rows)
    _print_approvals(history.approvals(run.id))
    events = history.rollbacks(run.id)
    if events:
        say()
        _print_rollbacks(history, events)
        _print_steps(history, events)
    if told := history.notifications(run.id):
        say()
        print_notifications(told)
    if run.status is RunStatus.INTERRUPTED or any(event.is_left for event in events):
        say()
        option = database_option(history.files.database)
        say(f"Its executor died. Go on with: orchestrate-tui resume {run.id}{option}")
    return 0


def rollbacks(arguments: Namespace) -> int:
    """List rollbacks, newest first."""
    history = history_if_any(arguments)
    if history is None:
        say("No rollbacks yet", to=sys.stderr)
        if arguments.json:
            print_json([])
        return 0
    if arguments.run is not None:
        history.run(arguments.run)
    events = history.rollbacks(arguments.run, limit=arguments.limit)
    if arguments.json:
        print_json([rollback_record(history, event) for event in events])
    else:
        _print_rollbacks(history, events)
    return 0


def _print_head(run: Run) -> None:
    mark = run_mark(run.status)
    simulated = " (simulated)" if run.simulated else ""
    because = f": {run.reason}" if run.reason else ""
    say_marked(mark, f"Run {run.id} of {run.pipeline}{simulated}: {mark.word}{because}")
    branch = f", branch {run.trigger.branch}" if run.trigger.branch else ""
    say(f"  {run.trigger.event} by {run.actor}{branch}, {local(run.started_at or run.created_at)}")
    if run.acknowledged_by:
        said = f": {run.acknowledgement}" if run.acknowledgement else ""
        say(f"  acknowledged by {run.acknowledged_by}, {local(run.acknowledged_at)}{said}")
    for name, value in run.trigger.variables:
        say(f"  {name} = {value}")
    if run.trigger.labels:
        say(f"  labels {', '.join(run.trigger.labels)}")
    if run.trigger.changed is not None:
        say(f"  changed {', '.join(run.trigger.changed) or 'nothing'}")


def _print_rehearsal(history: History, run: Run) -> None:
    """Say when a rollback of a run of which something can be undone was rehearsed."""
    rehearsal = history.query(partial(last_rehearsal, run_id=run.id))
    if rehearsal or (coverage(history.definition(run.id)).undoable and not run.simulated):
        say(f"  {last_rehearsed(rehearsal, utc_now())}")
    say()


def _print_approvals(approvals: tuple[ApprovalRecord, ...]) -> None:
    if not approvals:
        return
    say()
    rows = [
        (one.stage_name, one.decision, one.entry, one.actor, local(one.decided_at), one.comment)
        for one in approvals
    ]
    print_table(("APPROVAL", "DECISION", "AS", "BY", "WHEN", "COMMENT"), rows)


def _run_row(history: History, run: Run) -> tuple[str, ...]:
    mark = run_mark(run.status)
    rollbacks_of_it = history.rollbacks(run.id, limit=1)
    simulated = " (simulated)" if run.simulated else ""
    return (
        str(run.id),
        mark.glyph,
        mark.word + (f", seen by {run.acknowledged_by}" if run.acknowledged_by else ""),
        "".join(rollback_mark(event).word for event in rollbacks_of_it),
        local(run.started_at or run.created_at),
        _took(run.started_at, run.completed_at),
        run.actor,
        run.pipeline + simulated,
    )


def _stage_row(stage: StageRun, *, may_fail: bool) -> tuple[str, ...]:
    mark = mark_of(stage, may_fail=may_fail)
    return (
        stage.stage_name,
        mark.glyph,
        mark.word,
        local(stage.started_at),
        _took(stage.started_at, stage.completed_at),
        str(stage.attempt or ""),
        stage.waits_for if stage.is_held else stage.reason,
    )


def _print_rollbacks(history: History, events: tuple[RollbackEvent, ...]) -> None:
    heads = ("ROLLBACK", "RUN", "", "STATUS", "WHEN", "FROM → TO", "TRIGGER", "BY", "WHY")
    print_table(heads, [_rollback_row(history, event) for event in events])


def _print_steps(history: History, events: tuple[RollbackEvent, ...]) -> None:
    """What became of each step, where, and what was decided of it by whom."""
    rows = [_step_row(step) for event in events for step in history.steps(event.id or 0)]
    if rows:
        say()
        print_table(("ROLLBACK", "STEP", "", "STATUS", "IN", "TOOK", "TRIES", "WHY"), rows)


def _step_row(step: RollbackStep) -> tuple[str, ...]:
    mark = step_mark(step.status)
    return (
        str(step.rollback_id),
        step.part,
        mark.glyph,
        mark.word,
        step.environment or "-",
        _took(step.started_at, step.completed_at),
        str(step.attempt or ""),
        step.error_message,
    )


def _rollback_row(history: History, event: RollbackEvent) -> tuple[str, ...]:
    mark, waits = rollback_mark(event), history.query(partial(waits_for, event=event))
    return (
        str(event.id),
        str(event.run_id),
        mark.glyph,
        mark.word,
        local(event.started_at or event.created_at),
        f"{event.failed_stage_name} → {event.rollback_to_stage}{_only(event)}",
        event.trigger_type,
        event.instigator,
        "; ".join(filter(None, (event.reason, event.error_message or waits))),
    )


def _only(event: RollbackEvent) -> str:
    """What it was narrowed to, if it was."""
    return f" ({event.narrowing})" if event.narrowing else ""


def _took(started_at: datetime | None, completed_at: datetime | None) -> str:
    seconds = elapsed_s(started_at, completed_at, utc_now())
    return "" if seconds is None else duration(seconds)


def _status(text: str | None) -> RunStatus | None:
    if text is None:
        return None
    try:
        return RunStatus(text)
    except ValueError:
        raise Refused(
            f"'{text}' is no status of a run", next_step=f"Choose one of: {', '.join(RunStatus)}"
        ) from None


def _since(text: str | None) -> datetime | None:
    """A moment, or a length of time before now. Raises Refused for other text."""
    if text is None:
        return None
    from orchestrate_tui.spec.durations import parse_duration  # noqa: PLC0415  (seldom asked)

    with suppress(ValueError):
        return utc_now() - timedelta(seconds=parse_duration(text))
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise Refused(
            f"'{text}' is no time",
            next_step="Write a date (2026-01-31), a moment (2026-01-31T12:00) or an age (2h)",
        ) from None
