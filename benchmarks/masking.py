"""The log of a stage with twenty secrets beside one that nothing masks.

Both are filled in turn by the same program through a pipe: once copied as it is, once by the
process that masks. The figures are medians; the ratio says more than the speed, because both sides
share the machine. `cpu` is what the masking process itself took.

    python benchmarks/masking.py [--rounds N] [--megabytes N]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from orchestrate_tui.agents.secret_forms import forms_of
from orchestrate_tui.stagehost.masked_sink import MaskedSink
from orchestrate_tui.stagehost.masking import encode_forms

COPY = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer, 1 << 16)"


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


def timed(
    work: Callable[[Path, Path, bytes], float], text: Path, folder: Path, forms: bytes
) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    before = time.perf_counter()
    cpu_s = work(text, folder, forms)
    return time.perf_counter() - before, cpu_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100)
    arguments = parser.parse_args()
    values = secrets(20)
    forms = forms_of(values)
    with tempfile.TemporaryDirectory() as name:
        text = Path(name, "text")
        write_text(text, arguments.megabytes, values)
        size = text.stat().st_size / 1e6
        rounds = [
            [timed(work, text, Path(name), encode_forms(forms)) for work in (copied, masked)]
            for _ in range(arguments.rounds)
        ]
        content = Path(name, "log").read_bytes()
    assert not any(value in content for value in values)
    print(f"{size:.0f} MB, {len(values)} secrets, {len(forms)} forms, {arguments.rounds} rounds")
    for place, title in enumerate(("copied", "masked")):
        clock = statistics.median(size / one[place][0] for one in rounds)
        cpu = statistics.median(size / one[place][1] for one in rounds)
        print(f"{title}: {clock:6.0f} MB/s   cpu {cpu:6.0f} MB/s")
    ratio = statistics.median(one[1][0] / one[0][0] for one in rounds)
    print(f"masked takes {ratio:.1f} times as long as copied")


if __name__ == "__main__":
    main()
