"""What can be typed: every command, its options and its help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrate_tui.cli.commands import Commands, Parser, add_confirm, add_run_id, add_wait, whole
from orchestrate_tui.cli.release_commands import add_releases
from orchestrate_tui.cli.rollback_commands import add_rollbacks

DESCRIPTION = """\
Run deployment pipelines, watch them, and roll them back.

Without a command the console opens. `orchestrate-tui demo` shows it at work on this machine.
"""

EPILOG = """\
exit codes: 0 it went well, 1 it failed or a file has problems, 2 refused and nothing was
changed, 3 another process took the run over, 4 the disk was full and you ended it unrecorded,
130 cancelled
"""

_PIPELINE_FILES = frozenset({".yaml", ".yml"})


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of one command; `handler` says what carries it out.

    Raises Senseless for words that nothing can be made of; ends the process after `--help`.
    """
    parser, names = build_parser()
    words = _with_command_first(list(sys.argv[1:] if argv is None else argv))
    _refuse_senseless(parser, words, names)
    return parser.parse_args(words)


def build_parser() -> tuple[argparse.ArgumentParser, frozenset[str]]:
    """The whole command line, and the names of its commands."""
    parser = Parser(
        prog="orchestrate-tui",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = Commands(parser)
    _add_console(commands)
    _add_pipelines(commands)
    _add_runs(commands)
    _add_acknowledge(commands)
    add_rollbacks(commands)
    _add_history(commands)
    _add_notifications(commands)
    _add_care(commands)
    return parser, commands.names


def _with_command_first(words: list[str]) -> list[str]:
    """The words with their command in front; without one the console is meant."""
    shared = 0  # options that may stand before the command
    if words and words[0] == "--db":
        shared = 2
    elif words and words[0].startswith("--db="):
        shared = 1
    first = words[shared] if len(words) > shared else ""
    if not first or _belongs_to_console(first):
        return ["console", *words]
    return [first, *words[:shared], *words[shared + 1 :]]


def _belongs_to_console(word: str) -> bool:
    if word in {"-h", "--help", "--version"}:
        return False
    return word.startswith("-") or Path(word).suffix in _PIPELINE_FILES


def _refuse_senseless(
    parser: argparse.ArgumentParser, words: list[str], names: frozenset[str]
) -> None:
    """Raise Senseless for words that nothing can be made of."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            parser.error(f"'{word}' is not valid UTF-8")
    if words[0] not in names and not words[0].startswith("-"):
        from difflib import get_close_matches  # noqa: PLC0415  (only for mistakes)

        similar = get_close_matches(words[0], sorted(names), n=1)
        hint = f", did you mean '{similar[0]}'?" if similar else ""
        parser.error(f"there is no command '{words[0]}'{hint}")


class _Version(argparse.Action):
    """Prints the version that is installed."""

    def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> None:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  (slow)

        try:
            number = version("orchestrate-tui")
        except PackageNotFoundError:
            number = "(not installed)"
        sys.stdout.write(f"orchestrate-tui {number}\n")
        parser.exit()


class _ReadOnly(argparse.Action):
    """Opens another console; from here on not even bytecode is written."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_arguments: object
    ) -> None:
        del parser
        namespace.handler = "watching:watch"
        sys.dont_write_bytecode = True


def _add_console(commands: Commands) -> None:
    console = commands.add("console", "console:open_console", "open the console (the default)")
    console.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="pipelines to offer for a new run"
    )
    _add_publish(console)
    console.add_argument("--read-only", action=_ReadOnly, nargs=0, help="watch, and change nothing")
    demo = commands.add(
        "demo",
        "demo:demonstrate",
        "deploy a small web service on this machine, see the second release fail, and roll back",
        database=False,
    )
    demo.add_argument(
        "--db", type=Path, metavar="FILE", help="keep the record here (default: a temporary file)"
    )
    demo.add_argument(
        "--headless", action="store_true", help="print what happens instead of opening the console"
    )


def _add_pipelines(commands: Commands) -> None:
    validate = commands.add(
        "validate",
        "pipelines:validate",
        "check pipeline files; every problem is printed",
        database=False,
        json=True,
    )
    validate.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="pipeline files, in YAML"
    )
    graph = commands.add(
        "graph", "pipelines:graph", "draw the stages of a pipeline", database=False, json=True
    )
    _add_file(graph)
    commands.add(
        "schema",
        "pipelines:schema",
        "print the JSON Schema of pipeline files",
        database=False,
        json=True,
    )
    init = commands.add("init", "pipelines:init", "write a pipeline to start from", database=False)
    init.add_argument(
        "template", choices=("ci", "cd", "release", "security"), help="what the pipeline is for"
    )
    init.add_argument(
        "path", nargs="?", type=Path, default=Path("pipeline.yaml"), metavar="PATH",
        help="the file to write (default: pipeline.yaml); an existing one is left alone",
    )  # fmt: skip


def _add_runs(commands: Commands) -> None:
    run = commands.add("run", "running:run", "run a pipeline to its end", json=True)
    _add_file(run)
    run.add_argument(
        "--var", action="append", default=[], metavar="NAME=VALUE", help="set a variable"
    )
    run.add_argument("--branch", metavar="NAME", help="the branch that conditions ask for")
    run.add_argument(
        "--label", action="append", default=[], metavar="NAME", help="a label that is set"
    )
    run.add_argument(
        "--changed", action="append", metavar="PATH",
        help="a path that has changed; '' means none; without it they are unknown",
    )  # fmt: skip
    add_wait(run)
    run.add_argument("--event", default="manual", metavar="NAME", help="what triggered the run")
    run.add_argument(
        "--simulate", action="store_true", help="do no work: every agent only pretends"
    )
    run.add_argument(
        "--detach", action="store_true", help="print the run's id and leave it running on its own"
    )
    _add_publish(run)
    resume = commands.add(
        "resume", "running:resume", "go on with a run whose executor died", json=True
    )
    add_run_id(resume)
    resume.add_argument(
        "--take-over", action="store_true",
        help="even if its executor still lives, because it hangs or was stopped",
    )  # fmt: skip
    resume.add_argument("--reason", metavar="TEXT", help="why it is taken over; kept with the run")
    resume.add_argument(
        "--stage", action="append", default=[], dest="stages", metavar="STAGE",
        help="a stage that nobody knows the end of (may be repeated, each with its --as)",
    )  # fmt: skip
    resume.add_argument(
        "--as", action="append", default=[], dest="settlements",
        choices=("rerun", "done", "failed"),
        help="what to do about the --stage before it: run it again, or count it as done or failed",
    )  # fmt: skip
    add_wait(resume)
    add_confirm(resume)
    for name, summary in (
        ("approve", "approve a stage that waits for it"),
        ("reject", "reject a stage that waits for an approval"),
    ):
        decide = commands.add(name, f"decisions:{name}", summary, json=True)
        add_run_id(decide)
        decide.add_argument("stage", metavar="STAGE", help="the name of the stage")
        decide.add_argument("--comment", default="", metavar="TEXT", help="kept with the decision")
        if name == "reject":
            add_confirm(decide)
    cancel = commands.add("cancel", "decisions:cancel", "stop a run and what it runs", json=True)
    add_run_id(cancel)
    add_confirm(cancel)


def _add_acknowledge(commands: Commands) -> None:
    acknowledge = commands.add(
        "acknowledge",
        "decisions:acknowledge",
        "say that you have seen how a run failed or was interrupted",
        json=True,
    )
    add_run_id(acknowledge)
    acknowledge.add_argument("--comment", default="", metavar="TEXT", help="kept with the run")


def _add_history(commands: Commands) -> None:
    runs = commands.add("runs", "history:runs", "list runs, newest first", json=True)
    runs.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    runs.add_argument("--status", metavar="STATUS", help="only runs in this status")
    runs.add_argument(
        "--since", metavar="TIME", help="only runs since then: 2026-01-31, 2026-01-31T12:00, or 2h"
    )
    runs.add_argument("--limit", type=whole, default=50, metavar="N", help="at most so many (50)")
    show = commands.add("show", "history:show", "show one run", json=True)
    add_run_id(show)
    rollbacks = commands.add("rollbacks", "history:rollbacks", "list rollbacks", json=True)
    rollbacks.add_argument(
        "run", nargs="?", type=whole, metavar="RUN", help="only those of this run"
    )
    rollbacks.add_argument(
        "--limit", type=whole, default=50, metavar="N", help="at most so many (50)"
    )
    add_releases(commands)
    breakers = commands.add(
        "breakers", "breakers:breakers", "list what keeps new runs from an environment", json=True
    )
    breakers.add_argument("--all", action="store_true", help="also those that were reset")
    breakers.add_argument(
        "--limit", type=whole, default=50, metavar="N", help="at most so many (50)"
    )
    reset = commands.add(
        "reset", "breakers:reset", "let new runs go to the environment of a breaker again",
        json=True,
    )  # fmt: skip
    reset.add_argument("breaker", type=whole, metavar="BREAKER", help="the id of the breaker")
    reset.add_argument("--reason", required=True, metavar="TEXT", help="kept with the breaker")
    add_confirm(reset)
    logs = commands.add("logs", "logs:logs", "print what a stage wrote", json=True)
    add_run_id(logs)
    logs.add_argument("stage", metavar="STAGE", help="the name of the stage")
    logs.add_argument(
        "--attempt", type=whole, metavar="N", help="of this attempt (default: the last one)"
    )
    logs.add_argument(
        "--rollback", type=whole, metavar="ID", help="of the stage's undo in this rollback"
    )
    logs.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto",
        help="show its colours; auto: on a terminal (NO_COLOR: never)",
    )  # fmt: skip
    logs.add_argument(
        "--raw", action="store_true", help="byte for byte as it was written; not on a terminal"
    )
    commands.add("who", "who:who", "list who watches, and who works on what", json=True)


def _add_notifications(commands: Commands) -> None:
    notifications = commands.add(
        "notifications",
        "notifying:notifications",
        "list who was told of what, and whether it arrived",
        json=True,
    )
    notifications.add_argument(
        "run", nargs="?", type=whole, metavar="RUN", help="only those of this run"
    )
    notifications.add_argument(
        "--limit", type=whole, default=50, metavar="N", help="at most so many (50)"
    )
    notify = commands.add(
        "notify",
        "notifying:notify",
        "try whether those who are to be told can be reached",
        database=False,
        json=True,
    )
    notify.add_argument("action", choices=("test",), help="send each of them a message")
    notify.add_argument(
        "file", nargs="?", type=Path, metavar="FILE",
        help="a pipeline, for those whom it names beside those of your configuration",
    )  # fmt: skip
    notify.add_argument("--to", metavar="VARIABLE", help="only this channel")


def _add_care(commands: Commands) -> None:
    publish = commands.add(
        "publish",
        "publishing:publish",
        "copy the database and its logs for those who may only look at them",
        json=True,
    )
    publish.add_argument("folder", type=Path, metavar="DIR", help="where the copy is kept")
    publish.add_argument(
        "--public", action="store_true", help="for everybody, if the folder has to be made"
    )
    backup = commands.add(
        "backup", "backup:back_up", "copy the database, also while runs are under way", json=True
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="the copy, usable with --db")
    backup.add_argument("--force", action="store_true", help="replace a file that is there")
    doctor = commands.add(
        "doctor", "doctor:examine", "check the database and this machine", json=True
    )
    doctor.add_argument(
        "--accept-damage", metavar="REASON",
        help="go on with a record that is damaged; who, when and why is kept in it",
    )  # fmt: skip


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--publish", type=Path, metavar="DIR",
        help="keep a copy up to date there for those who may only look at it",
    )  # fmt: skip


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a pipeline file, in YAML")
