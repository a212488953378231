"""What is in a file: its data without its holes, and the attributes that lie beside it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from hashlib import sha256

from orchestrate_tui.snapshots.blobs import AT_ONCE

Segments = tuple[tuple[int, int], ...]
"""Offset and length of each piece of data between holes."""

Attributes = tuple[tuple[bytes, bytes], ...]
"""Names and values of extended attributes; access control lists are among them."""

CAPABILITY = b"security.capability"
"""What the program in a file may do although its user may not; only root gives it."""

ACCESS_LISTS = b"system.posix_acl_"
"""How the names of access control lists begin."""

_GIVEN = (b"user.", b"trusted.", ACCESS_LISTS, CAPABILITY)
_NO_ATTRIBUTES = frozenset({errno.ENOTSUP, errno.ENOSYS})

DATABASE_MARK = b"SQLite format 3\0"
SIDECARS = (b"-wal", b"-shm", b"-journal")
"""What the names of the files end in that belong to a database."""


def segments_of(descriptor: int, found: os.stat_result) -> Segments | None:
    """Where the data of a sparse file lies; None for a file without holes. Raises OSError."""
    if not found.st_size or _is_full(descriptor, found.st_size):
        return None
    segments = tuple(_data(descriptor, found.st_size))
    return None if segments == ((0, found.st_size),) else segments


def _is_full(descriptor: int, size: int) -> bool:
    """Whether a file has no holes; its blocks do not say, attributes may take some too."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) >= size
    except OSError as error:
        if error.errno == errno.ENXIO:  # it is empty by now
            return True
        raise


def _data(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        yield start, end - start


def pieces_of(descriptor: int, segments: Segments) -> Iterator[bytes]:
    """The data, in pieces. Raises OSError."""
    for start, length in segments:
        position, end = start, start + length
        while position < end:
            piece = os.pread(descriptor, min(AT_ONCE, end - position), position)
            if not piece:
                return
            position += len(piece)
            yield piece


def hash_of(descriptor: int, found: os.stat_result) -> tuple[bytes, Segments | None]:
    """The SHA-256 of the data of a file, and where it lies. Raises OSError."""
    segments = segments_of(descriptor, found)
    hashing = sha256()
    for piece in pieces_of(descriptor, ((0, found.st_size),) if segments is None else segments):
        hashing.update(piece)
    return hashing.digest(), segments


def attributes_of(file: int | bytes) -> Attributes:
    """The extended attributes of an open file, or of a folder at a path, sorted by name.

    Raises OSError for one that is promised and cannot be read.
    """
    try:
        names = os.listxattr(file)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return ()
        raise
    found = []
    for name in sorted(map(os.fsencode, names)):
        try:
            found.append((name, os.getxattr(file, name)))
        except OSError as error:
            if is_promised(name) and error.errno != errno.ENODATA:
                raise
    return tuple(found)


def promised(attributes: Attributes) -> Attributes:
    """Those that are given back exactly, or the whole restore is refused."""
    return tuple(one for one in attributes if is_promised(one[0]))


def is_promised(name: bytes) -> bool:
    """Whether an attribute is one that its owner gave; the system itself gives the others."""
    return name.startswith(_GIVEN)


def is_sidecar(name: bytes, databases: set[bytes]) -> bool:
    """Whether a file of that name belongs to one of the databases in its folder."""
    return any(name.endswith(end) and name.removesuffix(end) in databases for end in SIDECARS)
