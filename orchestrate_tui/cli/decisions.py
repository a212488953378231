"""Commands that decide about a run, whichever process works on it: approve, reject, cancel."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path

from orchestrate_tui.cli.executors import AnyControl, executor_of, executor_there
from orchestrate_tui.cli.places import existing_database_path
from orchestrate_tui.cli.protection import confirm_protected
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.cli.waiting import awaited
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.executor.distant import DistantControl
from orchestrate_tui.store.history import History

NO_ANSWER_YET = "There is no answer yet, it is waited for"

Request = Callable[[AnyControl], Future[str]]
Check = Callable[[AnyControl, History], AnyControl]
"""Says with which control a request is made. Raises Refused when it may not be."""

Reword = Callable[[Namespace, History, str], str]
"""Says what was done as it stands once it is printed."""

Executor = Callable[[Path], AbstractContextManager[AnyControl]]
"""Opens whoever is asked."""


def approve(arguments: Namespace) -> int:
    """Approve a waiting stage."""
    run, stage, comment = arguments.run, arguments.stage, arguments.comment
    return decide(arguments, lambda control: control.approve(run, stage, comment))


def reject(arguments: Namespace) -> int:
    """Reject a waiting stage."""
    run, stage, comment = arguments.run, arguments.stage, arguments.comment
    return decide(
        arguments,
        lambda control: control.reject(run, stage, comment),
        lambda control, history: confirm_protected(arguments, history, run, control),
    )


def cancel(arguments: Namespace) -> int:
    """Stop a run."""
    return decide(
        arguments,
        lambda control: control.cancel(arguments.run),
        lambda control, history: confirm_protected(arguments, history, arguments.run, control),
        _cancelled_by_now,
    )


def _cancelled_by_now(arguments: Namespace, history: History, answer: str) -> str:
    """The answer, unless the run has ended since: then that."""
    is_cancelled = history.run(arguments.run).status is RunStatus.CANCELLED
    return f"Run {arguments.run} is cancelled" if is_cancelled else answer


def acknowledge(arguments: Namespace) -> int:
    """Say that somebody has seen how a run went wrong."""
    run, comment = arguments.run, arguments.comment
    return ask(arguments, lambda control: control.acknowledge(run, comment))


def decide(
    arguments: Namespace,
    request: Request,
    check: Check = lambda control, _history: control,
    reword: Reword = lambda _arguments, _history, answer: answer,
) -> int:
    """As `ask`; on a full disk the executor that works on the run is asked without a record."""
    return ask(arguments, request, check, executor_there, reword)


def ask(
    arguments: Namespace,
    request: Request,
    check: Check = lambda control, _history: control,
    executor: Executor = executor_of,
    reword: Reword = lambda _arguments, _history, answer: answer,
) -> int:
    """Make one request, with the control that `check` returns, and print what it did."""
    path = existing_database_path(arguments)
    with executor(path) as control:
        history = History(path, hands_off=isinstance(control, DistantControl))
        sure = check(control, history)
        answer = awaited(sure, request(sure), unanswered=NO_ANSWER_YET)
        report(arguments, reword(arguments, history, answer))
    return 0


def report(arguments: Namespace, answer: str) -> None:
    """Print what a request did."""
    if arguments.json:
        print_json({"outcome": answer})
    else:
        say(answer)
