"""Commands that list what has happened."""

from __future__ import annotations

from argparse import ArgumentParser

from orchestrate_tui.cli.commands import Command, add_limit, add_maybe_run_id, add_run_id


def _runs(parser: ArgumentParser) -> None:
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument("--status", metavar="STATUS", help="only runs in this status")
    parser.add_argument(
        "--since", metavar="TIME", help="only runs since then: 2026-01-31, 2026-01-31T12:00, or 2h"
    )
    add_limit(parser)


COMMANDS = (
    Command(
        name="runs",
        handler="history:runs",
        summary="list runs, newest first",
        options=_runs,
    ),
    Command(
        name="show",
        handler="history:show",
        summary="show one run",
        options=add_run_id,
    ),
    Command(
        name="rollbacks",
        handler="history:rollbacks",
        summary="list rollbacks",
        options=add_maybe_run_id,
    ),
)
