"""What a stage host did, on disk: a start is written before it, an end as soon as it is seen.

A line that a killed host wrote survives it; after a crash of the system a missing line means
nothing, which is why the journal names the boot it was written in.
"""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from orchestrate_tui.stagehost.files import JOURNAL, boot_id, lives
from orchestrate_tui.stagehost.wire import encode


class Progress(Enum):
    """How far a program came."""

    STARTED = auto()
    ENDED = auto()
    LOST = auto()
    """Its host died before it, and another one has the folder now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a journal says of one program.

    `code` is its exit code, or minus the signal that ended it; None unless it has ended.
    `timed_out`
    says that the host ended it at its time limit, `stopped` that an executor had it ended.
    """

    progress: Progress
    code: int | None = None
    timed_out: bool = False
    stopped: bool = False


def boot_clock() -> float:
    """Seconds since the system was booted, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Journal:
    """The journal that a host writes."""

    def __init__(self, folder: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(os.path.join(folder, JOURNAL), flags, 0o600)
        self._is_cut_off = True  # by a host before this one, perhaps
        self._write({"boot": boot_id()})

    def starts(self, key: str) -> None:
        """Note that a program is about to be started. Raises OSError when that cannot be kept."""
        self._write({"starts": key})

    def did_not_start(self, key: str) -> None:
        """Note that it could not be started."""
        self._try_to_write({"refused": key})

    def ended(self, key: str, code: int, *, timed_out: bool, stopped: bool) -> None:
        """Note how it ended; on a full disk nobody but the executor knows it."""
        line = {"ended": key, "code": code, "timed_out": timed_out, "stopped": stopped}
        self._try_to_write(line)

    def _try_to_write(self, line: dict[str, Any]) -> None:
        try:
            self._write(line)
        except OSError:
            return

    def _write(self, line: dict[str, Any]) -> None:
        content = encode(line)
        if self._is_cut_off:
            content = b"\n" + content
        self._is_cut_off = os.write(self._descriptor, content) < len(content)
        if self._is_cut_off:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_journal(folder: str) -> tuple[str, dict[str, Entry]]:
    """The boot in which the journal of `folder` was written, and what it says; "" without one.

    The last line of a host that was killed while it wrote counts as not written.
    """
    boot, entries = "", dict[str, Entry]()
    try:
        with open(os.path.join(folder, JOURNAL), "rb") as source:
            *lines, _ = source.read().split(b"\n")
    except OSError:
        return boot, entries
    for text in lines:
        line = _parsed(text)
        if "boot" in line:
            boot = line["boot"]
            _lose_started(entries)
        _note(entries, line)
    return boot, entries


def running(hosts: str) -> frozenset[str]:
    """The keys of the programs that run, of all the stage hosts whose folders are in `hosts`."""
    found = set[str]()
    folders = os.scandir(hosts) if os.path.isdir(hosts) else ()
    for folder in (one.path for one in folders if one.is_dir()):
        if lives(folder):
            boot, entries = read_journal(folder)
            started = (key for key, one in entries.items() if one.progress is Progress.STARTED)
            found.update(started if boot == boot_id() else ())
    return frozenset(found)


def _lose_started(entries: dict[str, Entry]) -> None:
    """A host that begins has nothing: it does not see how what another one started ends."""
    for key, entry in entries.items():
        if entry.progress is Progress.STARTED:
            entries[key] = Entry(Progress.LOST)


def _note(entries: dict[str, Entry], line: dict[str, Any]) -> None:
    if key := line.get("starts"):
        entries[key] = Entry(Progress.STARTED)
    elif key := line.get("refused"):
        entries.pop(key, None)
    elif key := line.get("ended"):
        entries[key] = Entry(
            Progress.ENDED,
            code=line.get("code"),
            timed_out=bool(line.get("timed_out")),
            stopped=bool(line.get("stopped")),
        )


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:  # cut off by a full disk
        return {}
    return line if isinstance(line, dict) else {}
