"""What the journals of stage hosts say of the programs that these started."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from orchestrate_tui.stagehost.boot import boot_id
from orchestrate_tui.stagehost.files import JOURNAL, lives


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
    `timed_out` says that the host ended it at its time limit, `stopped` that an executor had it
    ended. `kept` are the services that it left, each with its name.
    """

    progress: Progress
    code: int | None = None
    timed_out: bool = False
    stopped: bool = False
    kept: tuple[tuple[int, str], ...] = ()


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
            kept=tuple((pid, name) for pid, name in line.get("kept", ())),
        )


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:  # cut off by a full disk
        return {}
    return line if isinstance(line, dict) else {}
