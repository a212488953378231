"""Commands that decide about a run, whichever process works on it: approve, reject, cancel."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import Future

from orchestrate_tui.cli.executors import AnyControl, executor_of
from orchestrate_tui.cli.places import existing_database_path
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import say

Request = Callable[[AnyControl], Future[str]]


def approve(arguments: Namespace) -> int:
    """Approve a waiting stage."""
    run, stage, comment = arguments.run, arguments.stage, arguments.comment
    return ask(arguments, lambda control: control.approve(run, stage, comment))


def reject(arguments: Namespace) -> int:
    """Reject a waiting stage."""
    run, stage, comment = arguments.run, arguments.stage, arguments.comment
    return ask(arguments, lambda control: control.reject(run, stage, comment))


def cancel(arguments: Namespace) -> int:
    """Stop a run."""
    return ask(arguments, lambda control: control.cancel(arguments.run))


def ask(arguments: Namespace, request: Request) -> int:
    """Make one request and print what it did."""
    with executor_of(existing_database_path(arguments)) as control:
        answer = request(control).result()
    if arguments.json:
        print_json({"outcome": answer})
    else:
        say(answer)
    return 0
