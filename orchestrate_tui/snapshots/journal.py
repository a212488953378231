"""The record of one restore: what it is about to let into place, so that the next start can.

First it names the folders that it uses, then, once all in them is complete and on the disk, the
exchanges. Before that second record nothing was changed; after it everything will be, whoever
dies meanwhile. A lock on the file says that somebody is at work.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Self
from uuid import uuid4

import msgspec

from orchestrate_tui.snapshots.blobs import sync_folder
from orchestrate_tui.snapshots.system import exchange

_SUFFIX = ".restore"
OLD = b".old"
"""What the name ends in that something gets on its way out where two names cannot be exchanged."""

_DIGEST = 32
_HEADER = _DIGEST + 8  # the hash of a record and its length


class Move(msgspec.Struct, frozen=True, array_like=True):
    """One name to be changed at once.

    `staged` is let into `target`, and what was there takes its place; `inode` is that of what was
    staged. 0 means that nothing was, and what is at `target` goes to `staged`.
    """

    target: bytes
    staged: bytes
    inode: int = 0


class Intent(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The folders and other names that are used, and the parents of targets that had to be made."""

    folders: tuple[bytes, ...] = ()
    made: tuple[bytes, ...] = ()


class Decision(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What will happen now, in this order."""

    moves: tuple[Move, ...]


_decode = msgspec.msgpack.Decoder(Intent | Decision).decode
_encode = msgspec.msgpack.Encoder().encode


class Journal:
    """One restore; use it as a context, which ends it whatever happened."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def begin(cls, folder: Path) -> Self:
        """A new one, locked. Raises OSError."""
        path = folder / f"{uuid4().hex}{_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        journal = cls(path, os.open(path, flags, 0o600))
        fcntl.flock(journal._descriptor, fcntl.LOCK_EX)
        sync_folder(folder)
        return journal

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """One that nobody works on; None when somebody does, or has ended it. Raises OSError."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if not os.fstat(descriptor).st_nlink:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def write(self, record: Intent | Decision) -> None:
        """Add a record, which is on the disk when this returns. Raises OSError."""
        body = _encode(record)
        content = sha256(body).digest() + len(body).to_bytes(8, "big") + body
        if os.write(self._descriptor, content) != len(content):
            raise OSError("the journal could not be written")
        os.fsync(self._descriptor)

    def records(self) -> tuple[Intent | Decision, ...]:
        """What was written; a record that was not written to its end does not count."""
        content = self._path.read_bytes()
        found = []
        while len(content) >= _HEADER:
            length = int.from_bytes(content[_DIGEST:_HEADER], "big")
            body = content[_HEADER : _HEADER + length]
            if sha256(body).digest() != content[:_DIGEST]:
                break
            found.append(_decode(body))
            content = content[_HEADER + length :]
        return tuple(found)

    def finish(self) -> bool:
        """Do what was decided, or take back what was not; whether it was decided.

        May be repeated from any point. Raises OSError; then the journal stays.
        """
        records = self.records()
        decisions = [one for one in records if isinstance(one, Decision)]
        intents = [one for one in records if isinstance(one, Intent)]
        for decision in decisions:
            carry_out(decision.moves)
        for intent in intents:
            _clear(intent, trash_beside(self._path.parent), was_decided=bool(decisions))
        self._path.unlink()
        return bool(decisions)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def carry_out(moves: Iterable[Move], exchange: Callable[[bytes, bytes], bool] = exchange) -> None:
    """Make the moves that are not made yet, and have them on the disk. Raises OSError."""
    folders: dict[bytes, None] = {}
    for move in moves:
        _make(move, exchange)
        folders[os.path.dirname(move.target)] = None
        folders[os.path.dirname(move.staged)] = None
    for folder in folders:
        with suppress(FileNotFoundError):
            sync_folder(folder)


def _make(move: Move, exchange: Callable[[bytes, bytes], bool]) -> None:
    staged = _inode(move.staged)
    if not move.inode:
        if staged is None and _inode(move.target) is not None:
            os.rename(move.target, move.staged)
        return
    if staged != move.inode:  # it is in its place
        return
    if _inode(move.target) is None:
        os.rename(move.staged, move.target)
    elif not exchange(move.staged, move.target):
        os.rename(move.target, move.staged + OLD)
        os.rename(move.staged, move.target)


def _inode(path: bytes) -> int | None:
    try:
        return os.lstat(path).st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None


def trash_beside(journals: Path) -> Path:
    """Where what is not needed any more waits to be removed: that takes long, and delays nobody."""
    return journals.with_name("trash")


def empty_trash(journals: Path) -> None:
    """Remove what waits for it; what somebody else is removing too is left to him."""
    trash = os.fsencode(trash_beside(journals))
    with suppress(OSError):
        for name in os.listdir(trash):
            with suppress(OSError):
                remove_tree(os.path.join(trash, name))


def _clear(intent: Intent, trash: Path, *, was_decided: bool) -> None:
    for folder in intent.folders:
        _throw_away(folder, trash)
    if not was_decided:
        for made in reversed(intent.made):
            with suppress(OSError):
                os.rmdir(made)


def _throw_away(folder: bytes, trash: Path) -> None:
    """Move a folder to the trash; remove it where that lies on another file system."""
    trash.mkdir(mode=0o700, exist_ok=True)
    try:
        os.rename(folder, os.path.join(os.fsencode(trash), uuid4().hex.encode()))
    except FileNotFoundError:
        return
    except OSError:
        remove_tree(folder)


def remove_tree(folder: bytes) -> None:
    """Remove a folder and all in it, or a file, if it is there, also what may not be written."""
    if os.path.lexists(folder) and (os.path.islink(folder) or not os.path.isdir(folder)):
        os.unlink(folder)
        return
    if os.geteuid():
        for place, _, _ in os.walk(folder, onerror=None):
            with suppress(OSError):
                os.chmod(place, 0o700)
    with suppress(FileNotFoundError):
        shutil.rmtree(os.fsdecode(folder))


def finish_left(folder: Path) -> tuple[str, ...]:
    """Finish what dead processes left of their restores; sentences about what could not be."""
    problems = []
    try:
        names = sorted(folder.glob(f"*{_SUFFIX}"))
    except OSError:
        return ()
    for path in names:
        try:
            if (journal := Journal.take(path)) is None:
                continue
            with journal:
                journal.finish()
        except OSError as error:
            problems.append(f"what was being put back could not be finished ({path.name}): {error}")
    return tuple(problems)
