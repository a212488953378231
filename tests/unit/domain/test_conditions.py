"""What `when` means, and the reasons it gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.domain.conditions import Circumstances, Condition


def when(**fields: Any) -> Condition:
    return Condition(**fields)


def at(**fields: Any) -> Circumstances:
    return Circumstances(**fields)


def holds(condition: Condition, **fields: Any) -> bool:
    return condition.unmet(at(**fields)) is None


NEVER = when(branch=())
ALWAYS = when()


class TestBranch:
    def test_a_glob_in_the_list_is_enough(self) -> None:
        assert holds(when(branch=("main", "release/*")), branch="release/1.2")

    def test_a_star_stops_at_a_slash(self) -> None:
        assert not holds(when(branch=("release/*",)), branch="release/1/2")

    def test_another_branch_is_named_with_what_was_wanted(self) -> None:
        reason = when(branch=("main", "release/*")).unmet(at(branch="topic"))
        assert reason == "branch 'topic' does not match 'main' or 'release/*'"

    def test_no_branch_matches_nothing(self) -> None:
        reason = when(branch=("**",)).unmet(at())
        assert reason == "no branch was given; it must match '**'"

    def test_an_empty_list_matches_nothing(self) -> None:
        reason = NEVER.unmet(at(branch="main"))
        assert reason == "branch 'main' does not match anything (the list is empty)"


class TestPaths:
    def test_one_path_that_matches_one_glob_is_enough(self) -> None:
        assert holds(when(paths=("docs/**", "*.md")), changed=("src/a.py", "README.md"))

    def test_no_path_that_matches_is_the_reason(self) -> None:
        reason = when(paths=("docs/**", "*.md")).unmet(at(changed=("src/a.py",)))
        assert reason == "no changed path matches 'docs/**' or '*.md'"

    def test_unknown_paths_are_taken_as_changed(self) -> None:
        assert holds(when(paths=("docs/**",)), changed=None)

    def test_none_changed_matches_nothing(self) -> None:
        assert not holds(when(paths=("**",)), changed=())

    def test_unknown_paths_are_taken_as_changed_under_not_too(self) -> None:
        assert not holds(when(none_of=(when(paths=("docs/**",)),)), changed=None)


class TestLabels:
    def test_one_of_the_list_is_enough(self) -> None:
        assert holds(when(labels=("urgent", "hotfix")), labels=("hotfix", "other"))

    def test_a_label_is_no_glob(self) -> None:
        assert not holds(when(labels=("hot*",)), labels=("hotfix",))

    def test_none_of_the_list_is_the_reason(self) -> None:
        reason = when(labels=("urgent", "hotfix")).unmet(at(labels=("other",)))
        assert reason == "label 'urgent' or 'hotfix' is not set"


class TestVariable:
    WANTED = when(variable=(("environment", ("staging", "test")), ("region", ("eu",))))

    def test_one_of_the_listed_values_is_enough_for_each_name(self) -> None:
        assert holds(self.WANTED, variables={"environment": "test", "region": "eu"})

    def test_every_name_is_required(self) -> None:
        reason = self.WANTED.unmet(at(variables={"environment": "test", "region": "us"}))
        assert reason == "variable 'region' is 'us', not 'eu'"

    def test_another_value_is_named_with_what_was_wanted(self) -> None:
        reason = self.WANTED.unmet(at(variables={"environment": "production"}))
        assert reason == "variable 'environment' is 'production', not 'staging' or 'test'"

    def test_an_undefined_variable_is_false(self) -> None:
        assert self.WANTED.unmet(at()) == "variable 'environment' is not defined"

    def test_an_empty_value_is_a_value(self) -> None:
        assert holds(when(variable=(("tag", ("",)),)), variables={"tag": ""})

    def test_names_are_found_at_every_depth(self) -> None:
        def asks(name: str) -> Condition:
            return when(variable=((name, ("x",)),))

        condition = when(
            variable=(("a", ("x",)), ("b", ("x",))),
            all_of=(when(any_of=(asks("c"),)),),
            none_of=(asks("d"),),
            any_of=(when(branch=("main",)), asks("e")),
        )
        assert list(condition.variable_names()) == ["a", "b", "c", "d", "e"]

    def test_a_condition_without_variables_names_none(self) -> None:
        assert list(when(branch=("main",)).variable_names()) == []


class TestOneMapping:
    def test_a_condition_that_asks_for_nothing_is_true(self) -> None:
        assert holds(ALWAYS)

    def test_every_key_is_required(self) -> None:
        both = when(branch=("main",), labels=("hotfix",))
        assert holds(both, branch="main", labels=("hotfix",))
        assert not holds(both, branch="main")
        assert not holds(both, labels=("hotfix",))

    def test_the_first_key_that_fails_is_the_reason(self) -> None:
        both = when(branch=("main",), labels=("hotfix",))
        assert both.unmet(at(branch="topic")) == "branch 'topic' does not match 'main'"


class TestEvery:
    def test_each_label_is_required(self) -> None:
        every = when(every=True, labels=("a", "b"))
        assert holds(every, labels=("b", "a", "c"))
        assert not holds(every, labels=("a",))

    def test_each_glob_needs_a_path_of_its_own(self) -> None:
        every = when(every=True, paths=("src/**", "docs/**"))
        assert holds(every, changed=("docs/a", "src/b"))
        assert not holds(every, changed=("docs/a",))

    def test_the_branch_has_to_match_each_glob(self) -> None:
        every = when(every=True, branch=("release/*", "*/1.*"))
        assert holds(every, branch="release/1.2")
        assert not holds(every, branch="release/2.0")

    @pytest.mark.parametrize(
        ("condition", "reason"),
        [
            (when(every=True, labels=("a", "b", "c", "d")), "label 'c' and 'd' is not set"),
            (when(every=True, paths=("x", "y")), "no changed path matches 'y'"),
            (when(every=True, branch=("main", "m*", "r*")), "branch 'main' does not match 'r*'"),
        ],
    )
    def test_only_what_is_missing_is_the_reason(self, condition: Condition, reason: str) -> None:
        assert condition.unmet(at(branch="main", changed=("x",), labels=("a", "b"))) == reason

    def test_values_of_a_variable_stay_alternatives(self) -> None:
        every = when(every=True, variable=(("environment", ("staging", "test")),))
        assert holds(every, variables={"environment": "test"})

    def test_no_branch_is_false_for_every_glob(self) -> None:
        reason = when(every=True, branch=("a*", "*b")).unmet(at())
        assert reason == "no branch was given; it must match 'a*' and '*b'"

    def test_an_empty_list_asks_for_nothing(self) -> None:
        assert holds(when(every=True, labels=()))

    def test_conditions_inside_keep_their_own_meaning(self) -> None:
        assert holds(when(every=True, all_of=(when(labels=("a", "b")),)), labels=("a",))


class TestOr:
    def test_an_alternative_that_is_true_stands_for_the_rest(self) -> None:
        condition = when(branch=("main",), any_of=(when(labels=("hotfix",)),))
        assert holds(condition, branch="topic", labels=("hotfix",))

    def test_the_rest_stands_for_the_alternatives(self) -> None:
        condition = when(branch=("main",), any_of=(when(labels=("hotfix",)),))
        assert holds(condition, branch="main")

    def test_an_empty_rest_is_false(self) -> None:
        condition = when(any_of=(when(labels=("hotfix",)),))
        assert condition.unmet(at()) == "label 'hotfix' is not set"

    def test_every_alone_is_no_rest(self) -> None:
        assert not holds(when(every=True, any_of=(NEVER,)))

    @pytest.mark.parametrize(
        "rest", [{"all_of": ()}, {"none_of": ()}, {"variable": ()}, {"paths": ("a",)}]
    )
    def test_any_key_that_is_written_is_a_rest(self, rest: dict[str, Any]) -> None:
        assert holds(when(any_of=(NEVER,), **rest))

    def test_one_of_several_alternatives_is_enough(self) -> None:
        assert holds(when(any_of=(NEVER, when(branch=("main",)))), branch="main")

    def test_all_reasons_are_given_once(self) -> None:
        wants_main, wants_label = when(branch=("main",)), when(labels=("hotfix",))
        condition = when(branch=("main",), any_of=(wants_label, wants_main, wants_label))
        assert condition.unmet(at(branch="topic")) == (
            "branch 'topic' does not match 'main' and label 'hotfix' is not set"
        )

    def test_no_alternatives_are_false_and_say_so(self) -> None:
        assert when(any_of=()).unmet(at()) == "`or` is empty"

    def test_no_alternatives_leave_the_rest_to_decide(self) -> None:
        assert holds(when(branch=("main",), any_of=()), branch="main")
        assert not holds(when(branch=("main",), any_of=()), branch="topic")


class TestAndNot:
    def test_every_part_of_and_is_required(self) -> None:
        both = when(all_of=(when(branch=("main",)), when(labels=("hotfix",))))
        assert holds(both, branch="main", labels=("hotfix",))
        assert both.unmet(at(branch="main")) == "label 'hotfix' is not set"

    def test_an_alternative_inside_and_stays_inside(self) -> None:
        condition = when(branch=("main",), all_of=(when(any_of=(when(labels=("a",)),)),))
        assert not holds(condition, branch="topic", labels=("a",))

    def test_not_is_false_when_one_of_its_parts_is_true(self) -> None:
        neither = when(none_of=(when(branch=("main",)), when(labels=("hold",))))
        assert holds(neither, branch="topic")
        assert neither.unmet(at(branch="topic", labels=("hold",))) == (
            "a condition under `not` is true"
        )

    def test_not_of_an_undefined_variable_is_true(self) -> None:
        assert holds(when(none_of=(when(variable=(("x", ("1",)),)),)))

    def test_an_empty_and_or_not_asks_for_nothing(self) -> None:
        assert holds(when(all_of=(), none_of=()))


LABELS = st.sampled_from("abc")
SIMPLE = st.builds(
    when,
    every=st.booleans(),
    labels=st.none() | st.lists(LABELS, max_size=3).map(tuple),
)


def nested(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    some = st.none() | st.lists(inner, max_size=3).map(tuple)
    labels = st.none() | st.lists(LABELS, max_size=2).map(tuple)
    return st.builds(when, labels=labels, all_of=some, none_of=some, any_of=some)


def expected(condition: Condition, labels: tuple[str, ...]) -> bool:
    """The truth of a condition over labels, without reasons."""
    rest = []
    if condition.labels is not None:
        test = all if condition.every else any
        rest.append(test(label in labels for label in condition.labels))
    if condition.all_of is not None:
        rest.append(all(expected(part, labels) for part in condition.all_of))
    if condition.none_of is not None:
        rest.append(not any(expected(part, labels) for part in condition.none_of))
    if condition.any_of is None:
        return all(rest)
    return (bool(rest) and all(rest)) or any(expected(part, labels) for part in condition.any_of)


@given(st.recursive(SIMPLE, nested, max_leaves=12), st.lists(LABELS, max_size=3).map(tuple))
def test_a_false_condition_always_has_a_reason(
    condition: Condition, labels: tuple[str, ...]
) -> None:
    reason = condition.unmet(at(labels=labels))
    assert (reason is None) == expected(condition, labels)
    assert reason != ""
