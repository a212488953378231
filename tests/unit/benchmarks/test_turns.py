from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.shapes import chain, fan_out, layers, shape
from benchmarks.turns import Subject, measured_in_turn

WORKS = "from benchmarks.subject import timed; timed(lambda: print('at work'))"
FAILS = "import sys; sys.exit('no such engine')"


def subject(name: str, program: str) -> Subject:
    return Subject(name=name, command=(sys.executable, "-c", program), note="noted")


def test_each_round_is_a_process_that_tells_its_time_and_memory(tmp_path: Path) -> None:
    (found,) = measured_in_turn("W", "work", [subject("one", WORKS)], 2, tmp_path)
    assert len(found.samples) == len(found.cpu_s) == 2
    assert found.peak_memory_mb is not None
    assert 1 < found.peak_memory_mb < 200
    assert found.note == "noted"


def test_a_subject_that_fails_has_no_samples_and_says_why(tmp_path: Path) -> None:
    subjects = [subject("bad", FAILS), subject("good", WORKS)]
    bad, good = measured_in_turn("W", "work", subjects, 1, tmp_path)
    assert (bad.samples, bad.note) == ((), "noted; failed: no such engine")
    assert len(good.samples) == 1


@pytest.mark.parametrize(
    ("words", "stages", "edges", "waves"),
    [("chain 5", 5, 4, 5), ("fan_out 5", 7, 10, 3), ("processes 5 2", 5, 0, 1)],
)
def test_a_graph_is_named_by_its_shape_and_sizes(
    words: str, stages: int, edges: int, waves: int
) -> None:
    found = shape(words.split())
    assert (len(found.dependencies), found.edges, len(found.waves)) == (stages, edges, waves)


def test_a_layered_graph_is_the_same_every_time() -> None:
    assert layers(4, 10) == layers(4, 10)
    assert [len(wave) for wave in layers(4, 10).waves] == [10] * 4


def test_stages_come_after_those_they_wait_for() -> None:
    for one in (chain(9), fan_out(9), layers(5, 9)):
        seen: set[str] = set()
        for name, parents in one.dependencies.items():
            assert seen.issuperset(parents)
            seen.add(name)
