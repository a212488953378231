"""`rehearse`: all of a rollback but its undos, to learn what is missing."""

from __future__ import annotations

from argparse import Namespace
from functools import partial

from orchestrate_tui.cli.demands import definition_of, demand_of
from orchestrate_tui.cli.executors import executor_of
from orchestrate_tui.cli.places import existing_database_path
from orchestrate_tui.cli.records import JsonObject, print_json, rehearsal_record
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.console.rehearsed import report_lines
from orchestrate_tui.domain.rehearsal import Rehearsal, RehearsalReport, RehearsedStep
from orchestrate_tui.executor.distant import DistantControl
from orchestrate_tui.store.history import History
from orchestrate_tui.store.rehearsals import read_rehearsal, read_report


def rehearse(arguments: Namespace) -> int:
    """Rehearse a rollback and tell what is missing; 0 all well, 1 something is, 2 refused."""
    path = existing_database_path(arguments)
    with executor_of(path) as control:
        definition = definition_of(arguments)
        asked = control.rehearse(arguments.run, demand_of(arguments), definition)
        rehearsal_id = asked.result()
        history = History(path, hands_off=isinstance(control, DistantControl))
        rehearsal = history.query(partial(read_rehearsal, rehearsal_id=rehearsal_id))
        report = history.query(partial(read_report, rehearsal_id=rehearsal_id))
    if arguments.json:
        print_json(_record(rehearsal, report))
    else:
        _print(rehearsal, report)
    return 0 if rehearsal.is_well else 1


def _print(rehearsal: Rehearsal, report: RehearsalReport) -> None:
    target = rehearsal.rollback_to_stage
    what = f"from '{rehearsal.failed_stage_name}' to '{target}'" if target else "of each stage"
    what += f", {report.narrowing}" if report.narrowing else ""
    say(f"Rehearsal {rehearsal.id} of a rollback of run {rehearsal.run_id} {what}:")
    for line, _ in report_lines(report):
        say(f"  {line}")
    say(f"{rehearsal.outcome[:1].upper()}{rehearsal.outcome[1:]}; nothing was undone")


def _record(rehearsal: Rehearsal, report: RehearsalReport) -> JsonObject:
    return {
        **rehearsal_record(rehearsal),
        "components": report.components,
        "cascade": report.cascade,
        "named_release": report.release,
        "definition": report.definition or None,
        "differences": report.differences,
        "steps": [_step_record(step) for step in report.steps],
        "skipped": [{"stage_name": name, "reason": reason} for name, reason in report.skipped],
        "warnings": report.warnings,
        "problems": report.all_problems,
    }


def _step_record(step: RehearsedStep) -> JsonObject:
    return {
        "stage_name": step.stage_name,
        "component": step.component,
        "agent": step.agent or None,
        "task": step.task,
        "kind": step.undo.kind,
        "command": step.undo.command,
        "workdir": step.undo.workdir or None,
        "environment": dict(step.undo.environment),
        "restores": step.restores,
        "snapshot": step.snapshot,
        "from_version": step.from_version or None,
        "to_version": step.to_version or None,
        "release": step.release,
        "check": step.check,
        "check_lines": step.check_lines,
        "problems": step.problems,
    }
