"""The established messages, word for word, each at its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Problems = Callable[[str], list[str]]


def test_a_pipeline_needs_a_name(problems: Problems) -> None:
    text = "description: d\nstages: [{name: s, agent: a, task: t}]\n"
    assert problems(text) == ["1:1: Pipeline name cannot be empty"]


@pytest.mark.parametrize("blank", ["''", "'  '", "", "~", "null"])
def test_a_blank_name_is_no_name(problems: Problems, blank: str) -> None:
    text = f"description: d\nname: {blank}\nstages: [{{name: s, agent: a, task: t}}]\n"
    assert problems(text)[0].endswith("Pipeline name cannot be empty")
    assert problems(text)[0].startswith("2:")


@pytest.mark.parametrize(
    ("stages", "place"), [("", "1:1"), ("stages: []", "2:9"), ("stages:", "2:8")]
)
def test_a_pipeline_needs_stages(problems: Problems, stages: str, place: str) -> None:
    expected = [f"{place}: Pipeline must have at least one stage"]
    assert problems(f"name: p\n{stages}\n") == expected


@pytest.mark.parametrize(
    ("line", "place"),
    [("name: ''", "6:9"), ("name: ' '", "6:9"), ("name:", "6:8"), ("timeout: 1s", "5:3")],
)
def test_a_stage_needs_a_name(problems_in_stages: Problems, line: str, place: str) -> None:
    stages = f"- agent: a\n  {line}\n  task: t\n"
    assert problems_in_stages(stages) == [f"{place}: Stage name cannot be empty"]


@pytest.mark.parametrize(
    ("line", "place"), [("agent: ''", "7:10"), ("agent:", "7:9"), ("timeout: 1s", "5:3")]
)
def test_a_stage_needs_an_agent(problems_in_stages: Problems, line: str, place: str) -> None:
    stages = f"- name: s\n  task: t\n  {line}\n"
    assert problems_in_stages(stages) == [f"{place}: Stage 's' must specify an agent"]


@pytest.mark.parametrize(
    ("line", "place"), [("task: ''", "7:9"), ("task:", "7:8"), ("timeout: 1s", "5:3")]
)
def test_a_stage_needs_a_task(problems_in_stages: Problems, line: str, place: str) -> None:
    stages = f"- name: s\n  agent: a\n  {line}\n"
    assert problems_in_stages(stages) == [f"{place}: Stage 's' must specify a task"]


@pytest.mark.parametrize(("value", "column"), [("bild", 12), ("[build, bild]", 20)])
def test_a_dependency_has_to_exist(problems_in_stages: Problems, value: str, column: int) -> None:
    stages = f"""
        - {{name: build, agent: a, task: t}}
        - {{name: s,
           depends_on: {value},
           agent: a, task: t}}
    """
    message = "Stage 's' depends on non-existent stage 'bild'"
    assert problems_in_stages(stages) == [f"7:{column + 4}: {message}"]


def test_a_reference_is_blamed_where_it_stands(problems_in_stages: Problems) -> None:
    stages = """
        - {name: build, agent: a, task: t}
        - name: s
          agent: a
          task: t
          depends_on:
            - build
            - bild
          parallel_with: tset
    """
    assert problems_in_stages(stages) == [
        "11:7: Stage 's' depends on non-existent stage 'bild'",
        "12:18: Stage 's' parallel_with non-existent stage 'tset'",
    ]


def test_rollback_to_needs_on_failure_rollback(problems_in_stages: Problems) -> None:
    stages = """
        - {name: build, agent: a, task: t}
        - name: s
          agent: a
          task: t
          rollback_to: build
    """
    message = "9:16: Stage 's' has rollback_to but on_failure is not 'rollback'"
    assert problems_in_stages(stages) == [message]


def test_a_rollback_target_has_to_exist(problems_in_stages: Problems) -> None:
    stages = """
        - name: s
          agent: a
          task: t
          on_failure: rollback
          rollback_to: nowhere
    """
    assert problems_in_stages(stages) == [
        "9:16: Stage 's' rollback_to non-existent stage 'nowhere'"
    ]


def test_a_stage_cannot_roll_back_to_itself(problems_in_stages: Problems) -> None:
    stages = """
        - name: s
          agent: a
          task: t
          on_failure: rollback
          rollback_to: s
    """
    assert problems_in_stages(stages) == [
        "9:16: Stage 's' cannot rollback to itself - this would create a rollback loop"
    ]


@pytest.mark.parametrize("approvers", ["", "  approvers: []\n", "  approvers:\n"])
def test_an_approval_needs_approvers(problems_in_stages: Problems, approvers: str) -> None:
    stages = f"- name: s\n  agent: a\n  task: t\n  requires_approval: true\n{approvers}"
    message = "8:22: Stage 's' requires approval but has no approvers"
    assert problems_in_stages(stages) == [message]


def test_a_circle_is_blamed_at_the_dependency_on_it(problems_in_stages: Problems) -> None:
    stages = """
        - {name: zero, agent: a, task: t}
        - name: one
          agent: a
          task: t
          depends_on: [zero, three]
        - {name: two, agent: a, task: t, depends_on: one}
        - {name: three, agent: a, task: t, depends_on: [two, zero]}
    """
    assert problems_in_stages(stages) == [
        "9:22: Circular dependency detected involving stage 'one'"
    ]


def test_a_stage_that_waits_for_itself_is_a_circle(problems_in_stages: Problems) -> None:
    stages = "- {name: s, agent: a, task: t, depends_on: s}\n"
    assert problems_in_stages(stages) == ["5:44: Circular dependency detected involving stage 's'"]


def test_a_circle_through_the_order_of_the_file_is_found(problems_in_stages: Problems) -> None:
    stages = """
        - {name: one, agent: a, task: t, depends_on: [three]}
        - {name: two, agent: a, task: t}
        - {name: three, agent: a, task: t}
    """
    assert problems_in_stages(stages) == [
        "5:47: Circular dependency detected involving stage 'one'"
    ]


def test_a_circle_through_a_group_is_blamed_at_the_stage(problems_in_stages: Problems) -> None:
    stages = """
        - {name: one, agent: a, task: t, depends_on: [two]}
        - {name: two, agent: a, task: t, parallel_with: one}
    """
    assert problems_in_stages(stages) == ["6:3: Circular dependency detected involving stage 'two'"]


def test_every_circle_is_told(problems_in_stages: Problems) -> None:
    stages = """
        - {name: one, agent: a, task: t, depends_on: two}
        - {name: two, agent: a, task: t, depends_on: one}
        - {name: three, agent: a, task: t, depends_on: four}
        - {name: four, agent: a, task: t, depends_on: three}
    """
    assert problems_in_stages(stages) == [
        "5:46: Circular dependency detected involving stage 'one'",
        "7:48: Circular dependency detected involving stage 'three'",
    ]
