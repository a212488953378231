"""Scripts whose answer is wanted, and not their effect: what they print is read and trimmed."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from orchestrate_tui.agents.contract import Launcher, Work
from orchestrate_tui.agents.output import make_private, open_regular
from orchestrate_tui.agents.process import run_program
from orchestrate_tui.domain.variables import UnknownVariable, UnsafeValue

LONGEST_ANSWER = 64 * 1024  # bytes

_ASK = 'exec >"$0"\n'


class NoAnswer(Exception):
    """The sentence says why there is none."""


async def ask(work: Work, launcher: Launcher, script: str) -> str:
    """What a script for /bin/sh prints, trimmed; its errors go to the log of `work`.

    Raises NoAnswer when it fails, or prints what cannot be kept.
    """
    answer = work.log_path.absolute().with_suffix(".answer")
    try:
        make_private(answer)
        argv = ("/bin/sh", "-e", "-c", _ASK + script, str(answer))
        outcome = await run_program(replace(work, task=""), launcher, argv)
        if not outcome.succeeded:
            raise NoAnswer(outcome.reason)
        return _read(answer)
    except (UnknownVariable, UnsafeValue, UnicodeError) as error:
        raise NoAnswer(str(error)) from error
    except OSError as error:
        raise NoAnswer(f"its answer cannot be kept: {error.strerror}") from error
    finally:
        with suppress(OSError):  # the script may have made it a folder
            answer.unlink()


def _read(path: Path) -> str:
    with os.fdopen(open_regular(path), "rb") as file:
        content = file.read(LONGEST_ANSWER + 1)
    if len(content) > LONGEST_ANSWER:
        raise NoAnswer(f"it prints more than {LONGEST_ANSWER // 1024} KiB")
    if b"\0" in content:
        raise NoAnswer("it prints a NUL character")
    try:
        return content.decode().strip()
    except UnicodeDecodeError as error:
        raise NoAnswer("what it prints is no UTF-8 text") from error
