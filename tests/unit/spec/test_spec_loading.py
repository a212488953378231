"""Files: where agents come from, and what cannot be read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec import beginnings, load_pipeline, parse_pipeline
from orchestrate_tui.spec.loading import Source

STAGES = "stages: [{name: s, agent: a, task: t}]\n"
PIPELINE = "name: p\n" + STAGES


def script_of(path: Path, users: Path | None = None) -> str:
    agent = load_pipeline(path, user_agents=users or path.parent / "none").pipeline.agent("a")
    assert agent is not None
    return agent.shell


def problems_of(path: Path, users: Path | None = None) -> list[str]:
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(path, user_agents=users or path.parent / "none")
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_the_nearest_definition_of_an_agent_counts(tmp_path: Path) -> None:
    path, users = tmp_path / "p.yaml", tmp_path / "users.yaml"
    users.write_text("agents: {a: {shell: of the user}, u: {shell: x}}\n")
    path.write_text(PIPELINE)
    assert script_of(path, users) == "of the user"
    (tmp_path / "agents.yaml").write_text("agents: {a: {shell: beside}, b: {shell: x}}\n")
    assert script_of(path, users) == "beside"
    path.write_text("name: p\nagents: {a: {shell: its own}}\n" + STAGES)
    assert script_of(path, users) == "its own"
    names = [agent.name for agent in load_pipeline(path, user_agents=users).pipeline.agents]
    assert names == ["a", "b", "u"]


def test_the_users_agents_are_in_his_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "orchestrate-tui").mkdir()
    (tmp_path / "orchestrate-tui/agents.yaml").write_text("agents: {a: {shell: mine}}\n")
    path = tmp_path / "p.yaml"
    path.write_text(PIPELINE)
    agent = load_pipeline(path).pipeline.agent("a")
    assert agent
    assert agent.shell == "mine"


def test_problems_of_all_files_are_told_with_the_pipeline_first(tmp_path: Path) -> None:
    path, users = tmp_path / "p.yaml", tmp_path / "users.yaml"
    path.write_text("name: ''\n" + STAGES)
    (tmp_path / "agents.yaml").write_text("agents:\n  a: {}\nmore: 1\n")
    users.write_text("agents: {b: {command: ['${x}']}}\n")
    kinds = "command, shell, python, http or simulated"
    assert problems_of(path, users) == [
        "p.yaml:1:7: Pipeline name cannot be empty",
        f"agents.yaml:2:6: agent 'a' must have exactly one of {kinds}",
        "agents.yaml:3:1: unknown key 'more' in an agents file (known: agents)",
        "users.yaml:1:24: a variable cannot choose the program (write its name out)",
    ]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "agents:\n"])
def test_a_file_of_agents_may_be_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PIPELINE)
    (tmp_path / "agents.yaml").write_text(text)
    loaded = load_pipeline(path, user_agents=tmp_path / "none")
    assert loaded.pipeline.agents == ()
    assert "which nobody defines" in loaded.warnings[0].message


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["sh", "-c", f"printf '{PIPELINE}' >pipe"], cwd=tmp_path):
        assert load_pipeline(tmp_path / "pipe", user_agents=tmp_path / "none").pipeline.name == "p"


def test_a_pipe_that_nobody_writes_to_or_ends_is_waited_for_no_longer_than_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginnings, "PATIENCE_S", 0.05)
    os.mkfifo(tmp_path / "pipe")
    late = ["pipe: the file cannot be read: it had not ended after 0.05 seconds"]
    assert problems_of(tmp_path / "pipe") == late
    with (tmp_path / "pipe").open("r+b", buffering=0) as writer:
        writer.write(PIPELINE.encode())
        assert problems_of(tmp_path / "pipe") == late


def test_a_terminal_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "PATIENCE_S", 0.05)
    ours, theirs = os.openpty()
    (tmp_path / "p.yaml").symlink_to(os.ttyname(theirs))
    assert "it had not ended" in problems_of(tmp_path / "p.yaml")[0]
    os.close(ours)
    os.close(theirs)


def test_a_device_without_end_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").symlink_to("/dev/zero")
    assert problems_of(tmp_path / "p.yaml") == ["p.yaml:1:1048577: the file is larger than 1 MiB"]


def test_a_problem_of_an_agent_elsewhere_names_that_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PIPELINE)
    (tmp_path / "agents.yaml").write_text('agents: {a: {command: [echo, "${x}"]}}\n')
    (warning,) = load_pipeline(path, user_agents=tmp_path / "none").warnings
    assert (Path(warning.file).name, warning.line, warning.column) == ("agents.yaml", 1, 30)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "p.yaml") == ["p.yaml: there is no such file (check the path)"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").mkdir()
    assert problems_of(tmp_path / "p.yaml") == ["p.yaml: the file cannot be read: Is a directory"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.touch(mode=0o000)
    assert problems_of(path) == ["p.yaml: the file cannot be read: Permission denied"]


def test_text_that_is_not_utf8_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"name: p\ntask: \xff\n")
    expected = "p.yaml:2:7: the file is not UTF-8 text (save it as UTF-8)"
    assert problems_of(path) == [expected]


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    with path.open("wb") as file:
        file.write(b"name: p\n")
        file.truncate(1 << 40)
    assert problems_of(path) == ["p.yaml:2:1048569: the file is larger than 1 MiB"]


def test_a_text_beyond_the_limit_is_refused() -> None:
    with pytest.raises(PipelineFileError, match=r"^p:1024:1: the file is larger than 1 MiB$"):
        parse_pipeline(("#" * 1023 + "\n") * 1023 + "#" * 2000, file="p")


def test_a_text_can_bring_agents_along() -> None:
    agents = [Source(file="x", text="agents: {a: {shell: first}}"),
              Source(file="y", text="agents: {a: {shell: second}}")]  # fmt: skip
    agent = parse_pipeline(PIPELINE, agents=agents).pipeline.agent("a")
    assert agent
    assert agent.shell == "first"


def test_what_is_loaded_knows_its_text_file_and_places(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "name: p\nstages:\n  - name: s\n    agent: a\n    task: t\n    depends_on: []\n"
    )
    loaded = load_pipeline(path, user_agents=tmp_path / "none")
    assert (loaded.source, loaded.file) == (path.read_text(), str(path))
    assert loaded.graph.names == ("s",)
    assert loaded.locate("stages", 0) == (3, 5)
    assert loaded.locate("stages", 0, "agent") == (4, 12)
    assert loaded.locate("stages", 0, "depends_on", "nowhere") == (6, 17)
    assert loaded.locate("stages", 7, "agent") == (3, 3)
    assert loaded.locate() == (1, 1)


def generated(stages: int, line: str) -> str:
    head = "name: big\nagents: {a: {command: [echo, '${task}']}}\nstages:\n"
    return head + "".join(
        f"  - name: stage-{n}\n    agent: a\n    task: do {n}\n    timeout: 5m\n    {line}\n"
        for n in range(stages)
    )


@pytest.mark.parametrize("line", ["env: {A: b}", "depends_on: []", "when: {branch: main}"])
def test_two_thousand_stages_are_read_in_seconds(line: str) -> None:
    assert len(parse_pipeline(generated(2000, line)).pipeline.stages) == 2000


@pytest.mark.parametrize(
    "line",
    ["depends_on: stage-x", "agnet: a", "on_failure: rollbak", 'env: {A: "${unknown}"}',
     "rollback_to: stage-1"],
)  # fmt: skip
def test_a_problem_in_each_of_two_thousand_stages_is_told_in_seconds(line: str) -> None:
    text = generated(2000, line)
    try:
        told = parse_pipeline(text).warnings
    except PipelineFileError as error:
        told = error.problems
    assert len(told) >= 2000
