"""The wheel carries all that the program needs, and works where the repository is not."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a wheel built from this tree installs."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def orchestrate(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the installed program in a folder of its own."""
    environment = os.environ | {
        "PYTHONPATH": str(installed),
        "ORCHESTRATE_DB": str(folder / "runs.db"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    code = "import sys; from orchestrate_tui.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_carries_migrations_examples_and_styles(installed: Path) -> None:
    package = installed / "orchestrate_tui"
    assert {file.name for file in (REPOSITORY / "migrations").glob("*.sql")} == {
        file.name for file in (package / "migrations").glob("*.sql")
    }
    assert (package / "examples" / "demo" / "pipeline.yaml").is_file()
    assert list((package / "console").rglob("*.tcss"))


def test_names_the_command_and_the_licence(installed: Path) -> None:
    (information,) = installed.glob("*.dist-info")
    scripts = (information / "entry_points.txt").read_text()
    assert "orchestrate-tui = orchestrate_tui.__main__:main" in scripts
    assert (information / "licenses" / "LICENSE").is_file()


def test_runs_a_template_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    assert orchestrate(installed, tmp_path, "init", "cd").returncode == 0
    done = orchestrate(installed, tmp_path, "run", "pipeline.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "succeeded" in orchestrate(installed, tmp_path, "runs").stdout


def test_demonstrates_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    done = orchestrate(installed, tmp_path, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("over HTTP: release 1 is well") == 2
