"""The command line: arguments to objects to work; the only place that wires things together."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module

from orchestrate_tui.cli.parser import parse
from orchestrate_tui.cli.places import database_option
from orchestrate_tui.cli.streams import discard, prepare_streams
from orchestrate_tui.cli.telling import tell, tell_system_error
from orchestrate_tui.collection import collect_again, load_in_peace
from orchestrate_tui.errors import OrchestrateError, Senseless
from orchestrate_tui.stagehost.starting import dismiss_ahead, start_ahead

_COMMAND = re.compile("orchestrate-tui (?!--help)(--)?[a-z]")
INTERRUPTED = 130
_STARTING_NONE = ("simulate", "dry_run")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error is told on standard error."""
    prepare_streams()
    words = sys.argv[1:] if argv is None else argv
    as_json = "--json" in words
    try:
        code = _carry_out(parse(words))
        sys.stdout.flush()
    except Senseless as error:
        return tell(error, as_json=as_json, prefix=f"{error.command}: ")
    except OrchestrateError as error:
        return tell(error, as_json=as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output is gone; nothing is left to tell
        discard(sys.stdout)
        return 0
    except OSError as error:  # a full disk, a file that vanished: no fault of this program
        return tell_system_error(error, as_json=as_json)
    return code


def _carry_out(arguments: Namespace) -> int:
    module, _, function = arguments.handler.partition(":")
    if _starts_programs(arguments):
        start_ahead()
    load_in_peace()
    handler = getattr(import_module(f"orchestrate_tui.cli.{module}"), function)
    collect_again()
    try:
        code: int = handler(arguments)
    except OrchestrateError as error:
        _name_database(error, arguments)
        raise
    finally:
        dismiss_ahead()
    return code


def _starts_programs(arguments: Namespace) -> bool:
    """Whether the command waits for a stage host, which can come up while the rest is loaded."""
    is_idle = any(getattr(arguments, option, False) for option in _STARTING_NONE)
    return arguments.starts_programs and not is_idle


def _name_database(error: OrchestrateError, arguments: Namespace) -> None:
    """Have the command that ends an error mean the database that this one meant.

    What another process refused comes as one sentence, without a next step of its own.
    """
    ending = "next_step" if error.next_step else "message"
    text = getattr(error, ending)
    if getattr(arguments, "db", None) is not None and _COMMAND.search(text):
        setattr(error, ending, text + database_option(arguments.db))
