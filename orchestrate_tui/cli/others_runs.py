"""Having the owner of another account's database run a pipeline, or go on with a run."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from orchestrate_tui.cli.follow import Follower
from orchestrate_tui.cli.interrupts import undisturbed
from orchestrate_tui.cli.session import Session, report_detached
from orchestrate_tui.domain.run import Settlement, TriggerContext
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.distant import DistantControl
from orchestrate_tui.store.accounts import owner_of
from orchestrate_tui.store.history import History


def have_run(arguments: Namespace, path: Path, trigger: TriggerContext) -> int:
    """Have the owner of the database run one of the pipelines that they offer."""
    _refuse_to_wait(arguments)
    with undisturbed() as interrupts, DistantControl(path) as control:
        started = control.start_file(arguments.file, trigger, simulated=arguments.simulate)
        run_id = started.result()
        if arguments.detach:
            report_detached(run_id, as_json=arguments.json)
            return 0
        history = History(path, hands_off=True)
        session = Session(control, history, interrupts, as_json=arguments.json)
        session.tell(f"Run {run_id} of {arguments.file} started by {owner_of(path)} for you")
        return session.follow(run_id, control.follow_run(run_id))


def have_resumed(
    arguments: Namespace, path: Path, take_over: str | None, settled: dict[str, Settlement]
) -> int:
    """Have the owner of the database go on with a run."""
    _refuse_to_wait(arguments)
    with undisturbed() as interrupts, DistantControl(path) as control:
        history = History(path, hands_off=True)
        after = history.last_event_id()
        control.resume(arguments.run, take_over=take_over, settled=settled).result()
        Follower(history, arguments.run, quiet=True).tell_waits()
        session = Session(control, history, interrupts, as_json=arguments.json)
        return session.follow(arguments.run, control.follow_run(arguments.run), after=after)


def _refuse_to_wait(arguments: Namespace) -> None:
    """Raise Refused for --wait: how another account's executor waits is for that account."""
    if arguments.wait:
        raise Refused(
            "Only the owner of the database lets its executor wait",
            next_step="Leave --wait out; where a console of theirs is open it waits",
        )
