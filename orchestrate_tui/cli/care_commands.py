"""Commands that show what was written and said, and look after the database."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from orchestrate_tui.cli.commands import Command, add_maybe_run_id, add_run_id, no_options, whole


def _logs(parser: ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument("stage", metavar="STAGE", help="the name of the stage")
    parser.add_argument(
        "--attempt", type=whole, metavar="N", help="of this attempt (default: the last one)"
    )
    parser.add_argument(
        "--rollback", type=whole, metavar="ID", help="of the stage's undo in this rollback"
    )
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto",
        help="show its colours; auto: on a terminal (NO_COLOR: never)",
    )  # fmt: skip
    parser.add_argument(
        "--raw", action="store_true", help="byte for byte as it was written; not on a terminal"
    )


def _notify(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("test",), help="send each of them a message")
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE",
        help="a pipeline, for those whom it names beside those of your configuration",
    )  # fmt: skip
    parser.add_argument("--to", metavar="VARIABLE", help="only this channel")


def _publish(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the copy is kept")
    parser.add_argument(
        "--public", action="store_true", help="for everybody, if the folder has to be made"
    )


def _backup(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the copy, usable with --db")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def _doctor(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--accept-damage", metavar="REASON",
        help="go on with a record that is damaged; who, when and why is kept in it",
    )  # fmt: skip


COMMANDS = (
    Command(
        name="logs",
        handler="logs:logs",
        summary="print what a stage wrote",
        options=_logs,
    ),
    Command(
        name="who",
        handler="who:who",
        summary="list who watches, and who works on what",
        options=no_options,
    ),
    Command(
        name="notifications",
        handler="notifying:notifications",
        summary="list who was told of what, and whether it arrived",
        options=add_maybe_run_id,
    ),
    Command(
        name="notify",
        handler="notifying:notify",
        summary="try whether those who are to be told can be reached",
        options=_notify,
        has_database=False,
    ),
    Command(
        name="publish",
        handler="publishing:publish",
        summary="copy the database and its logs for those who may only look at them",
        options=_publish,
    ),
    Command(
        name="backup",
        handler="backup:back_up",
        summary="copy the database, also while runs are under way",
        options=_backup,
    ),
    Command(
        name="doctor",
        handler="doctor:examine",
        summary="check the database and this machine",
        options=_doctor,
    ),
)
