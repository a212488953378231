"""Commands that read what happened: runs, show, rollbacks, logs."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import datetime, timedelta
from pathlib import Path

from orchestrate_tui.cli.places import database_path
from orchestrate_tui.cli.records import print_json, rollback_record, run_record
from orchestrate_tui.cli.terminal import local, print_table, say, say_marked
from orchestrate_tui.console.durations import duration, elapsed_s
from orchestrate_tui.console.marks import rollback_mark, run_mark, stage_mark
from orchestrate_tui.console.text import visible
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.pipeline import OnFailure
from orchestrate_tui.domain.run import Run, StageRun
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import NotFound, Refused
from orchestrate_tui.store.history import History


def runs(arguments: Namespace) -> int:
    """List runs, newest first."""
    if not database_path(arguments).exists():
        say("No runs yet", to=sys.stderr)
        if arguments.json:
            print_json([])
        return 0
    history = History(database_path(arguments))
    found = history.runs(
        pipeline=arguments.pipeline,
        status=_status(arguments.status),
        since=_since(arguments.since),
        limit=arguments.limit,
    )
    if arguments.json:
        print_json([run_record(history, run) for run in found])
        return 0
    print_table(("RUN", "", "STATUS", "STARTED", "TOOK", "BY", "PIPELINE"), map(_run_row, found))
    return 0


def show(arguments: Namespace) -> int:
    """Show one run, its stages and its rollbacks."""
    history = History(database_path(arguments))
    run = history.run(arguments.run)
    if arguments.json:
        print_json(run_record(history, run))
        return 0
    _print_head(run)
    allowed = {
        stage.name
        for stage in history.definition(run.id).stages
        if stage.on_failure is OnFailure.CONTINUE
    }
    rows = [
        _stage_row(stage, may_fail=stage.stage_name in allowed) for stage in history.stages(run.id)
    ]
    print_table(("STAGE", "", "STATUS", "STARTED", "TOOK", "TRIES", "REASON"), rows)
    events = history.rollbacks(run.id)
    if events:
        say()
        _print_rollbacks(events)
    if run.status is RunStatus.INTERRUPTED:
        say(f"\nIts executor died. Go on with: orchestrate-tui resume {run.id}")
    return 0


def rollbacks(arguments: Namespace) -> int:
    """List rollbacks, newest first."""
    if not database_path(arguments).exists():
        say("No rollbacks yet", to=sys.stderr)
        if arguments.json:
            print_json([])
        return 0
    history = History(database_path(arguments))
    if arguments.run is not None:
        history.run(arguments.run)
    events = history.rollbacks(arguments.run, limit=arguments.limit)
    if arguments.json:
        print_json([rollback_record(history, event) for event in events])
    else:
        _print_rollbacks(events)
    return 0


def logs(arguments: Namespace) -> int:
    """Print what an attempt of a stage wrote; on a terminal with control characters shown."""
    history = History(database_path(arguments))
    path = _log_path(history, arguments)
    if arguments.json:
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        print_json({"path": str(path), "text": text})
    elif not path.exists():
        say(f"Stage '{arguments.stage}' of run {arguments.run} wrote nothing", to=sys.stderr)
    else:
        _print_log(path)
    return 0


def _log_path(history: History, arguments: Namespace) -> Path:
    stages = {stage.stage_name: stage for stage in history.stages(arguments.run)}
    stage = stages.get(arguments.stage)
    if stage is None:
        raise NotFound(
            f"Run {arguments.run} has no stage '{arguments.stage}'",
            next_step=f"Its stages are: {', '.join(stages)}",
        )
    if arguments.rollback is None:
        return history.log_path(stage.run_id, stage.stage_name, arguments.attempt or stage.attempt)
    steps = {step.stage_name: step for step in history.steps(arguments.rollback)}
    if stage.stage_name not in steps:
        raise NotFound(f"Rollback {arguments.rollback} has no step for '{stage.stage_name}'")
    attempt = arguments.attempt or steps[stage.stage_name].attempt
    return history.undo_log_path(stage.run_id, arguments.rollback, stage.stage_name, attempt)


def _print_log(path: Path) -> None:
    if not sys.stdout.isatty():
        with path.open("rb") as log:
            while chunk := log.read(1 << 16):
                sys.stdout.buffer.write(chunk)
        return
    with path.open(encoding="utf-8", errors="replace") as log:
        for line in log:
            print(visible(line.rstrip("\n")))


def _print_head(run: Run) -> None:
    mark = run_mark(run.status)
    simulated = " (simulated)" if run.simulated else ""
    because = f": {run.reason}" if run.reason else ""
    say_marked(mark, f"Run {run.id} of {run.pipeline}{simulated}: {mark.word}{because}")
    branch = f", branch {run.trigger.branch}" if run.trigger.branch else ""
    say(f"  {run.trigger.event} by {run.actor}{branch}, {local(run.started_at or run.created_at)}")
    for name, value in run.trigger.variables:
        say(f"  {name} = {value}")
    say()


def _run_row(run: Run) -> tuple[str, ...]:
    mark = run_mark(run.status)
    simulated = " (simulated)" if run.simulated else ""
    return (
        str(run.id),
        mark.glyph,
        mark.word,
        local(run.started_at or run.created_at),
        _took(run.started_at, run.completed_at),
        run.actor,
        run.pipeline + simulated,
    )


def _stage_row(stage: StageRun, *, may_fail: bool) -> tuple[str, ...]:
    mark = stage_mark(stage.status, may_fail=may_fail)
    return (
        stage.stage_name,
        mark.glyph,
        mark.word,
        local(stage.started_at),
        _took(stage.started_at, stage.completed_at),
        str(stage.attempt or ""),
        stage.reason,
    )


def _print_rollbacks(events: tuple[RollbackEvent, ...]) -> None:
    heads = ("ROLLBACK", "RUN", "", "STATUS", "WHEN", "FROM → TO", "TRIGGER", "BY", "WHY")
    print_table(heads, map(_rollback_row, events))


def _rollback_row(event: RollbackEvent) -> tuple[str, ...]:
    mark = rollback_mark(event)
    return (
        str(event.id),
        str(event.run_id),
        mark.glyph,
        mark.word,
        local(event.started_at or event.created_at),
        f"{event.failed_stage_name} → {event.rollback_to_stage}",
        event.trigger_type,
        event.actor or "-",
        "; ".join(filter(None, (event.reason, event.error_message))),
    )


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
    """A moment, or a length of time before now. Raises OrchestrateError for other text."""
    if text is None:
        return None
    from orchestrate_tui.spec import parse_duration  # noqa: PLC0415  (only when it is asked)

    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        return utc_now() - timedelta(seconds=parse_duration(text))
