"""Files that are meant to hang, to explode or to run code: each ends soon, in plain sentences."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.torture.conftest import Amount, Figure
from tests.torture.hostile_yaml import HOSTILE, MIB, invented, voluminous

REPOSITORY = Path(__file__).parents[2]
CPU_S = 6.0
"""A fifth of it on a quick machine; what explodes takes minutes."""
CPU_S_PER_MIB = 2.0
MEMORY_MIB = 1024
LARGEST_READ = MIB

ONE_LINE = re.compile(r"[^:]+(:\d+:\d+)?: .{3,}")
"""A place and what is wrong there; the whole file has no line."""


class Verdict(NamedTuple):
    """How the reading of one file ended."""

    code: int
    cpu_s: float
    text: str

    def damage(self, allowed_cpu_s: float) -> str:
        """What is wrong with it; "" when all is as promised."""
        if self.code not in {0, 1}:
            return f"ended with {self.code}: {self.text[:200]}"
        if "Traceback" in self.text:
            return self.text[:200]
        if self.cpu_s > allowed_cpu_s:
            return f"took {self.cpu_s:.1f} s"
        lines = self.text.splitlines()
        if self.code and not lines:
            return "refused without a word"
        odd = [line for line in lines if not (ONE_LINE.fullmatch(line) and line.isprintable())]
        return f"said {odd[0][:200]!r}" if odd else ""


def verdicts(
    reader: str, files: Mapping[str, bytes], folder: Path, *, cpu_s: int
) -> dict[str, Verdict]:
    """How the reader fared with each file."""
    paths = []
    for number, content in enumerate(files.values()):
        paths.append(folder / f"{number}.yaml")
        paths[-1].write_bytes(content)
    told = subprocess.run(
        [sys.executable, "-m", "tests.torture.judge", reader, str(cpu_s), str(MEMORY_MIB)],
        cwd=REPOSITORY,
        input="".join(f"{path}\n" for path in paths),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    ended = (Verdict(**json.loads(line)) for line in told.splitlines())
    return dict(zip(files, ended, strict=True))


def damaged(ended: Mapping[str, Verdict], files: Mapping[str, bytes]) -> dict[str, str]:
    """The files with which something went wrong, and what."""
    found = {
        name: verdict.damage(CPU_S + CPU_S_PER_MIB * min(len(files[name]), LARGEST_READ) / MIB)
        for name, verdict in ended.items()
    }
    return {name: what for name, what in found.items() if what}


def slowest(ended: Mapping[str, Verdict]) -> str:
    name = max(ended, key=lambda one: ended[one].cpu_s)
    return f"{ended[name].cpu_s:.2f} s of CPU ({name})"


@pytest.mark.attack("hostile files")
@pytest.mark.parametrize("part", range(2))
def test_hostile_files_are_read_or_refused_in_plain_sentences(
    part: int, tmp_path: Path, figure: Figure
) -> None:
    names = list(HOSTILE)[part::2]
    files = {name: HOSTILE[name] for name in names}
    ended = verdicts("product", files, tmp_path, cpu_s=30)
    assert damaged(ended, files) == {}
    assert not list(REPOSITORY.glob("pwned"))
    figure("slowest", slowest(ended))


@pytest.mark.attack("hostile files")
def test_the_time_for_a_large_file_grows_with_its_size_alone(
    tmp_path: Path, figure: Figure
) -> None:
    files = voluminous(mib=1)
    ended = verdicts("product", files, tmp_path, cpu_s=60)
    assert damaged(ended, files) == {}
    figure("slowest", slowest(ended))


@pytest.mark.attack("hostile files")
def test_files_made_by_chance_are_read_or_refused_in_plain_sentences(
    rng: random.Random, amount: Amount, tmp_path: Path, figure: Figure
) -> None:
    count = amount(short=300, long=50_000)
    for first in range(0, count, 1_000):
        files = {str(first + n): invented(rng) for n in range(min(1_000, count - first))}
        ended = verdicts("product", files, tmp_path, cpu_s=30)
        wrong = damaged(ended, files)
        assert {files[name]: what for name, what in wrong.items()} == {}
    figure("files", count)


@pytest.mark.control("hostile files")
def test_hostile_files_damage_a_reader_without_limits(tmp_path: Path) -> None:
    names = ["aliases of aliases", "a thousand levels", "many '['", "an escape of nothing"]
    files = {name: HOSTILE[name] for name in names}
    ended = verdicts("pyyaml", files, tmp_path, cpu_s=2)
    assert set(damaged(ended, files)) == set(names)
