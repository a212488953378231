"""How far a rollback reaches: the target alone or all that came after it, and where."""

from __future__ import annotations

from orchestrate_tui.domain.headings import environments_among, headings
from orchestrate_tui.domain.pipeline import Undo
from tests.unit.domain.test_components import BOTH, parts, pipeline, plan, stage

SHOP = pipeline(
    stage("migrate", environment="data"),
    stage("deploy", "migrate", environment="production", components=BOTH),
    stage("test", "deploy", rollback=None),
)


def test_without_cascade_the_target_alone_is_undone() -> None:
    found = plan(SHOP, "migrate", cascade=False)
    assert parts(found) == ["migrate"]
    assert found.scope == ("migrate",)
    stays = "stays as it is: only 'migrate' is undone"
    assert [(skip.stage_name, skip.reason) for skip in found.skipped] == [
        ("deploy", stays),
        ("test", stays),
    ]
    assert not found.must_be_forced


def test_without_cascade_what_must_follow_an_undo_stays_too() -> None:
    chained = pipeline(
        stage("cache", depends_on=()),
        stage("deploy", depends_on=(), rollback=Undo(task="back", then=("cache",))),
    )
    assert parts(plan(chained, "deploy")) == ["deploy", "cache"]
    assert parts(plan(chained, "deploy", cascade=False)) == ["deploy"]


def test_components_narrow_the_target_that_is_undone_alone() -> None:
    assert parts(plan(SHOP, "deploy", "web", cascade=False)) == ["deploy[web]"]


def test_a_plan_for_the_target_alone_is_another_one() -> None:
    assert plan(SHOP, "migrate").hash != plan(SHOP, "migrate", cascade=False).hash


def test_without_cascade_a_target_that_nothing_undoes_is_refused() -> None:
    found = plan(SHOP, "test", cascade=False)
    assert found.refusal == "Stage 'test' has nothing to undo it"


def test_the_steps_in_several_environments_are_told_apart() -> None:
    found = plan(SHOP, "migrate")
    assert parts(found) == ["deploy[api]", "deploy[web]", "migrate"]
    assert found.environments == ("production", "data")
    assert found.headings == ("In production:", "", "In data:")


def test_one_environment_needs_no_heading() -> None:
    assert plan(SHOP, "deploy").headings == ("", "")
    assert headings(["production", None]) == ("", "")


def test_an_environment_that_is_come_back_to_is_named_again() -> None:
    places = ["a", None, "b", "a"]
    assert headings(places) == ("In a:", "In no environment:", "In b:", "In a:")
    assert environments_among(places) == ("a", "b")
