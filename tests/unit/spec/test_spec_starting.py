"""What makes `run` refuse before it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from orchestrate_tui.errors import Severity
from orchestrate_tui.spec import LoadedPipeline, load_pipeline, problems_for_run

Load = Callable[[str], LoadedPipeline]


def refusals(loaded: LoadedPipeline, variables: Mapping[str, str] | None = None) -> list[str]:
    found = problems_for_run(loaded, variables or {}, simulate=False)
    assert all(problem.severity is Severity.ERROR for problem in found)
    assert not problems_for_run(loaded, variables or {}, simulate=True)
    return [f"{p.line}:{p.column}: {p.message}" for p in found]


def test_a_complete_pipeline_may_start(load_stages: Load) -> None:
    assert refusals(load_stages("- {name: s, agent: a, task: t}\n")) == []


def test_undefined_agents_are_named_with_stage_and_line(load_stages: Load) -> None:
    loaded = load_stages("""
        - {name: one, agent: x, task: t}
        - {name: two, agent: a, task: t, rollback: {agent: y, task: t}}
        - {name: three, agent: a, task: t, on_failure: rollback}
    """)
    assert refusals(loaded) == [
        "5:22: Stage 'one' uses agent 'x', which nobody defines",
        "6:52: Stage 'two' is undone by agent 'y', which nobody defines",
    ]


def test_unknown_variables_are_refused_unless_they_are_given(load_stages: Load) -> None:
    loaded = load_stages('- {name: s, agent: a, task: "${version} of ${region}"}\n')
    assert refusals(loaded) == [
        "5:29: unknown variable '${version}'",
        "5:29: unknown variable '${region}'",
    ]
    assert refusals(loaded, {"version": "1"}) == ["5:29: unknown variable '${region}'"]
    assert refusals(loaded, {"version": "1", "region": "x"}) == []


def test_outputs_that_nobody_can_know_in_time_are_refused(load_stages: Load) -> None:
    loaded = load_stages("""
        - {name: one, agent: a, task: "${stages.two.key}", rollback: {task: "${stages.two.key}"}}
        - {name: two, agent: a, task: "${stages.two.key}"}
        - {name: aside, agent: a, task: "${stages.two.key}", depends_on: []}
    """)
    ending = "which nobody knows before it has ended"
    assert refusals(loaded) == [
        f"5:31: Stage 'one' reads '${{stages.two.key}}', {ending}",
        f"6:31: Stage 'two' reads '${{stages.two.key}}', {ending}",
    ]


def test_outputs_of_stages_are_not_unknown(load_stages: Load) -> None:
    loaded = load_stages("""
        - {name: build, agent: a, task: t}
        - {name: s, agent: a, task: "${stages.build.version}"}
    """)
    assert refusals(loaded) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("task", "--var task: the name has a meaning of its own"),
        ("stages.a.b", "--var stages.a.b: the name has a meaning of its own"),
        ("PATH", "--var PATH: the name changes how programs start"),
        ("a b", "--var a b: the name must begin with a letter or '_'"),
        ("", "--var : the name must begin with a letter or '_'"),
    ],
)
def test_reserved_names_cannot_be_given(load_stages: Load, name: str, message: str) -> None:
    loaded = load_stages("- {name: s, agent: a, task: t}\n")
    (found,) = refusals(loaded, {name: "x"})
    assert found.startswith(f"0:0: {message}")


def test_given_names_cannot_meet_in_the_environment(load_stages: Load) -> None:
    loaded = load_stages("- {name: s, agent: a, task: t}\n")
    assert refusals(loaded, {"a-b": "1", "a.b": "2"}) == [
        "0:0: --var a.b: 'a.b' and 'a-b' would both be the environment variable VAR_A_B"
    ]


def test_a_given_value_cannot_hold_nul(load_stages: Load) -> None:
    loaded = load_stages("- {name: s, agent: a, task: t}\n")
    assert refusals(loaded, {"v": "a\0b"}) == ["0:0: --var v: the value contains a NUL character"]


UNSAFE = """\
    name: p
    variables: {safe: x, option: --force}
    agents:
      a:
        command: [deploy, "${option}", "${task}", "to-${option}", --, "${option}"]
    stages:
      - {name: one, agent: a, task: fine}
      - {name: two, agent: a, task: "${option}"}
"""


def test_a_value_that_would_be_read_as_an_option_is_refused(load: Load) -> None:
    message = "begins with '-' and would be read as an option"
    assert refusals(load(UNSAFE)) == [
        f"5:23: Stage 'one': the value '--force' of '${{option}}' {message}",
        f"5:23: Stage 'two': the value '--force' of '${{option}}' {message}",
        f"5:36: Stage 'two': the value '--force' of '${{task}}' {message}",
    ]


def test_a_given_value_comes_before_the_one_of_the_file(load: Load) -> None:
    assert refusals(load(UNSAFE), {"option": "harmless"}) == []


def test_a_given_value_can_be_unsafe_in_an_undo(load: Load) -> None:
    loaded = load("""\
        name: p
        agents:
          a: {shell: x}
          undo: {command: [undo, "${version}"]}
          rollback-agent: {command: [back, "${version}"]}
        stages:
          - {name: one, agent: a, task: t, rollback: {agent: undo, task: t}}
          - {name: two, agent: a, task: t, on_failure: rollback}
    """)
    found = refusals(loaded, {"version": "-1"})
    assert [one.partition(": the value")[0] for one in found] == [
        "4:26: Stage 'one'",
        "5:36: Stage 'two'",
    ]


def test_problems_of_agents_elsewhere_name_their_file_after_the_pipelines(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: p\nstages: [{name: s, agent: a, task: '${x}'}]\n")
    (tmp_path / "agents.yaml").write_text('agents: {a: {command: [echo, "${y}"]}}\n')
    loaded = load_pipeline(path, user_agents=tmp_path / "none")
    found = problems_for_run(loaded, {}, simulate=False)
    assert [Path(problem.file).name for problem in found] == ["p.yaml", "agents.yaml"]


def test_an_agent_that_no_stage_uses_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: p\nagents: {a: {shell: x}}\nstages: [{name: s, agent: a, task: t}]\n")
    (tmp_path / "agents.yaml").write_text('agents: {b: {command: [echo, "${y}"]}}\n')
    loaded = load_pipeline(path, user_agents=tmp_path / "none")
    assert not loaded.warnings
    assert refusals(loaded) == []
