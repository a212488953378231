"""What commands are made of: the parser, and the arguments that many of them have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from orchestrate_tui.errors import Senseless
from orchestrate_tui.values import dataclass

_LARGEST = 2**63 - 1  # that the database can hold


class Parser(argparse.ArgumentParser):
    """Tells what makes no sense in one line.

    The standard library asks for each argument how wide the terminal is, and what tells it that
    takes longer to load than all else here. Only its help needs to know.
    """

    def __init__(
        self,
        *,
        formatter_class: type[argparse.HelpFormatter] = argparse.HelpFormatter,
        **given: Any,
    ) -> None:
        super().__init__(formatter_class=partial(formatter_class, width=80), **given)
        self._form = formatter_class

    def format_help(self) -> str:
        """The help, as wide as the terminal."""
        self.formatter_class = self._form
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise Senseless."""
        raise Senseless(self.prog, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: `handler` is the function in this package that carries it out.

    `options` adds what can be said to it, beside `--db` and `--json`, which many have.
    `starts_programs` says that it has stages or undos done, unless its options say else.
    """

    name: str
    handler: str
    summary: str
    options: Callable[[argparse.ArgumentParser], None]
    has_database: bool = True
    has_json: bool = True
    starts_programs: bool = False

    @property
    def description(self) -> str:
        """The summary as a sentence."""
        return f"{self.summary[0].upper()}{self.summary[1:]}."

    def describe(self, parser: argparse.ArgumentParser) -> None:
        """Let a parser understand what can be said to this command."""
        parser.set_defaults(handler=self.handler, starts_programs=self.starts_programs, json=False)
        if self.has_database:
            parser.add_argument(
                "--db",
                type=Path,
                metavar="FILE",
                help="the database (default: $ORCHESTRATE_DB, else one in your state folder)",
            )
        if self.has_json:
            parser.add_argument("--json", action="store_true", help="print JSON")
        self.options(parser)


def whole(text: str) -> int:
    """A number from 1 that the database can hold."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST))
    if not is_number or not 0 < int(text) <= _LARGEST:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 to {_LARGEST}")
    return int(text)


def no_options(_parser: argparse.ArgumentParser) -> None:
    """Nothing can be said to a command."""


def add_run_id(parser: argparse.ArgumentParser) -> None:
    """The run that a command is about."""
    parser.add_argument("run", type=whole, metavar="RUN", help="the id of the run")


def add_confirm(parser: argparse.ArgumentParser) -> None:
    """The option that names a protected environment."""
    parser.add_argument(
        "--confirm", metavar="ENVIRONMENT",
        help="the name of the protected environment, instead of being asked for it",
    )  # fmt: skip


def add_wait(parser: argparse.ArgumentParser) -> None:
    """The option that lets a rollback wait for whoever typed the command."""
    parser.add_argument(
        "--wait", action="store_true",
        help="let a rollback wait for you when a step of it fails (see rollback-step)",
    )  # fmt: skip


def add_limit(parser: argparse.ArgumentParser) -> None:
    """How many a list shows."""
    parser.add_argument("--limit", type=whole, default=50, metavar="N", help="at most so many (50)")


def add_maybe_run_id(parser: argparse.ArgumentParser) -> None:
    """The run that a list is about, or none."""
    parser.add_argument("run", nargs="?", type=whole, metavar="RUN", help="only those of this run")
    add_limit(parser)


def add_file(parser: argparse.ArgumentParser) -> None:
    """The pipeline that a command is about."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a pipeline file, in YAML")


def add_publish(parser: argparse.ArgumentParser) -> None:
    """The option that keeps a copy up to date while a command works."""
    parser.add_argument(
        "--publish", type=Path, metavar="DIR",
        help="keep a copy up to date there for those who may only look at it",
    )  # fmt: skip
