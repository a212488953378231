"""The log of a stage with twenty secrets beside one that nothing masks.

Both are filled in turn by the same program through a pipe: once copied as it is, once by the
process that masks.
"""

from __future__ import annotations

import os
import random
import string
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrate_tui.stagehost.masked_sink import MaskedSink
from orchestrate_tui.stagehost.masking import encode_forms
from orchestrate_tui.stagehost.secret_forms import forms_of

COPY = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer, 1 << 16)"

Work = Callable[[Path, Path, bytes], float]
"""Copies a text into a log in a folder, without the given forms of secrets: seconds of CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Seconds on the clock, and those of the processor that the process in between took."""

    seconds: float
    cpu_s: float


def secrets(count: int) -> list[bytes]:
    """Tokens, passwords with punctuation, and one private key."""
    choose = random.Random(3)
    tokens = [
        "".join(choose.choices(string.ascii_letters + "+/ ?%\"'", k=32)) for _ in range(count)
    ]
    key = "\n".join("".join(choose.choices(string.ascii_letters, k=64)) for _ in range(26))
    return [token.encode() for token in (*tokens[1:], f"-----BEGIN KEY-----\n{key}\n-----END-----")]


def write_text(path: Path, megabytes: int, values: list[bytes]) -> None:
    """Lines such as programs print, one in a hundred of them with a secret."""
    choose = random.Random(4)
    words = ["".join(choose.choices(string.ascii_lowercase, k=6)).encode() for _ in range(999)]
    lines = [b" ".join(choose.choices(words, k=9)) + b"\n" for _ in range(990)]
    lines += [b"token: " + value + b"\n" for value in choose.choices(values[:-1], k=10)]
    block = b"".join(choose.choices(lines, k=20_000))
    with path.open("wb") as file:
        for _ in range(megabytes * 1_000_000 // len(block) + 1):
            file.write(block)


def open_log(folder: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC
    return os.open(folder / "log", flags, 0o600)


def produce(text: Path, output: int) -> None:
    subprocess.run(["cat", text], stdout=output, check=True)


def copied(text: Path, folder: Path, forms: bytes) -> float:
    """Seconds of processor time to copy the text through a pipe."""
    del forms
    log = open_log(folder)
    reading, writing = os.pipe()
    with subprocess.Popen([sys.executable, "-ISc", COPY], stdin=reading, stdout=log) as copier:
        os.close(reading)
        produce(text, writing)
        os.close(writing)
        used = os.wait4(copier.pid, 0)[2]
        copier.returncode = 0
    os.close(log)
    return used.ru_utime + used.ru_stime


def masked(text: Path, folder: Path, forms: bytes) -> float:
    """Seconds of processor time to mask the text."""
    log = open_log(folder)
    sink = MaskedSink(log, forms)
    os.close(log)
    produce(text, sink.input)
    sink.close_input()
    used = os.wait4(sink.pid, 0)[2]
    sink.close()
    return used.ru_utime + used.ru_stime


def measured(works: Sequence[Work], megabytes: int, rounds: int, folder: Path) -> list[list[Taken]]:
    """What each of `works` took in each round, for the same text in turn."""
    values = secrets(20)
    forms = encode_forms(forms_of(values))
    text = folder / "text"
    write_text(text, megabytes, values)
    found = [[_taken(work, text, folder, forms) for work in works] for _ in range(rounds)]
    content = (folder / "log").read_bytes()
    assert not any(value in content for value in values)
    return [list(column) for column in zip(*found, strict=True)]


def _taken(work: Work, text: Path, folder: Path, forms: bytes) -> Taken:
    before = time.perf_counter()
    cpu_s = work(text, folder, forms)
    return Taken(seconds=time.perf_counter() - before, cpu_s=cpu_s)
