"""The command line: arguments to objects to work; the only place that wires things together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from orchestrate_tui.cli.parser import parse
from orchestrate_tui.errors import OrchestrateError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error is one line on standard error."""
    arguments = parse(argv)
    module, _, function = arguments.handler.partition(":")
    handler = getattr(import_module(f"orchestrate_tui.cli.{module}"), function)
    try:
        code: int = handler(arguments)
        sys.stdout.flush()
    except OrchestrateError as error:
        print(f"orchestrate-tui: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read our output is gone; nothing is left to tell
        sys.stdout = None
        return 0
    return code
