"""The command that prints what a stage wrote."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path

from orchestrate_tui.cli.marked import shows_colours
from orchestrate_tui.cli.places import database_path
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import local, say
from orchestrate_tui.console.log_text import MOST_CHANGES, TAB, LogReader, without_pictures
from orchestrate_tui.console.sgr import PLAIN, SGR, Look, changed, legible, parameters
from orchestrate_tui.domain.text import visible, visible_in_parts
from orchestrate_tui.errors import NotFound, Refused
from orchestrate_tui.store.history import History

BLOCK_BYTES = 64 * 1024

_PLAIN_LINES = re.compile(r"(?:[ -~]*\n)+\Z")
_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,48})?|\r)?\Z")
"""What may turn out, with what comes next, to be a colour or the end of a line."""

_STRAY = re.compile(rf"\x1b(?!{SGR.pattern.removeprefix(chr(92) + 'x1b')})")
_ESCAPE = visible("\x1b")
_END = "\x1b[0m"


def logs(arguments: Namespace) -> int:
    """Print what an attempt of a stage wrote, with everything but plain colours made visible."""
    if arguments.raw:
        _check_raw()
    history = History(database_path(arguments), hands_off=True)
    what, attempt = _attempt(history, arguments)
    path = _log_path(history, arguments, attempt)
    if arguments.json:
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        print_json({"attempt": attempt, "path": str(path), "text": text})
    elif path.exists():
        _print_log(path, arguments)
    else:
        pruned_at = history.run(arguments.run).pruned_at
        nothing = f"wrote what was pruned at {local(pruned_at)}" if pruned_at else "wrote nothing"
        say(f"{what} {nothing if attempt else 'did not run'}", to=sys.stderr)
    return 0


def _attempt(history: History, arguments: Namespace) -> tuple[str, int]:
    """What is asked for in words, and which attempt: 0 when there was none. Raises NotFound."""
    stages = {stage.stage_name: stage for stage in history.stages(arguments.run)}
    name = arguments.stage
    if name not in stages and not _is_undone_part(history, arguments):
        raise NotFound(
            f"Run {arguments.run} has no stage '{name}'",
            next_step=f"Its stages are: {', '.join(stages)}",
        )
    if arguments.rollback is not None:
        what, last = f"The undo of stage '{name}'", _last_undo(history, arguments)
    else:
        what, last = f"Stage '{name}' of run {arguments.run}", stages[name].attempt
    if arguments.attempt is not None and arguments.attempt > last:
        raise NotFound(
            f"{what} has no attempt {arguments.attempt}",
            next_step=f"Its last one is {last}" if last else "It did not run",
        )
    return what, arguments.attempt or last


def _is_undone_part(history: History, arguments: Namespace) -> bool:
    """Whether it is a component that the rollback undoes, such as `deploy[web]`."""
    if arguments.rollback is None:
        return False
    return any(step.part == arguments.stage for step in history.steps(arguments.rollback))


def _last_undo(history: History, arguments: Namespace) -> int:
    """The last attempt to undo the stage in the rollback."""
    event = history.rollback(arguments.rollback)
    steps = {step.part: step.attempt for step in history.steps(arguments.rollback)}
    if event.run_id != arguments.run or arguments.stage not in steps:
        raise NotFound(
            f"Rollback {arguments.rollback} has no step for stage '{arguments.stage}' "
            f"of run {arguments.run}",
            next_step=f"See them with: orchestrate-tui rollbacks {arguments.run} --json",
        )
    return steps[arguments.stage]


def _log_path(history: History, arguments: Namespace, attempt: int) -> Path:
    run_id, name = arguments.run, arguments.stage
    if arguments.rollback is None:
        return history.log_path(run_id, name, attempt)
    return history.undo_log_path(run_id, arguments.rollback, name, attempt)


def _check_raw() -> None:
    if sys.stdout.isatty():
        raise Refused(
            "A raw log could steer the terminal",
            next_step="Send it to a file or a program, or leave --raw out",
        )


def _print_log(path: Path, arguments: Namespace) -> None:
    with path.open("rb") as log:
        blocks = iter(partial(log.read, BLOCK_BYTES), b"")
        if arguments.raw:
            _print_raw(blocks)
            return
        is_terminal = sys.stdout.isatty()
        coloured = arguments.color == "always" or (arguments.color == "auto" and shows_colours())
        texts = shown_log(blocks, coloured=coloured, keeps_tabs=not is_terminal)
        if is_terminal:
            sys.stdout.writelines(texts)
        else:
            _print_raw(map(str.encode, texts))  # with the tabs, which programs count on


def _print_raw(blocks: Iterable[bytes]) -> None:
    sys.stdout.flush()
    for block in blocks:
        sys.stdout.buffer.write(block)


def shown_log(blocks: Iterable[bytes], *, coloured: bool, keeps_tabs: bool) -> Iterator[str]:
    """The text of a log, safe to show, as fast as it comes; a line may be of any length."""
    decode = getincrementaldecoder("utf-8")("backslashreplace").decode
    printer = _Printer(coloured=coloured, keeps_tabs=keeps_tabs)
    rest = ""
    for block in blocks:
        text = rest + decode(block)
        end = text.rfind("\n") + 1 or _start_of_unfinished(text)
        text, rest = text[:end], text[end:]
        yield printer.shown(text)
    yield printer.shown(rest + decode(b"", final=True))


def _start_of_unfinished(text: str) -> int:
    found = _UNFINISHED.search(text, max(len(text) - 64, 0))
    return found.start() if found else len(text)


class _Printer:
    """Turns text into what may be printed of it; colours end with their line."""

    def __init__(self, *, coloured: bool, keeps_tabs: bool) -> None:
        self._reader = LogReader(keeps_tabs=keeps_tabs)
        self._coloured = coloured
        self._spreads_tabs = not keeps_tabs
        self._is_at_start = True

    def shown(self, text: str) -> str:
        """The next part of a log."""
        if not self._coloured:
            text = SGR.sub("", text)
        if self._is_at_start and _PLAIN_LINES.match(text):
            return text
        text = text.replace("\r\n", "\n")
        if self._is_at_start and text.endswith("\n") and (shown := self._at_once(text)) is not None:
            return shown
        first, *others = text.split("\n")
        lines = [self._line(first)]
        for line in others:
            self._reader.end_line()
            lines.append(self._line(line))
        self._is_at_start = not others[-1] if others else self._is_at_start and not first
        return "\n".join(lines)

    def _line(self, text: str) -> str:
        return "".join(
            f"{_sequence(look)}{part}{_END}" if self._coloured and look is not PLAIN else part
            for part, look in self._reader.read(text)
        )

    def _at_once(self, text: str) -> str | None:
        """The same as by `_line`, for whole lines together; None if they are not that simple."""
        safe = visible_in_parts(_STRAY.sub(_ESCAPE, without_pictures(text)), "\n\t\x1b")
        if safe is None or (not self._coloured and "\x1b" in safe):
            return None
        spreads_tabs = self._spreads_tabs and "\t" in safe
        if "\x1b" not in safe:
            return safe.expandtabs(TAB) if spreads_tabs else safe
        lines = safe.split("\n")
        if any(line.count("\x1b") > MOST_CHANGES for line in lines):
            return None
        if spreads_tabs:
            return "\n".join(["".join(_spread(_parts(line))) for line in lines])
        return "\n".join(["".join(_parts(line)) if "\x1b" in line else line for line in lines])


def _parts(line: str) -> list[str]:
    """A safe line as plain text, then a sequence and a text, a sequence and a text, and so on."""
    parts = SGR.split(line)
    look = ""
    for number in range(1, len(parts), 2):
        look, sequence = _after(look, parts[number])
        parts[number] = sequence if parts[number + 1] else ""
        if parts[number]:
            parts[number + 1] += _END
    return parts


def _spread(parts: list[str]) -> Iterator[str]:
    """The same parts with spaces in the place of tabs."""
    column = 0
    for number, part in enumerate(parts):
        if number % 2:
            yield part
            continue
        before = column % TAB
        spread = (" " * before + part).expandtabs(TAB)[before:]
        column += len(spread) - len(_END) * spread.endswith(_END)
        yield spread


@lru_cache(4096)
def _after(before: str, wanted: str) -> tuple[str, str]:
    """The look after a sequence, and the sequence that is printed for it; "" is a plain look.

    Looks are the parameters that lead to them: these are quicker to look up.
    """
    look = changed(changed(PLAIN, before) if before else PLAIN, wanted)
    return ("", "") if look is PLAIN else (parameters(look), _sequence(look))


@lru_cache(1024)
def _sequence(look: Look) -> str:
    return f"\x1b[{parameters(legible(look, None))}m"
