from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrate_tui.domain.conditions import Circumstances, Condition
from orchestrate_tui.spec import LoadedPipeline

Problems = Callable[[str], list[str]]
Load = Callable[[str], LoadedPipeline]
When = Callable[[str], Condition]


@pytest.fixture
def when(load_stages: Load) -> When:
    def read(text: str) -> Condition:
        condition = load_stages(f"- {{name: s, agent: a, task: t, when: {text}}}\n")
        found = condition.pipeline.stages[0].when
        assert found is not None
        return found

    return read


def test_every_key_is_read_as_text(when: When) -> None:
    found = when(
        "{branch: main, paths: ['src/**', x], labels: [on], variable: {v: [1.10, NO], w: x}}"
    )
    assert found == Condition(
        branch=("main",),
        paths=("src/**", "x"),
        labels=("on",),
        variable=(("v", ("1.10", "NO")), ("w", ("x",))),
    )


def test_an_empty_condition_is_true(when: When) -> None:
    assert when("{}").unmet(Circumstances()) is None


@pytest.mark.parametrize("text", ["{or: {branch: main}}", "{or: [{branch: main}]}"])
def test_or_is_a_mapping_or_a_list(when: When, text: str) -> None:
    assert when(text) == Condition(any_of=(Condition(branch=("main",)),))


@pytest.mark.parametrize("text", ["{not: {branch: main}}", "{not: [{branch: main}]}"])
def test_not_is_a_mapping_or_a_list(when: When, text: str) -> None:
    assert when(text) == Condition(none_of=(Condition(branch=("main",)),))


@pytest.mark.parametrize(
    "text", ["{and: {branch: main}}", "{and: [{branch: main}]}", "{all: [{branch: main}]}"]
)
def test_and_is_a_mapping_or_a_list_and_all_a_list(when: When, text: str) -> None:
    assert when(text) == Condition(all_of=(Condition(branch=("main",)),))


def test_all_as_a_mapping_asks_for_every_item_of_its_lists(when: When) -> None:
    found = when("{all: {labels: [x, y]}}")
    assert found == Condition(all_of=(Condition(labels=("x", "y"), every=True),))
    assert found.unmet(Circumstances(labels=("x", "y"))) is None
    assert found.unmet(Circumstances(labels=("x",))) is not None


def test_and_and_all_hold_together(when: When) -> None:
    found = when("{and: {branch: main}, all: [{labels: x}]}")
    assert found.all_of == (Condition(branch=("main",)), Condition(labels=("x",)))


def test_an_empty_and_is_there_while_a_missing_one_is_not(when: When) -> None:
    assert when("{and: []}").all_of == ()
    assert when("{branch: x}").all_of is None


def test_or_stands_in_for_the_rest_of_its_mapping(when: When) -> None:
    found = when("{branch: main, or: {labels: hotfix}}")
    assert found.unmet(Circumstances(branch="main")) is None
    assert found.unmet(Circumstances(branch="topic", labels=("hotfix",))) is None
    assert found.unmet(Circumstances(branch="topic")) is not None


def test_conditions_nest(when: When) -> None:
    found = when("{not: {or: [{branch: a}, {not: {labels: b}}]}}")
    assert found.unmet(Circumstances(branch="x", labels=("b",))) is None
    assert found.unmet(Circumstances(branch="x")) is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("main", "'when' must be a mapping, not a single value"),
        ("[{branch: main}]", "'when' must be a mapping, not a list"),
        ("{brnach: main}", "unknown key 'brnach' in a condition"),
        ("{not: {or: [{brnach: main}]}}", "unknown key 'brnach' in a condition"),
        ("{or: main}", "'or' must be a mapping, not a single value"),
        ("{all: main}", "'all' must be a list, not 'main'"),
        ("{variable: [v]}", "'variable' must be a mapping of names to values, not a list"),
        ("{variable: {v: }}", "'v' in 'variable' is empty"),
        ("{branch: {x: y}}", "'branch' must be text, not a mapping"),
        ("{labels: ['']}", "an item of 'labels' must not be blank"),
    ],
)
def test_wrong_conditions_are_told(problems_in_stages: Problems, text: str, message: str) -> None:
    found = problems_in_stages(f"- name: s\n  agent: a\n  task: t\n  when: {text}\n")
    assert [one.partition(": ")[2] for one in found] == [message]
    assert found[0].startswith("8:")
