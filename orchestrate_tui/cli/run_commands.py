"""Commands that run a pipeline, and decide how its run goes on."""

from __future__ import annotations

from argparse import ArgumentParser

from orchestrate_tui.cli.commands import (
    Command,
    add_confirm,
    add_file,
    add_publish,
    add_run_id,
    add_wait,
)


def _run(parser: ArgumentParser) -> None:
    add_file(parser)
    parser.add_argument(
        "--var", action="append", default=[], metavar="NAME=VALUE", help="set a variable"
    )
    parser.add_argument("--branch", metavar="NAME", help="the branch that conditions ask for")
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME", help="a label that is set"
    )
    parser.add_argument(
        "--changed", action="append", metavar="PATH",
        help="a path that has changed; '' means none; without it they are unknown",
    )  # fmt: skip
    add_wait(parser)
    parser.add_argument("--event", default="manual", metavar="NAME", help="what triggered the run")
    parser.add_argument(
        "--simulate", action="store_true", help="do no work: every agent only pretends"
    )
    parser.add_argument(
        "--detach", action="store_true", help="print the run's id and leave it running on its own"
    )
    add_publish(parser)


def _resume(parser: ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument(
        "--take-over", action="store_true",
        help="even if its executor still lives, because it hangs or was stopped",
    )  # fmt: skip
    parser.add_argument("--reason", metavar="TEXT", help="why it is taken over; kept with the run")
    parser.add_argument(
        "--stage", action="append", default=[], dest="stages", metavar="STAGE",
        help="a stage that nobody knows the end of (may be repeated, each with its --as)",
    )  # fmt: skip
    parser.add_argument(
        "--as", action="append", default=[], dest="settlements",
        choices=("rerun", "done", "failed"),
        help="what to do about the --stage before it: run it again, or count it as done or failed",
    )  # fmt: skip
    add_wait(parser)
    add_confirm(parser)


def _approve(parser: ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument("stage", metavar="STAGE", help="the name of the stage")
    parser.add_argument("--comment", default="", metavar="TEXT", help="kept with the decision")


def _reject(parser: ArgumentParser) -> None:
    _approve(parser)
    add_confirm(parser)


def _cancel(parser: ArgumentParser) -> None:
    add_run_id(parser)
    add_confirm(parser)


def _acknowledge(parser: ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument("--comment", default="", metavar="TEXT", help="kept with the run")


COMMANDS = (
    Command(
        name="run",
        handler="running:run",
        summary="run a pipeline to its end",
        options=_run,
        starts_programs=True,
    ),
    Command(
        name="resume",
        handler="running:resume",
        summary="go on with a run whose executor died",
        options=_resume,
        starts_programs=True,
    ),
    Command(
        name="approve",
        handler="decisions:approve",
        summary="approve a stage that waits for it",
        options=_approve,
    ),
    Command(
        name="reject",
        handler="decisions:reject",
        summary="reject a stage that waits for an approval",
        options=_reject,
    ),
    Command(
        name="cancel",
        handler="decisions:cancel",
        summary="stop a run and what it runs",
        options=_cancel,
    ),
    Command(
        name="acknowledge",
        handler="decisions:acknowledge",
        summary="say that you have seen how a run failed or was interrupted",
        options=_acknowledge,
    ),
)
