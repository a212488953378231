"""Commands that decide about a run, whichever process works on it: approve, reject, cancel."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from orchestrate_tui.cli.configuration import configured_people, opened_database
from orchestrate_tui.cli.places import existing_database_path
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.executor.executor import PipelineExecutor

Request = Callable[[PipelineExecutor], Awaitable[str]]


def approve(arguments: Namespace) -> int:
    """Approve a waiting stage."""
    return ask(
        arguments,
        lambda executor: executor.approve(
            arguments.run, arguments.stage, comment=arguments.comment
        ),
    )


def reject(arguments: Namespace) -> int:
    """Reject a waiting stage."""
    return ask(
        arguments,
        lambda executor: executor.reject(arguments.run, arguments.stage, comment=arguments.comment),
    )


def cancel(arguments: Namespace) -> int:
    """Stop a run."""
    return ask(arguments, lambda executor: executor.cancel(arguments.run))


def ask(arguments: Namespace, request: Request) -> int:
    """Make one request and print what it did."""
    answer = anyio.run(partial(_ask, arguments, request))
    if arguments.json:
        print_json({"outcome": answer})
    else:
        say(answer)
    return 0


async def _ask(arguments: Namespace, request: Request) -> str:
    people = configured_people()
    with opened_database(existing_database_path(arguments)) as database:
        async with PipelineExecutor(database, people=people) as executor:
            return await request(executor)
