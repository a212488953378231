"""What a snapshot holds: one entry for each file, folder and link, without their contents.

Paths are bytes, as the system has them. A manifest is kept as compressed MessagePack.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from hashlib import sha256

import msgspec
import zstandard

from orchestrate_tui.snapshots.errors import Damaged

FOLDER, FILE, SYMLINK, HARD_LINK = "d", "f", "l", "h"
_LARGEST = 1 << 30  # bytes of a manifest that is not packed


class Entry(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One file, folder or link; `path` is seen from its place, b"" for the place itself.

    `link` is where a symlink points, or of a further hard link the path of the first one.
    `segments` are the offsets and lengths of a sparse file's data, None when it has no holes;
    `sha256` is of the data alone. `seen` is device, inode and ctime_ns, None when the file was
    so young that a later change might not show in them. `is_database` says that it is one of
    SQLite, beside which other files belong to it.
    """

    path: bytes
    kind: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0
    sha256: bytes = b""
    link: bytes = b""
    segments: tuple[tuple[int, int], ...] | None = None
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    seen: tuple[int, int, int] | None = None
    is_database: bool = False

    def is_seen_in(self, found: os.stat_result) -> bool:
        """Whether the file that has this status is the one that was read, unchanged since."""
        return (
            self.seen == (found.st_dev, found.st_ino, found.st_ctime_ns)
            and self.size == found.st_size
            and self.mtime_ns == found.st_mtime_ns
        )


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Something that is put back in one step; `path` is seen from the working folder.

    `entries` has folders before what is in them; () means that there was nothing.
    """

    path: bytes
    entries: tuple[Entry, ...] = ()


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """What lay at the `patterns` in a working folder, which is absolute and has no links.

    In the patterns, too, the links on the way are followed.
    `parents` are the folders on the way to the places, outermost first, each seen from the
    working folder; this one and those above have absolute paths.
    """

    workdir: bytes
    patterns: tuple[str, ...]
    places: tuple[Place, ...]
    parents: tuple[Entry, ...] = ()

    def entries(self) -> Iterator[Entry]:
        """All entries of all places."""
        for place in self.places:
            yield from place.entries

    @property
    def blobs(self) -> frozenset[bytes]:
        """The hashes of all contents that it needs."""
        return frozenset(entry.sha256 for entry in self.entries() if entry.kind == FILE)

    @property
    def size(self) -> int:
        """Bytes of all its files; holes count, further hard links do not."""
        return sum(entry.size for entry in self.entries() if entry.kind == FILE)

    def absolute(self, place: Place) -> bytes:
        """Where a place lies."""
        return os.path.join(self.workdir, place.path)


def entry_of(
    path: bytes,
    kind: str,
    found: os.stat_result,
    *,
    size: int = 0,
    sha256: bytes = b"",
    link: bytes = b"",
    segments: tuple[tuple[int, int], ...] | None = None,
    xattrs: tuple[tuple[bytes, bytes], ...] = (),
    seen: tuple[int, int, int] | None = None,
    is_database: bool = False,
) -> Entry:
    """The entry of what has this status."""
    return Entry(
        path,
        kind,
        stat.S_IMODE(found.st_mode),
        found.st_uid,
        found.st_gid,
        found.st_mtime_ns,
        size,
        sha256,
        link,
        segments,
        xattrs,
        seen,
        is_database,
    )


def kind_of(mode: int) -> str:
    """The kind of what has this mode; "" for what cannot be kept."""
    if stat.S_ISREG(mode):
        return FILE
    if stat.S_ISDIR(mode):
        return FOLDER
    return SYMLINK if stat.S_ISLNK(mode) else ""


def pack(manifest: Manifest) -> tuple[bytes, bytes]:
    """The manifest as it is kept, and the SHA-256 of that."""
    body = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(manifest))
    return body, sha256(body).digest()


def unpack(body: bytes, digest: bytes) -> Manifest:
    """The manifest that was kept. Raises Damaged when it is another."""
    if sha256(body).digest() != digest:
        raise Damaged("the manifest of the snapshot is damaged")
    plain = zstandard.ZstdDecompressor().decompress(body, max_output_size=_LARGEST)
    return msgspec.msgpack.decode(plain, type=Manifest)
