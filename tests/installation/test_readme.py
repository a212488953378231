"""What the README shows is true: every command it names is run, and its pipeline is valid."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from textual.binding import Binding

from orchestrate_tui.cli.parser import NAMES
from orchestrate_tui.spec import parse_pipeline
from orchestrate_tui.spec.config import load_user_config

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")
SHOWN = re.findall(r"^    (\S.*)$", README, re.MULTILINE)
NEEDS_A_TERMINAL = {"orchestrate-tui"}


def shown(program: str) -> list[str]:
    """The commands of that program which the README shows."""
    found = [line for line in SHOWN if line.split()[0] == program]
    assert found
    return found


def test_shows_how_to_install_and_run_within_thirty_lines() -> None:
    head = README.splitlines()[:30]
    assert "    make demo" in head
    assert "    pip install ." in head


def test_its_commands_work_in_the_order_they_are_shown(tmp_path: Path) -> None:
    for line in shown("orchestrate-tui"):
        if line in NEEDS_A_TERMINAL or " RUN " in line:
            continue
        done = subprocess.run(
            [sys.executable, "-m", *line.replace("orchestrate-tui", "orchestrate_tui", 1).split()],
            cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "ORCHESTRATE_DB": str(tmp_path / "r.db"),
                               "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stderr)


@pytest.mark.parametrize("target", sorted({line.split()[1] for line in SHOWN if "make " in line}))
def test_its_make_targets_exist(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=REPOSITORY, capture_output=True, check=False)
    assert done.returncode == 0


def test_every_command_it_names_exists() -> None:
    section = README.partition("## Other commands")[2].partition("## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    named = {words.split()[0] for words in re.findall(r"`([a-z][^`]*)`", table)}
    assert {"runs", "doctor"} <= named <= {*NAMES, "--json"}


def test_its_pipeline_is_valid() -> None:
    (pipeline,) = [
        text for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "stages:" in text
    ]
    assert not parse_pipeline(pipeline).warnings


def test_its_configuration_is_valid(tmp_path: Path) -> None:
    texts = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    configurations = [text for text in texts if text.startswith(("roles:", "share_group:"))]
    assert len(configurations) == 2
    for text in configurations:
        (tmp_path / "config.yaml").write_text(text)
        load_user_config(tmp_path / "config.yaml")


def test_its_table_of_keys_names_the_keys_of_the_console() -> None:
    from orchestrate_tui.console.app import OrchestrateApp  # noqa: PLC0415  (brings Textual)
    from orchestrate_tui.console.screens.main_screen import MainScreen  # noqa: PLC0415
    from orchestrate_tui.console.screens.operator_releases import OperatorReleases  # noqa: PLC0415
    from orchestrate_tui.console.screens.operator_screen import OperatorScreen  # noqa: PLC0415

    table = README.partition("| key |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(.)`", table))
    screens = (OrchestrateApp, MainScreen, OperatorScreen, OperatorReleases)
    bindings = [binding for screen in screens for binding in screen.BINDINGS]
    spelt = {"slash": "/", "question_mark": "?", "colon": ":"}
    keys = {key for one in bindings if isinstance(one, Binding) for key in one.key.split(",")}
    assert named <= {spelt.get(key, key) for key in keys}


def test_its_picture_is_there() -> None:
    (picture,) = re.findall(r"!\[[^]]*\]\(([^)]*)\)", README)
    assert (REPOSITORY / picture).read_text("utf-8").startswith("<svg")
