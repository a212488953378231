"""A command pays only for what it needs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrate_tui.executor.seldom import MODULES

ROOT = Path(__file__).parents[2]
PIPELINE = """\
name: hygiene
agents: {worker: {simulated: {}}}
stages:
  - {name: build, agent: worker, task: build it, rollback: {task: take it back}}
"""
REPORT = """\
import json, sys
{work}
sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""
EXECUTOR = """\
import time
from pathlib import Path
from orchestrate_tui.executor import seldom
from orchestrate_tui.executor.control import Control
from orchestrate_tui.store import open_database
seldom.MOMENT_S = 0
sys.modules["orchestrate_tui.executor.{gone}"] = None  # no such file any more
with open_database(Path("{gone}.db")) as database, Control(database) as control:
    while "orchestrate_tui.executor.{last}" not in sys.modules:
        time.sleep(0.01)
    assert control.active() == ()
"""
COMMAND = """\
from orchestrate_tui.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
"""
INTERFACE = {"textual", "rich"}
SELDOM = (
    *("agents.http", "agents.shell", "cli.detached", "cli.interrupted", "cli.publishing"),
    *("domain.planner", "executor.clerk", "executor.distant", "executor.errands"),
    *("executor.manual_rollbacks", "executor.planning", "executor.rehearsals"),
    *("executor.rollback", "executor.snapshots", "executor.taking_over", "store.breakers"),
    *("store.quarantines", "store.releases", "store.snapshots"),
    *("cli.records", "domain.rollback_plan"),
)
LATER = ("interpreters", "notification", "rehearsal", "rollback", "rollback_plan")
"""Of the domain, what nothing is needed of to show a run."""

HEAVY = INTERFACE | {"apprise", "httpx", "sqlite_utils"}


def loaded_by(work: str, *arguments: str, home: Path, isolated: bool = False) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded; see `all_loaded_by`."""
    loaded = all_loaded_by(work, *arguments, home=home, isolated=isolated)
    return {name.partition(".")[0] for name in loaded}


def all_loaded_by(work: str, *arguments: str, home: Path, isolated: bool = False) -> set[str]:
    """The modules that a fresh interpreter has loaded after `work`.

    An `isolated` one has not looked for installed packages.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(home)}
    for name in [name for name in environment if name.startswith(("ORCHESTRATE_", "COVERAGE_"))]:
        del environment[name]  # measuring coverage loads modules of its own
    done = subprocess.run(
        [
            sys.executable,
            *(("-S",) if isolated else ()),
            "-c",
            REPORT.format(work=work),
            *arguments,
        ],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pipeline and a database in which run 1 has succeeded."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "pipeline.yaml").write_text(PIPELINE)
    loaded = loaded_by(COMMAND, "run", "pipeline.yaml", home=folder)
    assert {"anyio", "sqlite_utils"} <= loaded
    return folder


def test_the_console_loads_its_interface(home: Path) -> None:
    assert loaded_by("import orchestrate_tui.console.app", home=home) >= INTERFACE


def test_the_first_frame_of_the_console_waits_for_no_executor_and_no_file_reader(
    home: Path,
) -> None:
    work = "import orchestrate_tui.cli.console, orchestrate_tui.console.screens.operator_screen"
    ours = {f"orchestrate_tui.domain.{name}" for name in LATER}
    assert not all_loaded_by(work, home=home) & {"_hashlib", "anyio", "yaml", *ours}


def test_the_package_alone_loads_nothing_but_the_standard_library(home: Path) -> None:
    outside = loaded_by("import orchestrate_tui", home=home) - set(sys.stdlib_module_names)
    assert outside - loaded_by("", home=home) == {"orchestrate_tui"}


def test_the_stage_host_loads_nothing_that_takes_long(home: Path) -> None:
    host = "import orchestrate_tui.stagehost.server"
    loaded = loaded_by(host, home=home, isolated=True)
    assert {"orchestrate_tui", "json"} <= loaded
    assert not loaded & {"typing", "dataclasses", "inspect", "pathlib", "asyncio", "urllib"}


def test_importing_the_command_line_loads_nothing_heavy(home: Path) -> None:
    loaded = loaded_by("import orchestrate_tui.cli", home=home)
    assert "orchestrate_tui" in loaded
    assert not loaded & (HEAVY | {"anyio", "msgspec", "yaml", "sqlite3", "asyncio"})


def test_a_command_is_understood_without_what_describes_the_others(home: Path) -> None:
    parse = "from orchestrate_tui.cli.parser import parse; parse(['run', 'pipeline.yaml'])"
    loaded = all_loaded_by(parse, home=home)
    described = {name for name in loaded if name.endswith("_commands")}
    assert described == {"orchestrate_tui.cli.run_commands"}
    assert "shutil" not in loaded  # which tells how wide a terminal is, for a help that none reads


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "--version",
        "validate pipeline.yaml",
        "graph pipeline.yaml",
        "schema",
        "runs --json",
        "show 1",
        "rollbacks",
        "logs 1 build",
        "notifications",
        "notify test",
        "doctor",
        "init ci new.yaml",
        "approve 1 build",
        "reject 1 build",
        "cancel 1",
        "resume 1",
        "rollback 1 --from build --to build --dry-run --reason why",
        "rollback-step 1 halt --reason why",
    ],
)
def test_a_command_that_does_no_work_loads_nothing_heavy(words: str, home: Path) -> None:
    assert not loaded_by(COMMAND, *words.split(), home=home) & HEAVY


@pytest.mark.parametrize(
    "words",
    [
        "run pipeline.yaml",
        "run pipeline.yaml --simulate",
        "rollback 1 --from build --to build --yes --reason why",
    ],
)
def test_work_without_the_console_loads_nothing_heavy(words: str, home: Path) -> None:
    """What makes the schema and its migrations is not needed where the database is there."""
    loaded = loaded_by(COMMAND, *words.split(), home=home)
    assert "sqlite3" in loaded
    assert not loaded & HEAVY


def test_a_run_that_goes_well_loads_nothing_that_undoes_or_answers_others(home: Path) -> None:
    loaded = all_loaded_by(COMMAND, "run", "pipeline.yaml", home=home)
    assert "orchestrate_tui.executor.session" in loaded
    assert not loaded & {f"orchestrate_tui.{name}" for name in SELDOM}
    assert not loaded & {"difflib", "multiprocessing", "platformdirs", "tempfile"}


def test_what_an_executor_loads_late_is_loaded_while_its_files_are_as_they_were(home: Path) -> None:
    load = "import orchestrate_tui.cli.running, orchestrate_tui.executor.seldom as seldom"
    loaded = all_loaded_by(f"{load}; [*map(__import__, seldom.MODULES)]", home=home)
    late = {name for name in imported_within_functions() if "snapshots" not in name.split(".")}
    assert late - loaded == {"orchestrate_tui.agents.http", "orchestrate_tui.store.foreign"}


def test_an_executor_loads_the_rest_by_itself_as_far_as_it_is_there(home: Path) -> None:
    names = [name.rpartition(".")[2] for name in MODULES]
    loaded = all_loaded_by(EXECUTOR.format(gone="unheard_of", last=names[-1]), home=home)
    assert set(MODULES) <= loaded
    all_loaded_by(EXECUTOR.format(gone=names[-1], last=names[-2]), home=home)


def imported_within_functions() -> set[str]:
    """What functions of the executor, of the agents and of what they read load of the program."""
    files = (
        file
        for part in ("executor", "agents", "store")
        for file in (ROOT / "orchestrate_tui" / part).glob("*.py")
    )
    functions = (
        node
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {
        node.module
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("orch")
    }


@pytest.mark.parametrize("layer", ["errors", "domain.rollback", "spec", "agents", "store"])
def test_a_layer_below_the_console_loads_no_interface(layer: str, home: Path) -> None:
    assert not loaded_by(f"import orchestrate_tui.{layer}", home=home) & INTERFACE


def test_the_executor_loads_no_interface(home: Path) -> None:
    loaded = loaded_by("from orchestrate_tui import PipelineExecutor", home=home)
    assert "sqlite3" in loaded
    assert not loaded & INTERFACE
