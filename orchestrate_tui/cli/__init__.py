"""The command line: arguments to objects to work; the only place that wires things together."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from importlib import import_module

from orchestrate_tui.cli.parser import parse
from orchestrate_tui.cli.places import database_option
from orchestrate_tui.cli.streams import discard, prepare_streams
from orchestrate_tui.collection import collect_again, load_in_peace
from orchestrate_tui.domain.text import visible
from orchestrate_tui.errors import OrchestrateError, PipelineFileError

PREFIX = "orchestrate-tui: "
_COMMAND = re.compile("orchestrate-tui [a-z]")
INTERRUPTED = 130
CANNOT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error is told on standard error."""
    prepare_streams()
    arguments = parse(argv)
    try:
        code = _carry_out(arguments)
        sys.stdout.flush()
    except PipelineFileError as error:  # its lines begin with the file and the line, for editors
        return _fail(error.lines, error.exit_code)
    except OrchestrateError as error:
        _name_database(error, arguments)
        first, *rest = error.lines
        return _fail((PREFIX + first, *rest), error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output is gone; nothing is left to tell
        discard(sys.stdout)
        return 0
    except OSError as error:  # a full disk, a file that vanished: no fault of this program
        discard(sys.stdout)
        return _fail((f"{PREFIX}{error}",), CANNOT)
    return code


def _carry_out(arguments: Namespace) -> int:
    module, _, function = arguments.handler.partition(":")
    load_in_peace()
    handler = getattr(import_module(f"orchestrate_tui.cli.{module}"), function)
    collect_again()
    code: int = handler(arguments)
    return code


def _name_database(error: OrchestrateError, arguments: Namespace) -> None:
    """Have the command that ends an error mean the database that this one meant.

    What another process refused comes as one sentence, without a next step of its own.
    """
    ending = "next_step" if error.next_step else "message"
    text = getattr(error, ending)
    if getattr(arguments, "db", None) is not None and _COMMAND.search(text):
        setattr(error, ending, text + database_option(arguments.db))


def _fail(lines: Iterable[str], code: int) -> int:
    print(*map(visible, lines), sep="\n", file=sys.stderr)
    return code
