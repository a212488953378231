"""What commands are made of: the parser, and the arguments that many of them have."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from orchestrate_tui.errors import Senseless

_LARGEST = 2**63 - 1  # that the database can hold


class Parser(argparse.ArgumentParser):
    """Tells what makes no sense in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise Senseless."""
        raise Senseless(self.prog, message)


class Commands:
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


def whole(text: str) -> int:
    """A number from 1 that the database can hold."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST))
    if not is_number or not 0 < int(text) <= _LARGEST:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 to {_LARGEST}")
    return int(text)


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
