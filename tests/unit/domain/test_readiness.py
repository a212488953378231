"""Whether stages could be undone, and how much of a pipeline can be."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.pipeline import (
    ROLLBACK_AGENT,
    Agent,
    AgentKind,
    OnFailure,
    Pipeline,
    Snapshot,
    Stage,
    Undo,
)
from orchestrate_tui.domain.readiness import Light, SnapshotState, at_stake, coverage, readiness
from orchestrate_tui.domain.release import Release, Succession
from orchestrate_tui.domain.run import StageRun
from orchestrate_tui.domain.status import StageStatus

ROBOT = Agent(name="robot", kind=AgentKind.SHELL, shell="true")
FALLBACK = Agent(name=ROLLBACK_AGENT, kind=AgentKind.SHELL, shell="true")
EARLIER = Release(
    id=7, pipeline="shop", environment="live", run_id=1, stage_name="a", created_at=utc_now()
)
BACK = Undo(task="${previous.release}")
AGAIN = Undo(task="again")


def stage(name: str = "a", **settings: Any) -> Stage:
    return Stage(**({"name": name, "agent": "robot", "task": "work"} | settings))


def pipeline(*stages: Stage, agents: tuple[Agent, ...] = (ROBOT,)) -> Pipeline:
    return Pipeline(name="shop", stages=stages, agents=agents)


def run(status: StageStatus = StageStatus.SUCCEEDED, **details: Any) -> StageRun:
    given = {"started_at": utc_now()} | details
    return StageRun(run_id=1, stage_name="a", position=0, status=status, **given)


@pytest.mark.parametrize(
    ("settings", "facts", "light", "problem"),
    [
        ({"rollback": AGAIN}, {}, Light.READY, ""),
        ({}, {}, Light.NOT_READY, "nothing undoes it"),
        ({"rollback": Undo(task="x", agent="ghost")}, {}, Light.NOT_READY, "agent 'ghost'"),
        ({"rollback": BACK}, {"succession": Succession()}, Light.NOT_READY, "no earlier release"),
        ({"rollback": BACK}, {"succession": Succession(earlier=EARLIER)}, Light.READY, ""),
        ({"rollback": BACK}, {}, Light.READY, ""),
        (
            {"rollback": BACK},
            {"succession": Succession(), "snapshot": SnapshotState.INTACT},
            Light.DOUBTFUL,
            "no earlier release",
        ),
        ({}, {"snapshot": SnapshotState.INTACT}, Light.READY, ""),
        ({"rollback": AGAIN}, {"snapshot": SnapshotState.DAMAGED}, Light.NOT_READY, "is damaged"),
        ({"rollback": AGAIN}, {"snapshot": SnapshotState.MISSING}, Light.NOT_READY, "is missing"),
        ({"rollback": AGAIN}, {"snapshot": SnapshotState.PRUNED}, Light.NOT_READY, "is pruned"),
        ({"rollback": Undo(task="x", irreversible=True)}, {}, Light.DOUBTFUL, "cannot be taken"),
        ({}, {"run": run(StageStatus.SKIPPED, started_at=None)}, Light.IDLE, "did not run"),
        ({}, {"run": run(StageStatus.ROLLED_BACK, rolled_back_by=3)}, Light.IDLE, "rollback 3"),
        ({"rollback": AGAIN}, {"run": run()}, Light.READY, ""),
    ],
)
def test_a_light_says_what_is_missing(
    settings: dict[str, Any], facts: dict[str, Any], light: Light, problem: str
) -> None:
    one = stage(**settings)
    found = readiness(pipeline(one), one, facts.pop("run", None), **facts)
    assert found.light is light
    assert problem in "; ".join(found.problems)
    assert bool(found.problems) is bool(problem)


def test_what_only_the_rollback_agent_undoes_is_doubtful() -> None:
    found = readiness(pipeline(stage(), agents=(ROBOT, FALLBACK)), stage())
    assert (found.light, found.agent) == (Light.DOUBTFUL, ROLLBACK_AGENT)


def test_the_coverage_names_what_has_nothing_to_go_back_to() -> None:
    stages = [stage(f"s{number}") for number in range(3)]
    stages += [stage("a", rollback=AGAIN), stage("b", snapshot=Snapshot(paths=("x",)))]
    stages += [stage("c", rollback=AGAIN, environment="live")]
    found = coverage(pipeline(*stages, stage("deploy-prod", environment="production")))
    assert found.sentence == ("3 of 7 stages can be undone; deploy-prod has nothing to go back to")


def test_several_stages_have_nothing_to_go_back_to() -> None:
    exposed = [stage(name, environment="live") for name in "ab"]
    failing = stage("c", on_failure=OnFailure.ROLLBACK)
    assert coverage(pipeline(*exposed, failing)).sentence == (
        "0 of 3 stages can be undone; a, b and c have nothing to go back to"
    )


def test_a_check_goes_back_to_what_it_checks() -> None:
    deploy = stage("deploy", environment="live", rollback=AGAIN)
    check = stage("c", environment="live", on_failure=OnFailure.ROLLBACK, rollback_to="deploy")
    assert coverage(pipeline(deploy, check)).sentence == "1 of 2 stages can be undone"


def test_the_rollback_agent_covers_the_targets_of_rollbacks_alone() -> None:
    stages = (stage("a"), stage("b", on_failure=OnFailure.ROLLBACK, rollback_to="a"))
    assert coverage(pipeline(*stages, agents=(ROBOT, FALLBACK))).undoable == ("a",)


def test_nothing_is_said_of_a_pipeline_that_changes_nothing_out_there() -> None:
    assert coverage(pipeline(stage())).sentence == ""


def test_what_somebody_has_open_cannot_be_put_back_now() -> None:
    kept, open_ = stage(snapshot=Snapshot(paths=("db",))), "process 7 has 'db' open"
    found = readiness(pipeline(kept), kept, snapshot=SnapshotState.INTACT, in_use=open_)
    assert (found.light, found.problems) == (Light.NOT_READY, (open_,))


def test_it_matters_of_what_changes_something_or_is_gone_back_to_whether_it_can_be_undone() -> None:
    stages = (
        stage("build"),
        stage("tell", rollback=AGAIN),
        stage("migrate", snapshot=Snapshot(paths=("db",))),
        stage("deploy", environment="live"),
        stage("warm"),
        stage("check", on_failure=OnFailure.ROLLBACK, rollback_to="warm"),
    )
    assert at_stake(pipeline(*stages)) == {"tell", "migrate", "deploy", "warm"}
