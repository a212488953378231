"""The standard streams: there from the start, never the reason why work ends, and harmless."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from orchestrate_tui.domain.text import visible, visible_in_parts

_COLOUR = r"0|[1-4]|7|[349][0-7]|10[0-7]|[34]8;5;[0-9]{1,3}|[34]8;2(?:;[0-9]{1,3}){3}"
_SEQUENCE = rf"\[(?:{_COLOUR})(?:;(?:{_COLOUR}))*m"
_KEPT = rf"(\n|\x1b{_SEQUENCE})"
_STRAY = rf"\x1b(?!{_SEQUENCE})"
_NOTHING_ODD = re.compile(r"[ -~\n]*\Z")

_NAMES = {"<stdout>": "standard output", "<stderr>": "standard error"}


def prepare_streams() -> None:
    """Give the process the streams it was started without, and let each print any character.

    A file opened later could otherwise get the number of a standard stream, and its output.
    What is printed from here on, tracebacks too, passes `guarded`.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if name == "stdin" else "backslashreplace")
    sys.stdout, sys.stderr = _Guarded.over(sys.stdout), _Guarded.over(sys.stderr)


def guarded(text: str) -> str:
    """`text` with everything made visible but line ends and plain colours.

    Commands show outside text by `visible`; this holds where one forgot to.
    """
    if _NOTHING_ODD.match(text):
        return text
    quickly = visible_in_parts(re.sub(_STRAY, visible("\x1b"), text), "\n\x1b")
    if quickly is not None:
        return quickly
    parts = re.split(_KEPT, text)
    parts[::2] = map(visible, parts[::2])
    return "".join(parts)


def has_printed() -> bool:
    """Whether this process has printed anything on standard output since it was prepared."""
    return isinstance(sys.stdout, _Guarded) and sys.stdout.is_used


def discard(stream: TextIO) -> None:
    """Let what is still printed there go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Let work go on when whoever read its output, or the terminal, is gone."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _Lasting(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout, sys.stderr = before


class _Over:
    """A text stream over another one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Guarded(_Over):
    """A text stream that lets nothing steer the terminal; its `buffer` takes bytes as they are.

    An error of the system names the stream.
    """

    @classmethod
    def over(cls, stream: TextIO) -> TextIO:
        """The stream with a guard; one is enough."""
        guard = stream if isinstance(stream, cls) else cls(stream)
        guard.is_used = False
        return cast("TextIO", guard)

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.is_used = False

    def write(self, text: str) -> int:
        """Write what is harmless of `text`, and the rest as signs."""
        self.is_used = True
        with self._named():
            self._stream.write(guarded(text))
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        with self._named():
            self._stream.flush()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = _NAMES.get(self._stream.name)
            raise

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts one after the other."""
        for line in lines:
            self.write(line)


class _Lasting(_Over):
    """A text stream whose output may get lost."""

    def write(self, text: str) -> int:
        """Write `text`, if anybody reads it."""
        try:
            return self._stream.write(text)
        except OSError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        """Hand on what was written, if anybody reads it."""
        try:
            self._stream.flush()
        except OSError:
            discard(self._stream)
