from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.figures import FLOOR, OURS, Figure
from benchmarks.growth import Curve, Point
from benchmarks.machine import this_machine
from benchmarks.report import page
from benchmarks.results import Results

SLOW = Figure(workload="W1", title="work", subject=OURS, samples=(7.0, 8.0, 9.0), stores="all")
BARE = Figure(workload="W1", title="work", subject=FLOOR, samples=(2.0, 2.0, 2.0))
ABSENT = Figure(workload="W1", title="work", subject="DBOS", note="could not be installed")
GROWTH = Curve(
    workload="W1",
    title="growth",
    of="stages",
    points=(Point(size=1, samples=(1.0,)), Point(size=1000, samples=(1000.0,))),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Results:
    machine = this_machine(tmp_path_factory.mktemp("scratch"))
    return results.merged(Results(), "W1", "work", [BARE, SLOW, ABSENT, GROWTH], machine)


def test_the_page_names_the_machine_and_its_versions(found: Results) -> None:
    machine = found.workloads["W1"].machine
    text = page(found)
    assert machine.processor in text
    assert f"Python {machine.versions['Python']}" in text
    assert f"SQLite {machine.versions['SQLite']}" in text
    assert f", a million additions in {machine.additions_s:.3f} s." in text


def test_a_missed_target_is_said_to_be_missed(found: Results) -> None:
    assert "| W1 | at most 0.6 s | 8 s | **missed** |" in page(found)


def test_a_workload_that_was_never_measured_is_listed_as_such(found: Results) -> None:
    assert "| W2 | at most 0.1 s |  | not measured |" in page(found)


def test_a_row_has_the_median_its_ratio_to_the_floor_and_what_is_stored(found: Results) -> None:
    assert "| **orchestrate-tui** | 8 s | 7 to 9, 3 rounds | 4.00 |  | all |" in page(found)


def test_a_peer_that_could_not_be_measured_is_listed_with_the_reason(found: Results) -> None:
    assert "| DBOS | - |  |  |  | could not be installed |" in page(found)


def test_a_curve_is_told_with_its_exponent(found: Results) -> None:
    assert "| growth | 1, 1,000 stages | 1, 1,000 s | 1.00 |" in page(found)


def test_what_is_kept_is_read_as_it_was_written(found: Results, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert results.read(path) == Results()
    results.write(found, path)
    assert results.read(path) == found


def test_what_was_measured_together_is_replaced_together(found: Results) -> None:
    machine = found.workloads["W1"].machine
    faster = Figure(workload="W1", title="work", subject=OURS, samples=(0.5,))
    both = results.merged(found, "W2", "more work", [BARE, SLOW], machine)
    after = results.merged(both, "W1", "work", [faster], machine).workloads
    assert (after["W1"].figures, after["W1"].curves) == ((faster,), ())
    assert after["W2"].figures == (BARE, SLOW)
