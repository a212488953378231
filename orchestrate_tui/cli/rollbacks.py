"""Commands that roll back: rollback, rollback-step."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from orchestrate_tui.cli.decisions import report
from orchestrate_tui.cli.demands import definition_of, demand_of
from orchestrate_tui.cli.executors import AnyControl, executor_of, executor_there
from orchestrate_tui.cli.follow import Follower, TroubleTold, rollback_under_way
from orchestrate_tui.cli.interrupted import say_outcome
from orchestrate_tui.cli.interrupts import Interrupts, undisturbed
from orchestrate_tui.cli.places import existing_database_path
from orchestrate_tui.cli.protection import confirm_protected, confirm_word, touched_by
from orchestrate_tui.cli.records import plan_record, print_json, rollback_record
from orchestrate_tui.cli.terminal import can_ask, confirmed, say
from orchestrate_tui.console.changes import change_lines
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.protection import confirmation
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.status import RollbackStatus
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import SAY_WHY, Refused, RollbackRefused
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.demand import FORCE
from orchestrate_tui.executor.distant import DistantControl
from orchestrate_tui.store.fencing import check_carrier
from orchestrate_tui.store.history import History


def rollback(arguments: Namespace) -> int:
    """Show the plan, ask, and carry it out; 0 succeeded, 1 failed, 2 refused."""
    path = existing_database_path(arguments)
    with executor_of(path) as control:
        definition, demand = definition_of(arguments), _demand(arguments)
        plan = control.plan_rollback(arguments.run, demand, definition).result()
        if arguments.dry_run:
            return _print_plan(arguments, plan)
        history = History(path, hands_off=isinstance(control, DistantControl))
        touched = touched_by(history, arguments.run, control)
        _check_permission(arguments, plan, confirmation(touched))
        with undisturbed() as interrupts:
            accepted = replace(demand, plan_hash=plan.hash, components=plan.components)
            sure = control.confirming(touched)
            ask = partial(sure.rollback, arguments.run, accepted, definition)
            event = _carry_out(arguments, control, history, ask, interrupts)
            return _report(arguments, history, event)


def decide_step(arguments: Namespace) -> int:
    """Halt a rollback, or decide how it goes on after a step that failed."""

    def request(control: AnyControl) -> Future[str]:
        if arguments.action == "halt":
            return control.halt(arguments.rollback, arguments.reason)
        action = StepAction(arguments.action)
        return control.decide_step(arguments.rollback, action, arguments.reason, arguments.stage)

    if arguments.action == "halt" and arguments.stage:
        raise Refused("A halt ends the whole rollback", next_step="Leave --stage out")
    if not arguments.reason.strip():
        raise Refused("A decision needs a reason", next_step=SAY_WHY)
    path = existing_database_path(arguments)
    with executor_there(path) as control:
        history = History(path, hands_off=isinstance(control, DistantControl))
        run_id = history.rollback(arguments.rollback).run_id
        sure = confirm_protected(arguments, history, run_id, control)
        with undisturbed() as interrupts:
            follower = Follower(history, run_id, after=history.last_event_id(), quiet=True)
            report(arguments, request(sure).result())
            if isinstance(control, Control):
                return _see_through(arguments, control, history, follower, interrupts)
    return 0


def _see_through(
    arguments: Namespace,
    control: Control,
    history: History,
    follower: Follower,
    interrupts: Interrupts,
) -> int:
    """Wait for the end of a rollback if this process goes on with it; 1 when that has failed.

    Raises Refused when nobody goes on with it.
    """
    trouble = TroubleTold(control)

    def meanwhile() -> None:
        trouble.tell()
        if interrupts.take():
            run_id = history.rollback(arguments.rollback).run_id
            say(rollback_under_way(history, run_id), to=sys.stderr)

    with ThreadPoolExecutor(1) as threads:
        follower.until(threads.submit(control.wait), meanwhile)
    event = history.rollback(arguments.rollback)
    if event.is_left:
        raise Refused(
            "It is recorded, but nobody goes on with the rollback",
            next_step=f"Go on with: orchestrate-tui resume {event.run_id}",
        )
    if event.epoch != control.epoch or arguments.action == "halt":
        return 0
    if not arguments.json:
        say_outcome(history, event)
    return 0 if event.status is RollbackStatus.SUCCEEDED else 1


def plan_lines(plan: RollbackPlan) -> Iterator[str]:
    """The plan as an operator reads it: what is undone, in order, and what is not."""
    only = f", only {', '.join(plan.components)}" if plan.components else ""
    alone = "" if plan.cascade else ", that stage alone"
    yield f"Roll back from '{plan.failed_stage}' to '{plan.target}'{alone}{only}:"
    for difference in plan.differences:
        yield f"  ±  {difference}"
    for number, (step, heading) in enumerate(zip(plan.steps, plan.headings, strict=True), 1):
        if heading:
            yield f"  {heading}"
        yield f"  {number}. undo {step.part}: {step.doing}{_versions(step)}"
        yield from (f"       {line}" for line in change_lines(step))
    for skip in plan.told_skips:
        yield f"  -  {skip.part}: {skip.reason}"
    for warning in plan.warnings:
        yield f"  !  {warning}"


def _versions(step: PlanStep) -> str:
    if step.release is None:
        return ""
    before = step.to_version or f"release {step.release}"
    return f", {step.from_version or 'no version'} → {before}"


def _print_plan(arguments: Namespace, plan: RollbackPlan) -> int:
    if arguments.json:
        print_json(plan_record(plan))
    else:
        for line in plan_lines(plan):
            say(line)
    if plan.refusal:
        raise RollbackRefused(plan.refusal)
    if plan.newer and not arguments.force:
        raise RollbackRefused(plan.newer, next_step=FORCE)
    return 0


def _check_permission(arguments: Namespace, plan: RollbackPlan, word: str) -> None:
    """Raise Refused unless there is a reason, and somebody has said yes to the plan.

    Where it touches a protected environment that is said with `word`. Nobody is asked about a
    plan that the executor will refuse.
    """
    if not arguments.reason.strip():
        raise Refused("A rollback needs a reason", next_step=SAY_WHY)
    if plan.refusal or (plan.irreversible and not arguments.accept_irreversible):
        return
    if plan.must_be_forced and not arguments.force:
        return
    if word:
        if arguments.confirm is None and can_ask():
            _show(plan)
        confirm_word(arguments, word, f"Run {arguments.run} touches a protected environment.")
        return
    if arguments.yes:
        return
    if not can_ask():
        raise Refused(
            "Nobody can be asked for confirmation here",
            next_step="Look at the plan with --dry-run, then confirm it with --yes",
        )
    _show(plan)
    if not confirmed(f"Roll back run {arguments.run}?"):
        raise Refused("Not confirmed", next_step="Nothing was changed")


def _show(plan: RollbackPlan) -> None:
    for line in plan_lines(plan):
        say(line, to=sys.stderr)


def _carry_out(
    arguments: Namespace,
    control: AnyControl,
    history: History,
    ask: Callable[[], Future[int]],
    interrupts: Interrupts,
) -> RollbackEvent:
    """Have the plan carried out and show it; nothing that happens here stops it.

    Raises Fenced when another executor takes it from the one of this process.
    """
    after = history.last_event_id()
    rollback_id = ask().result()
    owner = history.rollback(rollback_id).epoch
    end = control.follow_rollback(rollback_id)
    trouble = TroubleTold(control)

    def meanwhile() -> None:
        trouble.tell()
        if isinstance(control, Control) and owner == control.epoch:
            _check_ours(history, rollback_id, owner)
        if interrupts.take() and (doing := rollback_under_way(history, arguments.run)):
            say(doing, to=sys.stderr)

    shows = sys.stdout.isatty() and not arguments.json
    follower = Follower(history, arguments.run, after=after, quiet=not shows)
    return follower.until(end, meanwhile)


def _check_ours(history: History, rollback_id: int, owner: int) -> None:
    """Raise Fenced when another executor has the rollback; one that let go of it is no other."""
    if history.rollback(rollback_id).epoch is not None:
        history.query(partial(check_carrier, rollback_id=rollback_id, epoch=owner))


def _demand(arguments: Namespace) -> RollbackDemand:
    """What is asked of the executor."""
    return replace(
        demand_of(arguments),
        reason=arguments.reason,
        accept_irreversible=arguments.accept_irreversible,
        force=arguments.force,
        waits=arguments.wait,
    )


def _report(arguments: Namespace, history: History, event: RollbackEvent) -> int:
    if arguments.json:
        print_json(rollback_record(history, event))
    else:
        say_outcome(history, event)
    return 0 if event.status is RollbackStatus.SUCCEEDED else 1
