"""The fields of a pipeline and its stages: what they accept, and what they become."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrate_tui.domain.pipeline import OnFailure, OnTimeout, Retry, Trigger
from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec import LoadedPipeline, parse_pipeline

Problems = Callable[[str], list[str]]
Load = Callable[[str], LoadedPipeline]

PLAIN = "stages: [{name: s, agent: a, task: t}]\n"


def test_a_pipeline_has_all_its_settings(load: Load) -> None:
    pipeline = load("""\
        name: p
        description: what it does
        version: 1.10
        triggers: [{event: push, branches: [main, 'release/*']}, manual]
        variables: {environment: staging}
        max_parallel: 3
        fail_fast: yes
        parallel_rollback: on
        stages: [{name: s, agent: a, task: t}]
    """).pipeline
    assert (pipeline.name, pipeline.description, pipeline.version) == ("p", "what it does", "1.10")
    assert pipeline.triggers == (
        Trigger(event="push", branches=("main", "release/*")),
        Trigger(event="manual"),
    )
    assert pipeline.variables == (("environment", "staging"),)
    assert (pipeline.max_parallel, pipeline.fail_fast, pipeline.parallel_rollback) == (
        3,
        True,
        True,
    )


def test_what_is_not_written_has_its_default(load: Load) -> None:
    pipeline = load("name: p\n" + PLAIN).pipeline
    assert (pipeline.version, pipeline.max_parallel, pipeline.fail_fast) == ("1", 8, False)
    (stage,) = pipeline.stages
    assert stage.on_failure is OnFailure.HALT
    assert stage.depends_on is None
    assert stage.retry == Retry()
    assert stage.approval is None


@pytest.mark.parametrize("triggers", ["push", "[push]", "{event: push}", "[{event: push}]"])
def test_a_trigger_may_be_written_in_short(load: Load, triggers: str) -> None:
    assert load(f"name: p\ntriggers: {triggers}\n{PLAIN}").pipeline.triggers == (
        Trigger(event="push"),
    )


@pytest.mark.parametrize(
    "text", ["1.10", "NO", "on", "0755", "12:30", "0x1F", "1_000", "2024-01-02", "~x", "1e3", "y"]
)
def test_text_is_taken_as_it_is_written(load: Load, text: str) -> None:
    loaded = load(f"""\
        name: {text}
        version: {text}
        variables: {{v: {text}}}
        stages:
          - {{name: {text}, agent: {text}, task: {text}, environment: {text}, env: {{E: {text}}}}}
    """).pipeline
    stage = loaded.stages[0]
    texts = {loaded.name, loaded.version, loaded.variables[0][1], stage.name, stage.agent}
    assert texts | {stage.task, stage.environment, stage.env[0][1]} == {text}


def test_block_text_keeps_its_lines(load_stages: Load) -> None:
    loaded = load_stages("- name: s\n  agent: a\n  task: |\n    one\n    two\n")
    assert loaded.pipeline.stages[0].task == "one\ntwo\n"


def test_a_null_value_counts_as_not_written(load_stages: Load) -> None:
    loaded = load_stages(
        "- {name: s, agent: a, task: t, timeout: null, depends_on: ~, rollback_to: Null, when: }\n"
    )
    stage = loaded.pipeline.stages[0]
    assert (stage.timeout_s, stage.depends_on, stage.rollback_to) == (None, None, None)


def test_null_in_a_list_is_refused(problems_in_stages: Problems) -> None:
    found = problems_in_stages("- {name: s, agent: a, task: t, depends_on: [~]}\n")
    assert found == ["5:45: an item of 'depends_on' is empty"]


@pytest.mark.parametrize("value", ["build", "[build]"])
def test_a_single_name_may_stand_without_the_list(load_stages: Load, value: str) -> None:
    loaded = load_stages(f"""
        - {{name: build, agent: a, task: t}}
        - {{name: s, agent: a, task: t, depends_on: {value}, parallel_with: {value}}}
    """)
    stage = loaded.pipeline.stages[1]
    assert stage.depends_on == stage.parallel_with == ("build",)


def test_an_empty_list_of_dependencies_is_not_the_same_as_none(load_stages: Load) -> None:
    loaded = load_stages("""
        - {name: one, agent: a, task: t}
        - {name: two, agent: a, task: t, depends_on: []}
        - {name: three, agent: a, task: t}
    """)
    assert loaded.graph.dependencies["two"] == ()
    assert loaded.graph.dependencies["three"] == ("one", "two")


@pytest.mark.parametrize(
    ("word", "value"),
    [("true", True), ("yes", True), ("On", True), ("FALSE", False), ("no", False), ("off", False)],
)
def test_flags_take_every_word_for_true_and_false(load: Load, word: str, *, value: bool) -> None:
    assert load(f"name: p\nfail_fast: {word}\n{PLAIN}").pipeline.fail_fast is value


@pytest.mark.parametrize(
    ("word", "found"), [("maybe", "'maybe'"), ("1", "'1'"), ("'true'", "the text 'true'")]
)
def test_flags_take_nothing_else(problems: Problems, word: str, found: str) -> None:
    expected = f"2:12: 'fail_fast' must be true or false, not {found}"
    assert problems(f"name: p\nfail_fast: {word}\n{PLAIN}") == [expected]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("0", "'0'"),
        ("1001", "'1001'"),
        ("-1", "'-1'"),
        ("2.5", "'2.5'"),
        ("010", "'010'"),
        ("0x10", "'0x10'"),
        ("1_0", "'1_0'"),
        ("'3'", "the text '3'"),
        ("many", "'many'"),
        ("[3]", "a list"),
        ("9" * 100, "'" + "9" * 79 + "…'"),
    ],
)
def test_whole_numbers_have_a_range(problems: Problems, value: str, found: str) -> None:
    expected = f"2:15: 'max_parallel' must be a whole number from 1 to 1000, not {found}"
    if value == "9" * 100:
        expected = expected[:-1] + "'"
    assert problems(f"name: p\nmax_parallel: {value}\n{PLAIN}") == [expected]


@pytest.mark.parametrize("value", ["0.5", "11", "nan", "inf", "two", "'2'", "{}"])
def test_backoff_is_a_number_from_1_to_10(problems_in_stages: Problems, value: str) -> None:
    found = problems_in_stages(f"- {{name: s, agent: a, task: t, retry: {{backoff: {value}}}}}\n")
    assert found[0].startswith("5:49: 'backoff' must be a number from 1 to 10, not ")


def test_retries_are_read(load_stages: Load) -> None:
    stages = "- {name: s, agent: a, task: t, retry: {attempts: 3, delay: 5s, backoff: 1.5}}\n"
    retry = load_stages(stages).pipeline.stages[0].retry
    assert retry == Retry(attempts=3, delay_s=5.0, backoff=1.5)


def test_a_retry_that_would_wait_for_weeks_is_refused(problems_in_stages: Problems) -> None:
    stages = "- {name: s, agent: a, task: t, retry: {attempts: 90, delay: 5s, backoff: 10}}\n"
    assert problems_in_stages(stages) == [
        "5:39: the delay before attempt 90 would be more than 7 days"
    ]


def test_a_timeout_is_a_duration_above_zero(problems_in_stages: Problems) -> None:
    stages = """
        - {name: s, agent: a, task: t, timeout: soon}
        - {name: t, agent: a, task: t, timeout: 0}
        - {name: u, agent: a, task: t, timeout: [1]}
    """
    assert problems_in_stages(stages) == [
        "5:41: 'timeout': 'soon' is not a duration",
        "6:41: 'timeout' must be more than 0",
        "7:41: 'timeout' must be a duration such as 30s, 15m or 1h30m, not a list",
    ]


def test_a_choice_suggests_the_word_that_was_meant(problems_in_stages: Problems) -> None:
    found = problems_in_stages("- {name: s, agent: a, task: t, on_failure: rolback}\n")
    assert found == ["5:44: 'on_failure' must be halt, continue or rollback, not 'rolback'"]


def test_an_approval_has_defaults_and_settings(load_stages: Load) -> None:
    loaded = load_stages("""
        - {name: s, agent: a, task: t, requires_approval: true, approvers: [x, '@ops']}
        - name: t
          agent: a
          task: t
          requires_approval: true
          approvers: [x, y, x]
          approval: {quorum: 1, timeout: 2h, on_timeout: approve}
        - name: u
          agent: a
          task: t
          requires_approval: true
          approvers: x
          approval: {timeout: never}
    """)
    first, second, third = (stage.approval for stage in loaded.pipeline.stages)
    assert first
    assert second
    assert third
    assert (first.approvers, first.needed, first.timeout_s) == (("x", "@ops"), 2, 86400.0)
    assert (second.approvers, second.needed, second.timeout_s) == (("x", "y"), 1, 7200.0)
    assert second.on_timeout is OnTimeout.APPROVE
    assert third.timeout_s is None


def test_a_quorum_cannot_be_larger_than_the_approvers(problems_in_stages: Problems) -> None:
    stages = """
        - name: s
          agent: a
          task: t
          requires_approval: true
          approvers: [x, y, x]
          approval: {quorum: 3}
    """
    assert problems_in_stages(stages) == ["10:22: Stage 's' needs 3 approvals but has 2 approvers"]


def test_an_approval_that_nobody_requires_is_refused(problems_in_stages: Problems) -> None:
    stages = "- {name: s, agent: a, task: t, approvers: x, approval: {quorum: 1}}\n"
    expected = "5:56: Stage 's' describes an approval but does not require one"
    assert problems_in_stages(stages) == [expected]


def test_a_stage_that_may_run_again_says_so(load_stages: Load) -> None:
    loaded = load_stages("""
        - {name: one, agent: a, task: t, idempotent: true}
        - {name: two, agent: a, task: t}
    """)
    assert [stage.idempotent for stage in loaded.pipeline.stages] == [True, False]


def test_an_undo_is_read(load_stages: Load) -> None:
    loaded = load_stages("""
        - {name: one, agent: a, task: t}
        - name: two
          agent: a
          task: t
          rollback:
            agent: b
            task: take it back
            timeout: 1m
            retry: {attempts: 2}
            idempotent: true
            then: one
        - {name: three, agent: a, task: t, rollback: {irreversible: true}}
        - {name: four, agent: a, task: t, rollback: {task: t}}
    """)
    _, two, three, four = (stage.rollback for stage in loaded.pipeline.stages)
    assert two
    assert three
    assert four
    assert (two.agent, two.task, two.timeout_s) == ("b", "take it back", 60.0)
    assert (two.retry.attempts, two.idempotent, two.then) == (2, True, ("one",))
    assert (three.irreversible, three.task) == (True, "")
    assert (four.agent, four.timeout_s) == (None, 1800.0)


def test_an_undo_needs_a_task(problems_in_stages: Problems) -> None:
    stages = "- {name: s, agent: a, task: t, rollback: {agent: b}}\n"
    assert problems_in_stages(stages) == ["5:42: Stage 's' rollback must specify a task"]


def test_stages_named_after_an_undo_have_to_exist(problems_in_stages: Problems) -> None:
    stages = """
        - {name: build, agent: a, task: t}
        - {name: s, agent: a, task: t, rollback: {task: t, then: [build, biuld]}}
    """
    expected = "6:66: Stage 's' rollback then names non-existent stage 'biuld'"
    assert problems_in_stages(stages) == [expected]


def test_undos_that_wait_for_each_other_are_refused(problems_in_stages: Problems) -> None:
    stages = """
        - name: one
          agent: a
          task: t
          rollback:
            task: t
            then: two
        - {name: two, agent: a, task: t}
    """
    expected = "10:11: Stage 'one' rollback then makes its undo wait for itself"
    assert problems_in_stages(stages) == [expected]


def test_an_undo_cannot_follow_itself(problems_in_stages: Problems) -> None:
    stages = "- {name: s, agent: a, task: t, rollback: {task: t, then: [s]}}\n"
    expected = "5:59: Stage 's' rollback then makes its undo wait for itself"
    assert problems_in_stages(stages) == [expected]


def test_two_stages_cannot_have_one_name(problems_in_stages: Problems) -> None:
    stages = """
        - {name: s, agent: a, task: t}
        - {name: t, agent: a, task: t, depends_on: s}
        - {name: s, agent: a, task: t}
    """
    assert problems_in_stages(stages) == ["7:10: Stage name 's' is used twice"]


@pytest.mark.parametrize(
    "name",
    ["a/b", "../x", ".", "..", ".hidden", "' x'", "'x '", '"a\\nb"', '"a\\eb"', '"a\\u202eb"'],
)
def test_a_stage_name_has_to_be_fit_for_a_file(problems_in_stages: Problems, name: str) -> None:
    (found,) = problems_in_stages(f"- {{name: {name}, agent: a, task: t}}\n")
    assert found.startswith("5:10: 'name' cannot begin with '.' or a space, end with a space, or")


def test_a_stage_name_has_a_longest_length(problems_in_stages: Problems) -> None:
    (found,) = problems_in_stages(f"- {{name: {'é' * 101}, agent: a, task: t}}\n")
    assert found == "5:10: 'name' is longer than 200 bytes"


@pytest.mark.parametrize("name", ["Deploy: EU (1)", "構築", "a.b", "x" * 200, "{name}", "-x"])
def test_most_stage_names_are_fine(load: Load, name: str) -> None:
    loaded = load(f"name: p\nstages: [{{name: '{name}', agent: a, task: t}}]\n")
    assert loaded.pipeline.stages[0].name == name


def test_text_that_no_program_can_be_given_is_refused(problems_in_stages: Problems) -> None:
    stages = """
        - {name: s, agent: a, task: "a\\0b", env: {X: "\\uD800"}}
    """
    message = "contains a character that no program can be given"
    assert problems_in_stages(stages) == [
        f"5:29: 'task' {message}",
        f"5:46: 'X' in 'env' {message}",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("env: [A]", "10: 'env' must be a mapping of names to values, not a list"),
        ("env: {1A: x}", "11: a name in 'env' must be letters, digits and '_', not '1A'"),
        ("env: {ORCHESTRATE_RUN_ID: x}", "31: 'ORCHESTRATE_RUN_ID' is set by Orchestrate itself"),
        (
            "env: {PATH: 'x:${v}'}",
            "17: 'PATH' changes how programs start, so its value cannot hold a variable",
        ),
    ],
)
def test_env_cannot_set_everything(problems_in_stages: Problems, line: str, message: str) -> None:
    found = problems_in_stages(f"- name: s\n  agent: a\n  task: t\n  {line}\n")
    assert [one.partition(": ")[2] for one in found] == [message.partition(": ")[2]]
    assert found[0].startswith("8:")


def test_env_can_set_a_fixed_path(load_stages: Load) -> None:
    loaded = load_stages("- {name: s, agent: a, task: t, env: {PATH: '/bin:/usr/bin'}}\n")
    assert loaded.pipeline.stages[0].env == (("PATH", "/bin:/usr/bin"),)


@pytest.mark.parametrize("key", ["notify", "protected"])
def test_what_is_not_yet_there_says_so_in_a_stage(problems_in_stages: Problems, key: str) -> None:
    stages = f"- name: s\n  agent: a\n  task: t\n  {key}:\n    x: y\n"
    assert problems_in_stages(stages) == [f"8:3: '{key}' is not yet available"]


@pytest.mark.parametrize("key", ["protected"])
def test_what_is_not_yet_there_says_so_in_a_pipeline(problems: Problems, key: str) -> None:
    assert problems(f"name: p\n{key}: x\n{PLAIN}") == [f"2:1: '{key}' is not yet available"]


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("nmae: p", "1:1", "did you mean 'name'?"),
        ("name: p\ntrigger: push", "2:1", "did you mean 'triggers'?"),
        ("name: p\nxyzzy: 1", "2:1", ""),
    ],
)
def test_an_unknown_key_suggests_the_known_one(text: str, place: str, hint: str) -> None:
    with pytest.raises(PipelineFileError) as caught:
        parse_pipeline(f"{text}\n{PLAIN}")
    unknown = next(one for one in caught.value.problems if "unknown key" in one.message)
    assert (f"{unknown.line}:{unknown.column}", unknown.hint) == (place, hint)


def test_a_small_mapping_lists_its_keys_when_none_is_like_it() -> None:
    with pytest.raises(PipelineFileError) as caught:
        parse_pipeline("name: p\nstages: [{name: s, agent: a, task: t, retry: {xyzzy: 1}}]\n")
    assert caught.value.problems[-1].hint == "known: attempts, delay or backoff"


def test_all_problems_are_told_at_once_by_line(problems: Problems) -> None:
    text = """\
        version: 2
        nmae: p
        max_parallel: none
        stages:
          - name: build
            task: t
          - just text
          - name: test
            agent: a
            task: t
            timeout: soon
            depends_on: [bild]
            when: {brunch: main}
          - name: test
            agent: [a]
            task: t
    """
    assert problems(text) == [
        "1:1: Pipeline name cannot be empty",
        "2:1: unknown key 'nmae' in a pipeline",
        "3:15: 'max_parallel' must be a whole number from 1 to 1000, not 'none'",
        "5:5: Stage 'build' must specify an agent",
        "7:5: an item of 'stages' must be a mapping, not a single value",
        "11:14: 'timeout': 'soon' is not a duration",
        "12:18: Stage 'test' depends on non-existent stage 'bild'",
        "13:12: unknown key 'brunch' in a condition",
        "14:11: Stage name 'test' is used twice",
        "15:12: 'agent' must be text, not a list",
    ]
