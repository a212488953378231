"""Commands that work on a run to its end: run, resume."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.cli.configuration import configured_people
from orchestrate_tui.cli.executors import own_executor
from orchestrate_tui.cli.follow import Follower
from orchestrate_tui.cli.interrupts import undisturbed
from orchestrate_tui.cli.loading import checked_for_run
from orchestrate_tui.cli.places import database_path, existing_database_path
from orchestrate_tui.cli.session import Session, report_detached
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.cli.waiting import awaited
from orchestrate_tui.domain.run import Settlement, TriggerContext
from orchestrate_tui.domain.status import RollbackStatus
from orchestrate_tui.errors import CannotStart, Refused
from orchestrate_tui.spec import warnings_for_run
from orchestrate_tui.store.accounts import is_anothers
from orchestrate_tui.store.history import History

if TYPE_CHECKING:
    from orchestrate_tui.cli.detached import Announce
    from orchestrate_tui.executor.control import Control
    from orchestrate_tui.executor.people import People
    from orchestrate_tui.spec.loaded import LoadedPipeline


def run(arguments: Namespace) -> int:
    """Run a pipeline to its end; 0 succeeded, 1 failed, 2 cannot start, 130 cancelled."""
    trigger = _trigger(arguments)
    path = database_path(arguments)
    if is_anothers(path):
        from orchestrate_tui.cli.others_runs import have_run  # noqa: PLC0415  (seldom)

        return have_run(arguments, path, trigger)
    people = configured_people()
    loaded = load_for_run(arguments.file, trigger, people, simulated=arguments.simulate)

    def work(announce: Announce) -> int:
        with _session(arguments, path) as (control, session):
            begun = control.begin_run(loaded, trigger, simulated=arguments.simulate)
            run_id = awaited(control, begun.run_id)
            announce(run_id)
            simulated = ", simulated" if arguments.simulate else ""
            session.tell(f"Run {run_id} of {loaded.pipeline.name} started{simulated}")
            return session.follow(run_id, begun.end)

    if arguments.detach:
        from orchestrate_tui.cli.detached import detached  # noqa: PLC0415

        log = path.with_name(f"{path.name}.detached.log")
        return detached(work, log, partial(report_detached, as_json=arguments.json))
    return work(lambda _run_id: None)


def resume(arguments: Namespace) -> int:
    """Go on with an interrupted run or rollback; exits as `run` does, 1 for a failed rollback."""
    take_over, settled = _reason_to_take_over(arguments), _settled(arguments)
    path = existing_database_path(arguments)
    if is_anothers(path):
        from orchestrate_tui.cli.others_runs import have_resumed  # noqa: PLC0415  (seldom)

        return have_resumed(arguments, path, take_over, settled)
    # what only this command needs of the two
    from orchestrate_tui.cli.interrupted import unended_rollbacks  # noqa: PLC0415
    from orchestrate_tui.cli.protection import confirm_protected  # noqa: PLC0415

    with _session(arguments, path) as (control, session):
        if take_over is not None:
            confirm_protected(arguments, session.history, arguments.run, control)
        after = session.history.last_event_id()
        left = unended_rollbacks(session.history, arguments.run)
        work = control.resume(arguments.run, take_over=take_over, settled=settled)
        Follower(session.history, arguments.run, quiet=True).tell_waits()
        code = session.follow(arguments.run, work, after=after)
        ends = [session.history.rollback(rollback_id).status for rollback_id in left]
        return code or int(RollbackStatus.FAILED in ends)


def _settled(arguments: Namespace) -> dict[str, Settlement]:
    """What became of which stage. Raises Refused unless every --stage has its --as."""
    if len(arguments.stages) != len(arguments.settlements):
        raise Refused(
            "Every --stage needs an --as, and every --as a --stage",
            next_step="Say, for example: --stage deploy --as done",
        )
    twice = [name for name in arguments.stages if arguments.stages.count(name) > 1]
    if twice:
        raise Refused(f"--stage {twice[0]} is there twice", next_step="Say once what became of it")
    words = map(Settlement, arguments.settlements)
    return dict(zip(arguments.stages, words, strict=True))


def _reason_to_take_over(arguments: Namespace) -> str | None:
    """Why the run is taken over; None when it is not. Raises Refused without a reason."""
    if not arguments.take_over:
        if arguments.reason is not None:
            raise Refused("--reason is for --take-over", next_step="Leave it out, or add that")
        return None
    if not (arguments.reason or "").strip():
        raise Refused("Taking a run over needs a reason", next_step="Say why with --reason TEXT")
    return str(arguments.reason)


def load_for_run(
    path: Path, trigger: TriggerContext, people: People, *, simulated: bool
) -> LoadedPipeline:
    """The pipeline, if a run of it can start; its warnings are told. Raises CannotStart."""
    loaded = checked_for_run(path, trigger, people, simulated=simulated)
    for warning in warnings_for_run(loaded, simulate=simulated):
        say(str(warning), to=sys.stderr)
    return loaded


def _trigger(arguments: Namespace) -> TriggerContext:
    variables = {}
    for text in arguments.var:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise CannotStart(f"--var {text} is not NAME=VALUE", next_step="Nothing was started")
        variables[name] = value
    changed = arguments.changed
    return TriggerContext(
        event=arguments.event,
        branch=arguments.branch,
        labels=tuple(arguments.label),
        changed=None if changed is None else tuple(filter(None, changed)),
        variables=tuple(variables.items()),
    )


@contextmanager
def _session(arguments: Namespace, path: Path) -> Iterator[tuple[Control, Session]]:
    with undisturbed() as interrupts, ExitStack() as stack:
        with interrupts.ending():
            control = stack.enter_context(own_executor(path, waits=arguments.wait))
        stack.enter_context(_published(path, getattr(arguments, "publish", None)))
        yield control, Session(control, History(path), interrupts, as_json=arguments.json)


def _published(path: Path, folder: Path | None) -> AbstractContextManager[None]:
    if folder is None:
        return nullcontext()
    from orchestrate_tui.cli.publishing import published  # noqa: PLC0415  (see above)

    return published(path, folder, partial(say, to=sys.stderr))
