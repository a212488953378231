"""Telling why a command did not do what it was asked: in lines, and with --json as an object."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from orchestrate_tui import errors
from orchestrate_tui.cli.streams import discard, has_printed
from orchestrate_tui.domain.text import visible
from orchestrate_tui.errors import OrchestrateError, PipelineFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrate_tui.cli.records import JsonObject

PREFIX = "orchestrate-tui: "
CANNOT = 2
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def tell(error: OrchestrateError, *, as_json: bool, prefix: str = PREFIX) -> int:
    """Print an error on standard error; the exit code it means.

    `as_json` says that it is an object on standard output too, unless a value stands there.
    """
    first, *rest = error.lines
    if not isinstance(error, PipelineFileError):  # whose lines begin with the file, for editors
        first = prefix + first
    _print((first, *rest))
    if as_json:
        _print_json(error_record(error))
    return error.exit_code


def tell_system_error(error: OSError, *, as_json: bool) -> int:
    """The same for what the system refused: a full disk, a file that vanished."""
    reason = error.strerror or str(error)
    message = f"{error.filename}: {reason}" if error.filename is not None else reason
    try:
        if as_json:
            _print_json(_record("system_error", message, "", CANNOT))
        sys.stdout.flush()
    except OSError:  # standard output is what failed
        discard(sys.stdout)
    _print((f"{PREFIX}{message}",))
    return CANNOT


def error_record(error: OrchestrateError) -> JsonObject:
    """An error as programs read it; the kind is the name of its class in `errors`."""
    known = (one for one in type(error).__mro__ if one.__module__ == errors.__name__)
    message = error.message or "The file has problems"
    record = _record(_kind(next(known)), message, error.next_step, error.exit_code)
    return record | {"problems": [problem_record(one) for one in error.problems]}


def problem_record(problem: errors.Problem) -> JsonObject:
    """One problem of a file; a line of 0 means the file as a whole."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
    }


def _record(kind: str, message: str, next_step: str, exit_code: int) -> JsonObject:
    return {
        "kind": kind,
        "message": message,
        "next_step": next_step,
        "exit_code": exit_code,
        "problems": [],
    }


def _kind(error: type) -> str:
    return _WORD.sub("_", error.__name__).lower()


def _print(lines: Iterable[str]) -> None:
    print(*map(visible, lines), sep="\n", file=sys.stderr)


def _print_json(record: JsonObject) -> None:
    from orchestrate_tui.cli.records import print_json  # noqa: PLC0415  (only for programs)

    if not has_printed():
        print_json({"error": record})
        sys.stdout.flush()
