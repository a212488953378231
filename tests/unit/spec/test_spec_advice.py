"""Warnings: the file can be used, somebody should look."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrate_tui.errors import Severity
from orchestrate_tui.spec import LoadedPipeline, warnings_for_run

Load = Callable[[str], LoadedPipeline]
Warnings = Callable[[LoadedPipeline], list[str]]


def test_an_agent_that_nobody_defines_is_warned_about(load_stages: Load) -> None:
    loaded = load_stages("""
        - {name: one, agent: aa, task: t}
        - {name: two, agent: a, task: t, rollback: {agent: xyzzy, task: t}}
    """)
    first, second = loaded.warnings
    assert str(first) == (
        "<pipeline>:5:22: warning: Stage 'one' uses agent 'aa', which nobody defines"
        " (did you mean 'a'?)"
    )
    assert second.message == "Stage 'two' is undone by agent 'xyzzy', which nobody defines"
    assert (second.line, second.column, second.severity) == (6, 52, Severity.WARNING)


def test_an_agent_that_many_stages_miss_is_warned_about_once(
    load_stages: Load, warnings_of: Warnings
) -> None:
    loaded = load_stages("""
        - {name: one, agent: x, task: t, rollback: {agent: y, task: t}}
        - {name: two, agent: x, task: t, rollback: {agent: y, task: t}}
        - {name: three, agent: x, task: t}
    """)
    assert warnings_of(loaded) == [
        "5:22: Stage 'one' and 2 others use agent 'x', which nobody defines",
        "5:52: Stage 'one' and 1 other are undone by agent 'y', which nobody defines",
    ]


def test_a_simulated_run_misses_no_agents(load_stages: Load) -> None:
    loaded = load_stages('- {name: one, agent: x, task: "${v}"}\n')
    (told,) = warnings_for_run(loaded, simulate=True)
    assert told.message == "unknown variable '${v}'"
    assert len(warnings_for_run(loaded, simulate=False)) == 2


def test_what_is_only_irreversible_is_no_rollback_target(
    load_stages: Load, warnings_of: Warnings
) -> None:
    loaded = load_stages("""
        - {name: mail, agent: a, task: t, rollback: {irreversible: true}}
        - {name: f, agent: a, task: t, on_failure: rollback, rollback_to: mail}
    """)
    (told,) = warnings_of(loaded)
    assert told.endswith("Stage 'mail' is a rollback target but has nothing to undo it")


def test_a_rollback_target_needs_something_that_undoes_it(
    load_stages: Load, warnings_of: Warnings
) -> None:
    loaded = load_stages("""
        - {name: one, agent: a, task: t}
        - {name: two, agent: a, task: t, on_failure: rollback, rollback_to: one}
        - {name: three, agent: a, task: t, on_failure: rollback}
        - {name: four, agent: a, task: t, on_failure: rollback, rollback: {task: t}}
    """)
    assert warnings_of(loaded) == [
        "6:69: Stage 'one' is a rollback target but has nothing to undo it",
        "7:48: Stage 'three' is a rollback target but has nothing to undo it",
    ]


def test_a_rollback_agent_undoes_every_target(load: Load, warnings_of: Warnings) -> None:
    loaded = load("""\
        name: p
        agents: {a: {shell: x}, rollback-agent: {shell: x}}
        stages: [{name: s, agent: a, task: t, on_failure: rollback}]
    """)
    assert warnings_of(loaded) == []


def test_a_rollback_target_should_run_before(load_stages: Load, warnings_of: Warnings) -> None:
    loaded = load_stages("""
        - {name: one, agent: a, task: t, on_failure: rollback, rollback_to: two}
        - {name: two, agent: a, task: t, rollback: {task: t}}
    """)
    message = "5:69: Stage 'one' rolls back to 'two', which does not run before it"
    assert warnings_of(loaded) == [message]


def test_approvers_without_an_approval_are_warned_about(
    load_stages: Load, warnings_of: Warnings
) -> None:
    loaded = load_stages("- {name: s, agent: a, task: t, approvers: [x]}\n")
    assert warnings_of(loaded) == ["5:43: Stage 's' has approvers but does not require approval"]


def test_stages_whose_outputs_look_the_same_are_warned_about(
    load_stages: Load, warnings_of: Warnings
) -> None:
    loaded = load_stages("- {name: a b, agent: a, task: t}\n- {name: A-B, agent: a, task: t}\n")
    message = "6:10: Outputs of 'A-B' and 'a b' have the same environment variables"
    assert warnings_of(loaded) == [message]


def test_a_variable_in_a_variable_is_warned_about(load: Load, warnings_of: Warnings) -> None:
    loaded = load("""\
        name: p
        variables: {a: x, b: "${a}/y"}
        agents: {a: {shell: x}}
        stages: [{name: s, agent: a, task: t}]
    """)
    assert warnings_of(loaded) == ["2:22: '${a}' in the value of a variable is not replaced"]


def test_a_script_that_does_not_read_what_it_is_told_is_warned_about(
    load: Load, warnings_of: Warnings
) -> None:
    loaded = load("""\
        name: p
        agents: {a: {shell: make deploy}}
        stages: [{name: s, agent: a, task: new, rollback: {task: old}}]
    """)
    same = "Agent 'a' does the same for stage 's' and to undo stage 's'"
    assert warnings_of(loaded) == [f"2:21: {same}: its script never reads $ORCHESTRATE_TASK"]


@pytest.mark.parametrize(
    ("script", "stages"),
    [
        ("make", "{name: s, agent: a, task: t}, {name: r, agent: a, task: t}"),
        ("make", "{name: s, agent: a, task: t, env: {x: y}}, {name: r, agent: a, task: u}"),
        ("make", "{name: s, agent: a, task: t, rollback: {agent: b, task: u}}"),
        ("make $ORCHESTRATE_TASK", "{name: s, agent: a, task: t, rollback: {task: u}}"),
        ("make $ORCHESTRATE_STAGE", "{name: s, agent: a, task: t}, {name: r, agent: a, task: u}"),
        ("task=1; make $task", "{name: s, agent: a, task: t}"),
    ],
)
def test_a_script_that_has_to_know_nothing_or_something_else_is_not(
    load: Load, warnings_of: Warnings, script: str, stages: str
) -> None:
    agents = f"{{a: {{shell: {script}}}, b: {{shell: x}}}}"
    assert warnings_of(load(f"name: p\nagents: {agents}\nstages: [{stages}]\n")) == []


@pytest.mark.parametrize("script", ["make $task", "make ${task:-all}"])
def test_a_script_that_takes_its_task_for_a_variable_is_warned_about(
    load: Load, warnings_of: Warnings, script: str
) -> None:
    text = (
        f"name: p\nagents: {{a: {{shell: '{script}'}}}}\nstages: [{{name: s, agent: a, task: t}}]\n"
    )
    message = "2:21: Agent 'a' reads a variable 'task', which its script does not have"
    assert warnings_of(load(text)) == [message]
    assert warnings_of(load(text.replace("task: t", "task: t, env: {task: x}"))) == []
