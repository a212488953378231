"""Trees of files as values: what has to be equal before and after; and trees that are odd."""

from __future__ import annotations

import os
import random
import stat
from hashlib import sha256
from pathlib import Path

Picture = dict[bytes, tuple[object, ...]]


def picture_of(root: Path) -> Picture:
    """Everything about a tree that somebody could miss: also holes, links and attributes."""
    top = os.fsencode(root)
    found: Picture = {b"": _about(top, {})}
    links: dict[int, bytes] = {}
    waiting = [b""] if stat.S_ISDIR(os.lstat(top).st_mode) else []
    while waiting:
        here = waiting.pop()
        for name in sorted(os.listdir(os.path.join(top, here))):
            path = os.path.join(here, name)
            whole = os.path.join(top, path)
            found[path] = _about(whole, links)
            if stat.S_ISDIR(os.lstat(whole).st_mode):
                waiting.append(path)
    return found


def _about(path: bytes, links: dict[int, bytes]) -> tuple[object, ...]:
    status = os.lstat(path)
    common = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns)
    first = links.setdefault(status.st_ino, path) if status.st_nlink > 1 else b""
    first = first.rpartition(b"/")[2]
    if stat.S_ISLNK(status.st_mode):
        return (*common, first, os.readlink(path))
    attributes = tuple((name, os.getxattr(path, name)) for name in sorted(os.listxattr(path)))
    if stat.S_ISDIR(status.st_mode):
        return (*common, attributes)
    with open(path, "rb") as file:
        content = sha256(file.read()).hexdigest()
        holes = _holes(file.fileno(), status.st_size)
    return (*common, attributes, first, status.st_size, content, holes)


def _holes(descriptor: int, size: int) -> tuple[tuple[int, int], ...]:
    found, end = [], 0
    while end < size:
        start = os.lseek(descriptor, end, os.SEEK_HOLE)
        if start >= size:
            break
        try:
            end = os.lseek(descriptor, start, os.SEEK_DATA)
        except OSError:
            end = size
        found.append((start, end - start))
    return tuple(found)


ODD_NAMES = (
    b"plain", b"with space", b"line\nbreak", b"tab\there", b"-rf", b"--", b"*", b"[x]", b"?",
    b"quote'\"", b"back\\slash", b".hidden", b"..almost", b"latin\xe9", b"\xff\xfe", b"$(x)",
    "größe".encode(), "雪".encode(), b"a" * 255, b"\x01\x1b[2J", b"%s", b"~", b"#", b"x-wal",
)  # fmt: skip


def odd_tree(root: Path, rng: random.Random, count: int) -> None:
    """A tree of about so many files with odd names, modes, links, holes and attributes."""
    top = os.fsencode(root)
    os.mkdir(top)
    folders, files = [top], list[bytes]()
    while len(files) < count:
        folder = rng.choice(folders)
        path = os.path.join(folder, rng.choice(ODD_NAMES) + b"%d" % rng.randrange(count))
        if len(os.path.basename(path)) > 255 or os.path.lexists(path):
            continue
        match rng.randrange(12):
            case 0 | 1 if folder.count(b"/") < 30:
                os.mkdir(path)
                folders.append(path)
                continue
            case 2:
                os.symlink(os.path.relpath(rng.choice(folders), folder), path)
            case 3:
                os.symlink(b"nothing\xff there", path)
            case 4 if files:
                os.link(rng.choice(files), path, follow_symlinks=False)
            case 5:
                _sparse(path, rng)
            case _:
                with open(path, "wb") as file:
                    file.write(rng.randbytes(rng.choice((0, 1, 40, 4096, 5000, 70_000))))
        files.append(path)
        _dress(path, rng)
    for folder in reversed(folders[1:]):
        os.chmod(folder, rng.choice((0o755, 0o700, 0o2775, 0o1777)))
        os.utime(folder, ns=(0, rng.randrange(2**60)))


def _sparse(path: bytes, rng: random.Random) -> None:
    with open(path, "wb") as file:
        for start in rng.sample(range(64), 3):
            file.seek(start * 65536)
            file.write(rng.randbytes(4096))
        file.truncate(rng.choice((64, 65, 80)) * 65536 + rng.randrange(3))


def _dress(path: bytes, rng: random.Random) -> None:
    if os.path.islink(path):
        os.utime(path, ns=(0, rng.randrange(2**60)), follow_symlinks=False)
        return
    os.chmod(path, rng.choice((0o644, 0o600, 0o755, 0o444, 0o4755, 0o000)))
    if rng.random() < 0.2:
        os.setxattr(path, "user.odd \xe9", rng.randbytes(20))
    if os.geteuid() == 0 and rng.random() < 0.2:
        os.chown(path, rng.randrange(3000), rng.randrange(3000))
    os.utime(path, ns=(0, rng.randrange(2**60)))


def disturb_tree(root: Path, rng: random.Random) -> None:
    """Change, add and remove some of everything in a tree."""
    top = os.fsencode(root)
    everything = [path for path in picture_of(root) if path]
    for path in rng.sample(everything, len(everything) // 3):
        whole = os.path.join(top, path)
        if os.path.isdir(whole) or not os.path.lexists(whole):
            continue
        if rng.random() < 0.5:
            os.unlink(whole)
        elif not os.path.islink(whole):
            with open(whole, "ab") as file:
                file.write(b"disturbed")
    for number in range(5):
        with open(os.path.join(top, b"new %d" % number), "wb") as file:
            file.write(b"new")
    os.mkdir(os.path.join(top, b"new folder"))
