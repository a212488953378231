"""Commands that roll back, rehearse that, and decide how a rollback goes on."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from orchestrate_tui.cli.commands import Command, add_confirm, add_run_id, add_wait, whole


def _rollback(parser: ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument(
        "--from", dest="from_stage", required=True, metavar="STAGE", help="the stage that failed"
    )
    parser.add_argument(
        "--to", dest="to_stage", required=True, metavar="STAGE",
        help="the stage to undo, together with everything that came after it",
    )  # fmt: skip
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept with the rollback")
    _add_reach(parser)
    parser.add_argument("--dry-run", action="store_true", help="only print the plan")
    parser.add_argument("--retry", action="store_true", help="repeat a failed rollback")
    add_wait(parser)
    _add_consent(parser)


def _add_reach(parser: ArgumentParser) -> None:
    """What is undone, what it goes back to, and by which definition."""
    parser.add_argument(
        "-C", "--component", action="append", default=[], metavar="NAME", help="only this component"
    )
    parser.add_argument(
        "--no-cascade", dest="cascade", action="store_false",
        help="undo the stage of --to alone; what came after it stays as it is",
    )  # fmt: skip
    parser.add_argument(
        "--release", default="", metavar="RELEASE",
        help="return to this release, named by its id or version, or `golden`"
        " (default: the one before)",
    )  # fmt: skip
    parser.add_argument(
        "--definition", type=Path, metavar="FILE",
        help="undo as this pipeline says; only its rollback: and agents: are used",
    )  # fmt: skip


def _add_consent(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--accept-irreversible", action="store_true",
        help="undo what can be undone although some of it cannot",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    add_confirm(parser)
    parser.add_argument(
        "--force", action="store_true", help="override a refusal that says it can be forced"
    )


def _rehearse(parser: ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument(
        "--to", dest="to_stage", default="", metavar="STAGE",
        help="of a rollback to this stage (default: each stage that ran, by itself)",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="from_stage", default="", metavar="STAGE",
        help="the stage that failed (default: the one that is named with --to)",
    )  # fmt: skip
    _add_reach(parser)
    parser.add_argument(
        "--retry", action="store_true", help="of what a failed rollback has left to do"
    )


def _rollback_step(parser: ArgumentParser) -> None:
    parser.add_argument("rollback", type=whole, metavar="ROLLBACK", help="the id of the rollback")
    parser.add_argument(
        "action", choices=("halt", "retry", "skip", "done"),
        help="of a step that failed: try it again, go on without it, or go on because it is undone"
        " otherwise; halt ends the rollback as failed",
    )  # fmt: skip
    parser.add_argument(
        "--stage", default="", metavar="STAGE", help="which step, where more than one waits"
    )
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept with the rollback")
    add_confirm(parser)


COMMANDS = (
    Command(
        name="rollback",
        handler="rollbacks:rollback",
        summary="roll a run back",
        options=_rollback,
        starts_programs=True,
    ),
    Command(
        name="rehearse",
        handler="rehearsing:rehearse",
        summary="do all of a rollback but its undos, to learn what is missing",
        options=_rehearse,
    ),
    Command(
        name="rollback-step",
        handler="rollbacks:decide_step",
        summary="decide how a rollback goes on",
        options=_rollback_step,
    ),
)
