"""Rollbacks of single components: what is undone, what stays, and what hinders it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrate_tui.domain.components import overlaps, parts_of
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Pipeline, Snapshot, Stage, Undo
from orchestrate_tui.domain.planner import plan_rollback
from orchestrate_tui.domain.rollback import IRREVERSIBLE, step_predecessors
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
UNDO = Undo(task="put back ${component}")
BOTH = ("api", "web")


def stage(name: str, *after: str, components: tuple[str, ...] = (), **settings: Any) -> Stage:
    given: dict[str, Any] = {"agent": "a", "task": "t", "depends_on": after, "rollback": UNDO}
    return Stage(name=name, components=components, **(given | settings))


def pipeline(*stages: Stage, **settings: Any) -> Pipeline:
    agents = (Agent(name="a", kind=AgentKind.SHELL, shell="true"),)
    return Pipeline(name="shop", agents=agents, stages=stages, **settings)


def plan(shop: Pipeline, target: str, *components: str, **given: Any) -> RollbackPlan:
    rows = {
        one.name: StageRun(
            run_id=1,
            stage_name=one.name,
            position=position,
            status=StageStatus.SUCCEEDED,
            attempt=1,
            started_at=NOON,
        )
        for position, one in enumerate(shop.stages)
    }
    last = shop.stages[-1].name
    return plan_rollback(
        shop,
        StageGraph.of(shop.stages),
        rows,
        failed_stage=last,
        target=target,
        components=components,
        **given,
    )


def parts(found: RollbackPlan) -> list[str]:
    return [step.part for step in found.steps]


SHOP = pipeline(
    stage("deploy", components=BOTH),
    stage("warm", "deploy", components=BOTH),
    stage("test", "warm", rollback=None),
)


def test_a_stage_with_components_is_undone_one_by_one() -> None:
    assert parts(plan(SHOP, "deploy")) == [
        "warm[api]", "warm[web]", "deploy[api]", "deploy[web]",
    ]  # fmt: skip


def test_only_the_chosen_component_is_undone() -> None:
    found = plan(SHOP, "deploy", "api")
    assert parts(found) == ["warm[api]", "deploy[api]"]
    assert (found.components, found.refusal, found.hindrance) == (("api",), "", "")
    assert [(skip.stage_name, skip.reason) for skip in found.skipped] == [
        ("test", "belongs to no component, stays as it is")
    ]


def test_of_a_component_that_is_irreversible_is_told_although_another_one_is_put_back() -> None:
    gone = Undo(task="", irreversible=True)
    kept = Snapshot(paths=("conf",))
    shop = pipeline(stage("deploy", components=BOTH, rollback=gone, snapshot=kept))
    conf = {"deploy[api]": ("conf",)}
    found = plan(shop, "deploy", snapshots=conf, pruned=("deploy[api]",))
    assert parts(found) == ["deploy[api]"]
    assert found.irreversible == ("deploy",)
    assert [(skip.stage_name, skip.reason) for skip in found.skipped] == [("deploy", IRREVERSIBLE)]
    assert "stage 'deploy' is irreversible: its effects cannot be taken back" in found.warnings


def test_what_was_undone_before_is_not_undone_again() -> None:
    undone = {"deploy": frozenset({"api"}), "warm": frozenset(BOTH)}
    found = plan(SHOP, "deploy", undone=undone)
    assert parts(found) == ["deploy[web]"]
    assert next(skip.reason for skip in found.skipped) == "already undone: api, web"
    assert plan(SHOP, "deploy", "api", undone=undone).refusal == (
        "Stage 'deploy' already undone: api"
    )


def test_a_target_without_the_component_is_refused() -> None:
    shop = pipeline(stage("base", components=("db",)), stage("deploy", "base", components=BOTH))
    found = plan(shop, "base", "api")
    assert found.refusal == "Stage 'base' stays as it is: it has db"


def test_another_component_that_depends_on_it_hinders_it() -> None:
    shop = pipeline(
        stage("deploy-api", components=("api",)),
        stage("deploy-web", "deploy-api", components=("web",)),
    )
    found = plan(shop, "deploy-api", "api")
    assert parts(found) == ["deploy-api[api]"]
    assert found.hindrance == "Stage 'deploy-web' depends on 'deploy-api', and would stay as it is"


def test_what_has_nothing_to_undo_or_does_not_depend_on_it_hinders_nothing() -> None:
    beside = pipeline(
        stage("deploy-api", components=("api",)),
        stage("deploy-web", components=("web",)),
        stage("test", "deploy-api", "deploy-web", rollback=None),
    )
    assert plan(beside, "deploy-api", "api").hindrance == ""


def test_each_choice_has_a_hash_of_its_own() -> None:
    hashes = {plan(SHOP, "deploy", *chosen).hash for chosen in ((), ("api",), ("web",), BOTH)}
    assert len(hashes) == 4


def test_the_snapshots_of_components_are_put_back_with_them() -> None:
    kept = {"deploy[api]": ("srv/api",), "test[api]": ()}
    found = plan(SHOP, "deploy", "api", snapshots=kept)
    assert [step.restores for step in found.steps] == [(), ("srv/api",)]


def test_parallel_undos_of_components_wait_for_all_of_those_after_them() -> None:
    shop = pipeline(*SHOP.stages, parallel_rollback=True)
    found = plan(shop, "deploy")
    before = step_predecessors(shop, StageGraph.of(shop.stages), found)
    assert [sorted(one) for one in before] == [[], [], [0, 1], [0, 1]]


def test_what_is_skipped_of_a_stage_is_named_by_its_component() -> None:
    back = Undo(task="${previous.version}")
    shop = pipeline(stage("deploy", components=BOTH, rollback=back))
    assert [skip.part for skip in plan(shop, "deploy").skipped] == ["deploy[api]", "deploy[web]"]


@pytest.mark.parametrize(
    ("some", "others", "meet"),
    [
        (("api",), ("web",), False),
        (("api",), BOTH, True),
        ((), ("web",), True),
        (("web",), (), True),
    ],
)
def test_choices_meet_in_a_component_that_both_have_and_none_means_all(
    some: tuple[str, ...], others: tuple[str, ...], *, meet: bool
) -> None:
    assert overlaps(some, others) is meet


def test_without_components_a_stage_is_undone_as_a_whole() -> None:
    assert parts_of(stage("test")) == (None,)
    assert parts_of(stage("deploy", components=BOTH)) == BOTH
