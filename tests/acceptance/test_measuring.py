"""What the benchmarks measure in a console was run there, and succeeded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store.history import History

REPOSITORY = Path(__file__).parents[2]


def test_a_graph_is_run_and_measured_in_a_real_console(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.driven", "chain", "3"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured.keys() == {"seconds", "cpu_s", "peak_memory_mb"}
    assert min(measured.values()) > 0, measured
    with closing(History(tmp_path / "bench.db")) as history:
        assert [run.status for run in history.runs()] == [RunStatus.SUCCEEDED] * 2
