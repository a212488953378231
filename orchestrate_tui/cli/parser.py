"""What can be typed: every command, its options and its help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

DESCRIPTION = """\
Run deployment pipelines, watch them, and roll them back.

Without a command the console opens. `orchestrate-tui demo` shows it at work on this machine.
"""

EPILOG = """\
exit codes: 0 it went well, 1 it failed or a file has problems, 2 refused and nothing was
changed, 130 cancelled
"""

_PIPELINE_FILES = frozenset({".yaml", ".yml"})


class _Commands:
    """Adds commands to a parser; `handler` is the function in this package that carries one out."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    @property
    def names(self) -> frozenset[str]:
        """Every command."""
        return frozenset(self._subparsers.choices)

    def add(
        self, name: str, handler: str, summary: str, *, database: bool = True, json: bool = False
    ) -> argparse.ArgumentParser:
        """A new command, with the options that many have."""
        parser = self._subparsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
        )
        parser.set_defaults(handler=handler, json=False)
        if database:
            parser.add_argument(
                "--db",
                type=Path,
                metavar="FILE",
                help="the database (default: $ORCHESTRATE_DB, else one in your state folder)",
            )
        if json:
            parser.add_argument("--json", action="store_true", help="print JSON")
        return parser


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of one command; `handler` says what carries it out.

    Ends the process with 2 for arguments that make no sense, as every command line does.
    """
    parser, names = build_parser()
    words = list(sys.argv[1:] if argv is None else argv)
    return parser.parse_args(_with_command_first(words, names))


def build_parser() -> tuple[argparse.ArgumentParser, frozenset[str]]:
    """The whole command line, and the names of its commands."""
    parser = argparse.ArgumentParser(
        prog="orchestrate-tui",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = _Commands(parser)
    _add_console(commands)
    _add_pipelines(commands)
    _add_runs(commands)
    _add_rollbacks(commands)
    _add_history(commands)
    return parser, commands.names


def _with_command_first(words: list[str], names: frozenset[str]) -> list[str]:
    """The words with their command in front; without one the console is meant."""
    shared = 0  # options that may stand before the command
    if words and words[0] == "--db":
        shared = 2
    elif words and words[0].startswith("--db="):
        shared = 1
    if len(words) > shared and words[shared] in names:
        return [words[shared], *words[:shared], *words[shared + 1 :]]
    if not words or _belongs_to_console(words[0]):
        return ["console", *words]
    return words


def _belongs_to_console(word: str) -> bool:
    if word in {"-h", "--help", "--version"}:
        return False
    return word.startswith("-") or Path(word).suffix in _PIPELINE_FILES


class _Version(argparse.Action):
    """Prints the version that is installed."""

    def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415  (slow, and seldom asked)

        sys.stdout.write(f"orchestrate-tui {version('orchestrate-tui')}\n")
        parser.exit()


def _add_console(commands: _Commands) -> None:
    console = commands.add("console", "console:open_console", "open the console (the default)")
    console.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="pipelines to offer for a new run"
    )
    console.add_argument("--read-only", action="store_true", help="watch, and change nothing")
    demo = commands.add(
        "demo",
        "demo:demonstrate",
        "deploy a small web service on this machine, see the second release fail, and roll back",
    )
    demo.add_argument(
        "--headless", action="store_true", help="print what happens instead of opening the console"
    )


def _add_pipelines(commands: _Commands) -> None:
    validate = commands.add(
        "validate",
        "pipelines:validate",
        "check pipeline files; every problem is printed",
        database=False,
        json=True,
    )
    validate.add_argument("files", nargs="+", type=Path, metavar="FILE")
    graph = commands.add(
        "graph", "pipelines:graph", "draw the stages of a pipeline", database=False, json=True
    )
    graph.add_argument("file", type=Path, metavar="FILE")
    commands.add(
        "schema", "pipelines:schema", "print the JSON Schema of pipeline files", database=False
    )
    init = commands.add("init", "pipelines:init", "write a pipeline to start from", database=False)
    init.add_argument("template", choices=("ci", "cd", "release", "security"))
    init.add_argument(
        "path", nargs="?", type=Path, default=Path("pipeline.yaml"), metavar="PATH",
        help="the file to write (default: pipeline.yaml); an existing one is left alone",
    )  # fmt: skip


def _add_runs(commands: _Commands) -> None:
    run = commands.add("run", "running:run", "run a pipeline to its end", json=True)
    run.add_argument("file", type=Path, metavar="FILE")
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
    run.add_argument("--event", default="manual", metavar="NAME", help="what triggered the run")
    run.add_argument(
        "--simulate", action="store_true", help="do no work: every agent only pretends"
    )
    run.add_argument("--detach", action="store_true", help="print the run's id and go on without")
    run.add_argument("--announce", type=int, help=argparse.SUPPRESS)
    resume = commands.add(
        "resume", "running:resume", "go on with a run whose executor died", json=True
    )
    _add_run_id(resume)
    for name, summary in (
        ("approve", "approve a stage that waits for it"),
        ("reject", "reject a stage that waits for an approval"),
    ):
        decide = commands.add(name, f"decisions:{name}", summary, json=True)
        _add_run_id(decide)
        decide.add_argument("stage", metavar="STAGE")
        decide.add_argument("--comment", default="", metavar="TEXT", help="kept with the decision")
    cancel = commands.add("cancel", "decisions:cancel", "stop a run and what it runs", json=True)
    _add_run_id(cancel)


def _add_rollbacks(commands: _Commands) -> None:
    rollback = commands.add("rollback", "rollbacks:rollback", "roll a run back", json=True)
    _add_run_id(rollback)
    rollback.add_argument(
        "--from", dest="from_stage", required=True, metavar="STAGE", help="the stage that failed"
    )
    rollback.add_argument(
        "--to", dest="to_stage", required=True, metavar="STAGE",
        help="the stage to undo, together with everything that came after it",
    )  # fmt: skip
    rollback.add_argument(
        "--reason", default="", metavar="TEXT", help="why; kept with the rollback"
    )
    rollback.add_argument("--dry-run", action="store_true", help="only print the plan")
    rollback.add_argument("--retry", action="store_true", help="repeat a failed rollback")
    rollback.add_argument(
        "--accept-irreversible", action="store_true",
        help="undo what can be undone although some of it cannot",
    )  # fmt: skip
    rollback.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    rollback.add_argument(
        "--force", action="store_true", help="override refusals that say they can be"
    )
    rollback.add_argument(
        "-C", "--component", action="append", default=[], metavar="NAME", help="not yet available"
    )
    step = commands.add(
        "rollback-step", "rollbacks:decide_step", "decide how a rollback goes on", json=True
    )
    step.add_argument("rollback", type=int, metavar="ROLLBACK")
    step.add_argument("action", choices=("halt", "retry", "skip", "done"))
    step.add_argument("--reason", required=True, metavar="TEXT", help="kept with the rollback")


def _add_history(commands: _Commands) -> None:
    runs = commands.add("runs", "history:runs", "list runs, newest first", json=True)
    runs.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    runs.add_argument("--status", metavar="STATUS", help="only runs in this status")
    runs.add_argument(
        "--since", metavar="TIME", help="only runs since then: 2026-01-31, 2026-01-31T12:00, or 2h"
    )
    runs.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")
    show = commands.add("show", "history:show", "show one run", json=True)
    _add_run_id(show)
    rollbacks = commands.add("rollbacks", "history:rollbacks", "list rollbacks", json=True)
    rollbacks.add_argument("run", nargs="?", type=int, metavar="RUN", help="only those of this run")
    rollbacks.add_argument(
        "--limit", type=int, default=50, metavar="N", help="at most so many (50)"
    )
    logs = commands.add("logs", "history:logs", "print what a stage wrote", json=True)
    _add_run_id(logs)
    logs.add_argument("stage", metavar="STAGE")
    logs.add_argument(
        "--attempt", type=int, metavar="N", help="of this attempt (default: the last one)"
    )
    logs.add_argument(
        "--rollback", type=int, metavar="ID", help="of the stage's undo in this rollback"
    )
    commands.add("doctor", "doctor:examine", "check the database and this machine", json=True)


def _add_run_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=int, metavar="RUN", help="the id of the run")
