"""`secrets:` what may be named, and what is said about values that cannot be masked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrate_tui.domain.pipeline import Secret
from orchestrate_tui.spec import LoadedPipeline, load_pipeline, problems_for_run

Problems = Callable[[str], list[str]]
Load = Callable[[str], LoadedPipeline]
Warnings = Callable[[LoadedPipeline], list[str]]

REST = "agents: {a: {shell: 'true'}}\nstages: [{name: s, agent: a, task: t}]\n"


def pipeline(secrets: str, more: str = "") -> str:
    return f"name: p\nsecrets: {secrets}\n{more}{REST}"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter22")
    monkeypatch.delenv("NOWHERE", raising=False)


def test_secrets_are_variables_and_files(load: Load) -> None:
    loaded = load(pipeline("[TOKEN, {env: OTHER}, {file: ~/key.pem}]"))
    assert loaded.pipeline.secrets == (
        Secret(env="TOKEN"),
        Secret(env="OTHER"),
        Secret(file="~/key.pem"),
    )


@pytest.mark.parametrize("written", ["TOKEN", "{env: TOKEN}", "[TOKEN]"])
def test_one_secret_may_stand_without_the_list(load: Load, written: str) -> None:
    assert load(pipeline(written)).pipeline.secrets == (Secret(env="TOKEN"),)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[TOKEN, {env: TOKEN}]", "2:18: the environment variable 'TOKEN' is named twice"),
        ("[{file: x}, {file: x}]", "2:22: the file 'x' is named twice"),
        ("[{}]", "2:11: a secret must have exactly one of env or file"),
        ("[{env: A, file: b}]", "2:26: a secret must have exactly one of env or file"),
        ("[{var: A}]", "2:12: unknown key 'var' in a secret"),
        ("['a b']", "2:11: an item of 'secrets' must be the name of an environment variable:"),
        ("[$TOKEN]", "2:11: an item of 'secrets' must be the name of an environment variable:"),
        ("[{file: '${HOME}/key'}]", "2:18: 'file' must be a path; it holds no variables"),
        ("[{file: ' '}]", "2:18: 'file' must be a path; it holds no variables"),
        ("[[TOKEN]]", "2:11: an item of 'secrets' must be text, not a list"),
    ],
)
def test_wrong_secrets_are_refused(problems: Problems, written: str, message: str) -> None:
    assert message in "\n".join(problems(pipeline(written)))


def told_of(path: Path) -> tuple[list[str], list[str]]:
    """What validating says, and what starting says."""
    loaded = load_pipeline(path, user_agents=path.with_name("none"))
    warnings = [f"{one.line}:{one.column}: {one.message}" for one in loaded.warnings]
    refusals = problems_for_run(loaded, {}, simulate=False)
    return warnings, [f"{one.line}:{one.column}: {one.message}" for one in refusals]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("NOWHERE", "2:10: the environment variable 'NOWHERE' is not set"),
        ("[TOKEN, SHORT]", "2:18: the value of the environment variable 'SHORT' has fewer than 4"),
        ("BLANK", "2:10: the environment variable 'BLANK' is empty"),
        ("{file: none.pem}", "2:10: the file 'none.pem' cannot be read: No such file or directory"),
        ("{file: .}", "2:10: the file '.' cannot be read: Is a directory"),
        ("{file: pipe}", "2:10: the file 'pipe' is not a regular file"),
        ("{file: short}", "2:10: the value of the file 'short' has fewer than 4 characters"),
        ("{file: slashes}", "2:10: the value of the file 'slashes' has fewer than 4 characters"),
        ("{file: large}", "2:10: the file 'large' is larger than 65536 bytes"),
        ("{file: ~nobody-here/x}", "2:10: the file '~nobody-here/x' cannot be read: No such"),
    ],
)
def test_a_value_that_cannot_be_masked_is_a_warning_and_keeps_a_run_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, message: str
) -> None:
    monkeypatch.setenv("SHORT", "äöü")
    monkeypatch.setenv("BLANK", " \n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "short").write_text("abc\n")
    (tmp_path / "slashes").write_text(r"a\\b\c")
    (tmp_path / "large").write_text("x" * 70_000)
    path = tmp_path / "p.yaml"
    path.write_text(pipeline(written))
    warnings, refusals = told_of(path)
    assert warnings == refusals
    assert len(warnings) == 1
    assert warnings[0].startswith(message)


def test_a_file_is_seen_from_the_folder_of_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "key").write_text("long enough\n")
    (tmp_path / "p.yaml").write_text(pipeline("{file: key}"))
    assert told_of(tmp_path / "p.yaml") == ([], [])


def test_a_simulated_run_needs_no_secrets(load: Load) -> None:
    assert problems_for_run(load(pipeline("NOWHERE")), {}, simulate=True) == ()


def test_a_value_that_stands_in_the_file_is_told_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(pipeline("TOKEN", "variables: {x: 'a hunter22'}\n"))
    warnings, refusals = told_of(path)
    assert warnings == refusals
    (told,) = warnings
    assert told.startswith("3:19: the value of the environment variable 'TOKEN' stands here")


def test_a_value_that_stands_in_a_file_of_agents_is_told_there(tmp_path: Path) -> None:
    (tmp_path / "agents.yaml").write_text("agents:\n  b: {shell: 'echo hunter22'}\n")
    path = tmp_path / "p.yaml"
    path.write_text(pipeline("TOKEN"))
    _, refusals = told_of(path)
    assert [one.partition(" ")[0] for one in refusals] == ["2:20:"]


def test_a_refused_variable_is_not_shown_when_it_is_secret(load: Load) -> None:
    loaded = load(
        "name: p\nsecrets: TOKEN\nagents: {a: {command: [x, '${v}']}}\n"
        "variables: {v: none}\nstages: [{name: s, agent: a, task: t}]\n"
    )
    (problem,) = problems_for_run(loaded, {"v": "-hunter22"}, simulate=False)
    assert "hunter22" not in str(problem)
    assert "'-***'" in problem.message
