"""Contents by their SHA-256, many in one file: a pack for each snapshot that brought new ones.

One file costs one sync, however many small contents it holds. A pack is complete when it has its
name; where each content lies in it is kept in the database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

import msgspec
import zstandard

from orchestrate_tui.snapshots.errors import Damaged
from orchestrate_tui.values import dataclass

AT_ONCE = 1 << 20
"""Bytes that are read or written in one piece; larger contents go through in pieces."""

PACK_SUFFIX = ".pack"
_DRAFT_SUFFIX = ".draft"
_LEVEL = 3
_MOST_OPEN = 64
"""Packs that a reader has open at once; a store may have more than a process may open."""


class Blob(msgspec.Struct, frozen=True):
    """Where a content lies: `length` bytes of a pack from `offset` on, `size` when unpacked."""

    sha256: bytes
    pack: str
    offset: int
    length: int
    size: int


Locate = Callable[[bytes], Blob | None]
"""Where the content of that hash lies; None when it is not kept."""


class PackWriter:
    """Keeps contents that are not kept yet in one new pack.

    `blobs` has the new ones; they are there when `finish` has returned.
    """

    def __init__(self, folder: Path, locate: Locate) -> None:
        self._folder = folder
        self._name = f"{uuid4().hex}{PACK_SUFFIX}"
        self._draft = folder / f"{self._name}{_DRAFT_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._draft, flags, 0o600), "w+b", buffering=AT_ONCE)
        self._end = 0
        self._locate = locate
        self._reader = PackReader(folder, locate)
        self._new: dict[bytes, Blob] = {}
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """The contents that this pack brought."""
        return tuple(self._new.values())

    def add(self, content: bytes) -> bytes:
        """Keep a content; returns its hash."""
        digest = sha256(content).digest()
        if not self._is_kept(digest):
            packed = self._compressor.compress(content)
            self._file.write(packed)
            self._note(digest, len(packed), len(content))
        return digest

    def add_pieces(self, pieces: Iterable[bytes]) -> bytes:
        """Keep a content that comes in pieces; returns its hash."""
        hashing, packing = sha256(), self._compressor.compressobj()
        length = size = 0
        for piece in pieces:
            hashing.update(piece)
            size += len(piece)
            length += self._file.write(packing.compress(piece))
        length += self._file.write(packing.flush())
        digest = hashing.digest()
        if self._is_kept(digest):
            self._file.seek(self._end)
        else:
            self._note(digest, length, size)
        return digest

    def finish(self) -> None:
        """Have everything on the disk; without new contents there is no pack."""
        if not self._new:
            self.discard()
            return
        self._reader.close()
        self._file.truncate(self._end)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.rename(self._folder / self._name)
        sync_folder(self._folder)

    def discard(self) -> None:
        """Keep nothing."""
        self._reader.close()
        with suppress(OSError):
            self._file.close()
        self._draft.unlink(missing_ok=True)
        self._new.clear()

    def _is_kept(self, digest: bytes) -> bool:
        """Whether a content is there, as it was: one that is damaged is kept anew."""
        if digest in self._new:
            return True
        if self._locate(digest) is None:
            return False
        try:
            self._reader.check(digest, is_read=True)
        except Damaged:
            return False
        return True

    def _note(self, digest: bytes, length: int, size: int) -> None:
        self._new[digest] = Blob(
            sha256=digest, pack=self._name, offset=self._end, length=length, size=size
        )
        self._end += length


@dataclass(slots=True)
class PackSizes:
    """Which packs are there, and how long they are."""

    folder: Path
    _known: dict[str, int] = field(default_factory=dict)

    def has(self, blob: Blob) -> bool:
        """Whether the pack is there and long enough."""
        if blob.pack not in self._known:
            try:
                self._known[blob.pack] = (self.folder / blob.pack).stat().st_size
            except OSError:
                self._known[blob.pack] = -1
        return blob.offset + blob.length <= self._known[blob.pack]


class PackReader:
    """Reads contents back, and notices when they are others; close it."""

    def __init__(self, folder: Path, locate: Locate) -> None:
        self._folder = folder
        self._locate = locate
        self._open: dict[str, int] = {}
        self._decompressor = zstandard.ZstdDecompressor()

    def close(self) -> None:
        """Close the packs."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def content(self, digest: bytes) -> bytes:
        """The whole content, for one that is not large. Raises Damaged."""
        blob = self._blob(digest)
        try:
            packed = os.pread(self._open[blob.pack], blob.length, blob.offset)
            content = self._decompressor.decompress(packed, max_output_size=max(blob.size, 1))
        except (OSError, zstandard.ZstdError) as error:
            raise _damaged(blob, error) from error
        if sha256(content).digest() != digest:
            raise _damaged(blob)
        return content

    def pieces(self, digest: bytes) -> Iterator[bytes]:
        """The content in pieces; raises Damaged, at the latest after the last one."""
        blob = self._blob(digest)
        if blob.size <= AT_ONCE:
            yield self.content(digest)
            return
        hashing = sha256()
        try:
            for piece in self._unpacked(blob):
                hashing.update(piece)
                yield piece
        except (OSError, zstandard.ZstdError) as error:
            raise _damaged(blob, error) from error
        if hashing.digest() != digest:
            raise _damaged(blob)

    def check(self, digest: bytes, *, is_read: bool) -> int:
        """Raise Damaged unless the content is there, and is what it was if it `is_read`.

        Returns its size in bytes.
        """
        blob = self._blob(digest)
        if os.fstat(self._open[blob.pack]).st_size < blob.offset + blob.length:
            raise Damaged(f"the content {digest.hex()}: {blob.pack} is cut off")
        for _ in self.pieces(digest) if is_read else ():
            pass
        return blob.size

    def _blob(self, digest: bytes) -> Blob:
        """Where the content lies, in a pack that is open. Raises Damaged."""
        blob = self._located(digest)
        if not self._is_open(blob.pack):
            blob = self._located(digest)  # a prune may have moved it since
            if not self._is_open(blob.pack):
                raise Damaged(f"the content {digest.hex()}: {blob.pack} is gone")
        return blob

    def _located(self, digest: bytes) -> Blob:
        blob = self._locate(digest)
        if blob is None:
            raise Damaged(f"the content {digest.hex()} is not kept any more")
        return blob

    def _is_open(self, pack: str) -> bool:
        """Open a pack if it is there. Raises Damaged for one that cannot be read."""
        if pack not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self.close()
            try:
                self._open[pack] = os.open(self._folder / pack, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            except OSError as error:
                raise Damaged(f"{pack}: {error}") from error
        return True

    def _unpacked(self, blob: Blob) -> Iterator[bytes]:
        descriptor = self._open[blob.pack]
        part = cast("BinaryIO", _Part(descriptor, blob.offset, blob.offset + blob.length))
        with self._decompressor.stream_reader(part, closefd=False) as unpacked:
            while piece := unpacked.read(AT_ONCE):
                yield piece


def repack(folder: Path, blobs: Iterable[Blob]) -> tuple[Blob, ...]:
    """Copy contents into one new pack; returns where they lie in it. Raises Damaged or OSError."""
    index = {blob.sha256: blob for blob in blobs}
    reader, writer = PackReader(folder, index.get), PackWriter(folder, lambda _: None)
    try:
        for digest, blob in index.items():
            if blob.size <= AT_ONCE:
                writer.add(reader.content(digest))
            else:
                writer.add_pieces(reader.pieces(digest))
        writer.finish()
    except BaseException:
        writer.discard()
        raise
    finally:
        reader.close()
    return writer.blobs


def _damaged(blob: Blob, error: Exception | None = None) -> Damaged:
    what = f": {error}" if error else " is damaged"
    return Damaged(f"the content {blob.sha256.hex()} in {blob.pack}{what}")


@dataclass(slots=True)
class _Part:
    """The bytes of a file from `position` to `end`, for who reads from a stream."""

    descriptor: int
    position: int
    end: int

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes; b"" at the end."""
        left = self.end - self.position
        piece = os.pread(self.descriptor, left if size < 0 else min(size, left), self.position)
        self.position += len(piece)
        return piece


def sync_folder(folder: Path | bytes) -> None:
    """Have the names in a folder last even if the power fails. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
