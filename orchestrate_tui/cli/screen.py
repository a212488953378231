"""What has to hold before the console is shown."""

from __future__ import annotations

import os
import sys

from orchestrate_tui.errors import Refused

_PLAIN_KINDS = frozenset({"", "dumb", "unknown"})
"""Terminals that only print lines."""


def check_screen() -> None:
    """Raise Refused where there is no terminal, or none that the console can be shown on.

    Standard error counts too: it is where Textual draws.
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise Refused(
            "The console needs a terminal",
            next_step="Without one use a command: orchestrate-tui --help lists them",
        )
    kind = os.environ.get("TERM", "")
    if kind in _PLAIN_KINDS:
        raise Refused(
            f"The console cannot be shown on a terminal of type '{kind}'",
            next_step="Set TERM to the type that it is, or use a command: "
            "orchestrate-tui --help lists them",
        )


def forget_settings_of_textual() -> None:
    """Drop the variables by which Textual imports modules and appends to files.

    To be called before Textual is imported, because that is when it reads them.
    """
    for name in [name for name in os.environ if name.startswith("TEXTUAL")]:
        del os.environ[name]
