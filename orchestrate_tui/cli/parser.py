"""What can be typed: every command, its options and its help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from orchestrate_tui.cli.commands import Command, Parser
from orchestrate_tui.errors import Senseless

PROGRAM = "orchestrate-tui"

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

MODULES = {
    "console_commands": ("console", "demo", "validate", "graph", "schema", "init"),
    "run_commands": ("run", "resume", "approve", "reject", "cancel", "acknowledge"),
    "rollback_commands": ("rollback", "rehearse", "rollback-step"),
    "history_commands": ("runs", "show", "rollbacks"),
    "release_commands": (
        *("releases", "pin", "unpin", "readiness", "quarantine", "lift", "prune"),
        *("breakers", "reset"),
    ),
    "care_commands": ("logs", "who", "notifications", "notify", "publish", "backup", "doctor"),
}
"""Where each command is described, in the order of the help."""

NAMES = tuple(name for names in MODULES.values() for name in names)
"""Every command."""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of one command; `handler` says what carries it out.

    Raises Senseless for words that nothing can be made of; ends the process after `--help`.
    """
    words = _with_command_first(list(sys.argv[1:] if argv is None else argv))
    _refuse_senseless(words)
    is_command = words[0] in NAMES
    return build_parser(words[:1] if is_command else NAMES).parse_args(words)


def build_parser(names: Sequence[str] = NAMES) -> argparse.ArgumentParser:
    """What understands these commands; all take ten times as long as the one that is meant."""
    parser = Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    subparsers = parser.add_subparsers(
        prog=PROGRAM, dest="command", metavar="COMMAND", required=True
    )
    for command in _described(names):
        command.describe(
            subparsers.add_parser(
                command.name,
                help=command.summary,
                description=command.description,
                allow_abbrev=False,
            )
        )
    return parser


def _described(names: Sequence[str]) -> Iterator[Command]:
    for module, described in MODULES.items():
        if not set(described).isdisjoint(names):
            commands = import_module(f"orchestrate_tui.cli.{module}").COMMANDS
            yield from (command for command in commands if command.name in names)


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


def _refuse_senseless(words: list[str]) -> None:
    """Raise Senseless for words that nothing can be made of."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise Senseless(PROGRAM, f"'{word}' is not valid UTF-8") from None
    if words[0] not in NAMES and not words[0].startswith("-"):
        from difflib import get_close_matches  # noqa: PLC0415  (only for mistakes)

        similar = get_close_matches(words[0], sorted(NAMES), n=1)
        hint = f", did you mean '{similar[0]}'?" if similar else ""
        raise Senseless(PROGRAM, f"there is no command '{words[0]}'{hint}")


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
