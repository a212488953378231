from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrate_tui.spec import LoadedPipeline

Problems = Callable[[str], list[str]]
Load = Callable[[str], LoadedPipeline]
Warnings = Callable[[LoadedPipeline], list[str]]
STAGES = "agents: {a: {shell: x}}\nstages: [{name: s, agent: a, task: t}]\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("task", "the variable 'task' has a meaning of its own"),
        ("stage", "the variable 'stage' has a meaning of its own"),
        ("run_id", "the variable 'run_id' has a meaning of its own"),
        ("stages.build.x", "the variable 'stages.build.x' has a meaning of its own"),
        ("PATH", "the variable 'PATH' changes how programs start"),
        ("LD_PRELOAD", "the variable 'LD_PRELOAD' changes how programs start"),
        ("LD.PRELOAD", "the variable 'LD.PRELOAD' changes how programs start"),
        ("GIT-DIR", "the variable 'GIT-DIR' changes how programs start"),
        ("PYTHONPATH", "the variable 'PYTHONPATH' changes how programs start"),
        ("ORCHESTRATE_DB", "the variable 'ORCHESTRATE_DB' changes how programs start"),
        ("OUT_S_X", "the variable 'OUT_S_X' looks like an output of stage 's'"),
        ("OUT-S-X", "the variable 'OUT-S-X' looks like an output of stage 's'"),
        ("1a", "a name in 'variables' must begin with a letter or '_' and go on with letters"),
        ("a b", "a name in 'variables' must begin with a letter or '_' and go on with letters"),
        ("é", "a name in 'variables' must begin with a letter or '_' and go on with letters"),
    ],
)
def test_some_names_are_not_for_variables(problems: Problems, name: str, message: str) -> None:
    (found,) = problems(f"name: p\nvariables:\n  {name}: x\n{STAGES}")
    assert message in found
    assert found.startswith("3:")


@pytest.mark.parametrize("name", ["path", "version", "a.b-c", "_x", "component", "OUT_OTHER"])
def test_most_names_are_fine(load: Load, name: str) -> None:
    loaded = load(f"name: p\nvariables:\n  {name}: x\n{STAGES}")
    assert loaded.pipeline.variables == ((name, "x"),)


def test_a_variable_without_a_value_is_the_empty_text(load: Load) -> None:
    assert load(f"name: p\nvariables: {{v: }}\n{STAGES}").pipeline.variables == (("v", ""),)


def test_variables_that_meet_in_the_environment_are_refused(problems: Problems) -> None:
    found = problems(f"name: p\nvariables:\n  a-b: 1\n  a.b: 2\n{STAGES}")
    assert found == ["4:8: 'a.b' and 'a-b' would both be the environment variable a_b"]


def test_outputs_that_meet_in_the_environment_are_refused(problems_in_stages: Problems) -> None:
    stages = """
        - {name: b, agent: a, task: t}
        - {name: b-c, agent: a, task: t}
        - {name: s, agent: a, task: "${stages.b-c.d}"}
        - {name: t, agent: a, task: "${stages.b.c-d}"}
    """
    (found,) = problems_in_stages(stages)
    assert found == (
        "8:29: 'stages.b.c-d' and 'stages.b-c.d' would both be the environment variable OUT_B_C_D"
    )


def test_a_component_is_known_only_where_something_is_done_for_it_alone(
    problems_in_stages: Problems,
) -> None:
    stages = """
        - {name: s, agent: a, task: "x ${component}", components: [api]}
        - {name: t, agent: a, task: t, rollback: {task: "${component}"}}
        - {name: u, agent: a, task: t, snapshot: {paths: ["${component}"]}}
    """
    assert problems_in_stages(stages) == [
        "5:29: '${component}': stage 's' knows it only while it is undone",
        "6:49: '${component}': stage 't' has no components",
        "7:51: '${component}': stage 'u' has no components",
    ]


def test_the_undo_and_the_snapshot_of_a_stage_with_components_know_each(
    load_stages: Load,
) -> None:
    loaded = load_stages(
        "- {name: s, agent: a, task: t, components: [api, web.2],"
        ' snapshot: {paths: ["${component}"]}, rollback: {task: "undo ${component}"}}\n'
    )
    assert loaded.pipeline.stages[0].components == ("api", "web.2")
    assert loaded.warnings == ()


def test_no_stage_has_the_name_of_a_component(problems_in_stages: Problems) -> None:
    stages = """
        - {name: s, agent: a, task: t, components: [api]}
        - {name: "s[api]", agent: a, task: t}
    """
    assert problems_in_stages(stages) == [
        "5:1: Stage 's[api]' has the name of a component of stage 's'"
    ]


def test_components_are_named_once_and_plainly(problems_in_stages: Problems) -> None:
    stages = """
        - {name: s, agent: a, task: t, components: [api, api]}
        - {name: t, agent: a, task: t, components: [a b]}
    """
    assert problems_in_stages(stages) == [
        "5:50: the component 'api' is named twice",
        "6:45: an item of 'components' must be letters, digits, '.', '_' and '-', not 'a b'",
    ]


def test_a_value_of_the_previous_release_is_known_in_an_undo(
    load: Load, warnings_of: Warnings
) -> None:
    loaded = load("""\
        name: p
        agents: {a: {command: [x, "${task}"]}}
        stages:
        - name: s
          agent: a
          task: t
          environment: e
          rollback: {task: "use ${previous.version}"}
    """)
    assert warnings_of(loaded) == []


def test_a_value_of_the_previous_release_is_refused_where_there_can_be_none(
    problems_in_stages: Problems,
) -> None:
    stages = """
        - {name: s, agent: a, environment: e, task: "x ${previous.version}"}
        - {name: t, agent: a, task: t, rollback: {task: "${previous.version}"}}
    """
    in_task, without_environment = problems_in_stages(stages)
    who = "'${previous.version}': stage"
    assert in_task.startswith(f"5:45: {who} 's' knows it only while it is undone")
    assert without_environment.startswith(f"6:49: {who} 't' has no environment")


def test_a_declared_component_is_a_variable_like_any_other(
    load: Load, warnings_of: Warnings
) -> None:
    loaded = load("""\
        name: p
        variables: {component: api}
        agents: {a: {shell: x}}
        stages: [{name: s, agent: a, task: "${component}"}]
    """)
    assert warnings_of(loaded) == []


def test_unknown_variables_are_warned_about_wherever_they_stand(
    load: Load, warnings_of: Warnings
) -> None:
    loaded = load("""\
        name: p
        variables: {known: x}
        agents:
          a:
            command: [echo, "${one}", "${known}"]
            env: {E: "${two}"}
            workdir: "${three}"
          b:
            http:
              url: "http://x/${four}"
              headers: {H: "${five}"}
              body: "${six}"
        stages:
          - name: s
            agent: a
            task: "${seven} ${known} $${escaped}"
            env: {E: "${eight}"}
            workdir: "${nine}"
            rollback: {agent: b, task: "${ten}"}
    """)
    assert warnings_of(loaded) == [
        f"{place}: unknown variable '${{{name}}}'"
        for place, name in [
            ("5:21", "one"),
            ("6:14", "two"),
            ("7:14", "three"),
            ("10:12", "four"),
            ("11:20", "five"),
            ("12:13", "six"),
            ("16:11", "seven"),
            ("17:14", "eight"),
            ("18:14", "nine"),
            ("19:32", "ten"),
        ]
    ]


def test_an_unknown_variable_suggests_a_known_one(load: Load) -> None:
    loaded = load("""\
        name: p
        variables: {environment: x}
        agents: {a: {shell: x}}
        stages: [{name: s, agent: a, task: "${enviroment}"}]
    """)
    assert loaded.warnings[0].hint == "did you mean 'environment'?"


def test_the_script_of_a_shell_agent_may_hold_anything(load: Load, warnings_of: Warnings) -> None:
    loaded = load("name: p\nagents: {a: {shell: 'echo ${x:-y} ${component}'}}\n"
                  "stages: [{name: s, agent: a, task: t}]\n")  # fmt: skip
    assert warnings_of(loaded) == []


def test_what_every_agent_knows_is_known(load: Load, warnings_of: Warnings) -> None:
    loaded = load("""\
        name: p
        agents: {a: {command: [echo, "${task}", "${stage}", "${run_id}"]}}
        stages: [{name: s, agent: a, task: "${stage} ${run_id}"}]
    """)
    assert warnings_of(loaded) == []


def test_a_task_does_not_know_itself(load_stages: Load, warnings_of: Warnings) -> None:
    loaded = load_stages("""
        - {name: s, agent: a, task: "${task}"}
        - {name: t, agent: a, task: t, rollback: {task: "${task}"}}
        - {name: u, agent: a, task: t, env: {task: "${task}"}}
    """)
    assert warnings_of(loaded) == [
        "5:29: unknown variable '${task}'",
        "6:49: unknown variable '${task}'",
    ]


def test_an_output_has_to_come_from_a_stage_that_ended_before(
    load: Load, warnings_of: Warnings
) -> None:
    loaded = load("""\
        name: p
        agents:
          a: {shell: x}
          b: {command: [echo, "${stages.late.key}"]}
        stages:
          - {name: early, agent: a, task: "${stages.early.key} ${stages.nowhere.key}"}
          - {name: middle, agent: b, task: "${stages.early.key} ${stages.late.key}"}
          - {name: late, agent: b, task: t, rollback: {task: "${stages.late.key}"}}
    """)
    too_late = "but 'late' does not end before it starts"
    too_early = "but 'early' does not end before it starts"
    assert warnings_of(loaded) == [
        f"4:23: Stage 'middle' reads '${{stages.late.key}}', {too_late}",
        f"4:23: Stage 'late' reads '${{stages.late.key}}', {too_late}",
        "6:35: unknown variable '${stages.nowhere.key}'",
        f"6:35: Stage 'early' reads '${{stages.early.key}}', {too_early}",
        f"7:36: Stage 'middle' reads '${{stages.late.key}}', {too_late}",
    ]


def test_a_stage_name_with_dots_gives_outputs_too(load_stages: Load, warnings_of: Warnings) -> None:
    loaded = load_stages("""
        - {name: my.app, agent: a, task: t}
        - {name: s, agent: a, task: "${stages.my.app.version}"}
    """)
    assert warnings_of(loaded) == []
