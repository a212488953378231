"""The values a stage hands on: `key=value` lines in the file named by $ORCHESTRATE_OUTPUT."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from orchestrate_tui.domain.pipeline import Pairs
from orchestrate_tui.domain.variables import NAME
from orchestrate_tui.permissions import make_folder

MAX_OUTPUT_BYTES = 1024 * 1024
"""How large the file may be."""

_SHOWN_CHARACTERS = 60


class BadOutput(ValueError):
    """What a stage wrote cannot be read; the message names the line."""


def read_outputs(path: Path, masked: Callable[[str], str] = str) -> Pairs | None:
    """The values in `path`; None when there is no file. `masked` is what messages may show.

    Raises BadOutput.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as source:
            return parse_outputs(source.read(MAX_OUTPUT_BYTES + 1), masked)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadOutput(f"cannot read the outputs: {error.strerror}") from error


def make_private(path: Path) -> None:
    """Make the file for its owner alone, whatever umask has who writes to it. Raises OSError."""
    make_folder(path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    os.close(os.open(path, flags, 0o600))


def open_regular(path: Path) -> int:
    """Open a file, never through a link and never waiting for somebody to write into a pipe.

    Raises OSError, also for what is no regular file.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "not a regular file")
    return file


def parse_outputs(content: bytes, masked: Callable[[str], str] = str) -> Pairs:
    """The values, each key once with its last value. Blank lines mean nothing. Raises BadOutput."""
    if len(content) > MAX_OUTPUT_BYTES:
        raise BadOutput(f"the outputs are larger than {MAX_OUTPUT_BYTES} bytes")
    found: dict[str, str] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            key, value = _parse_line(line.removesuffix(b"\r"), number, masked)
            found[key] = value
    return tuple(found.items())


def _parse_line(line: bytes, number: int, masked: Callable[[str], str]) -> tuple[str, str]:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise BadOutput(f"line {number} of the outputs is not UTF-8 text") from None
    key, separator, value = text.partition("=")
    if not separator:
        raise BadOutput(f"line {number} of the outputs is not key=value: {_shown(masked(text))}")
    if not NAME.match(key) or "." in key:
        name = _shown(masked(key))
        raise BadOutput(f"line {number} of the outputs has a key that is no name: {name}")
    if "\0" in value:
        raise BadOutput(f"line {number} of the outputs contains a NUL character")
    return key, value


def _shown(text: str) -> str:
    short = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return repr(short)
