from __future__ import annotations

import pytest

from orchestrate_tui.domain.pipeline import OnTimeout
from orchestrate_tui.domain.run import Decision
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.people import People
from orchestrate_tui.store.accounts import current_user
from tests.executor.scenery import (
    CONTINUE,
    HOLD,
    ROLLBACK,
    Scene,
    after,
    asking,
    pipeline,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

WAITING = StageStatus.WAITING_APPROVAL


async def test_who_comes_when_the_run_has_ended_is_told_who_decided(scene: Scene) -> None:
    async with scene.running(stage("ship", approval=asking("root"))) as run_id:
        await scene.until(run_id, "ship", StageStatus.WAITING_APPROVAL)
        await scene.executor.approve(run_id, "ship", actor="root")
    with pytest.raises(Refused, match=r"Run 1 has ended.*; stage 'ship' was approved by root at"):
        await scene.executor.reject(run_id, "ship", actor="root")


async def test_a_stage_waits_until_its_approver_approves(scene: Scene) -> None:
    async with scene.running(stage("ship", approval=asking("root")), after("x", "ship")) as run_id:
        await scene.until(run_id, "ship", WAITING)
        answer = await scene.executor.approve(run_id, "ship", comment="go", actor="root")
        assert answer == f"Approved stage 'ship' of run {run_id}"
    assert scene.ended[run_id].status is RunStatus.SUCCEEDED
    (record,) = scene.history.approvals(run_id)
    assert (record.decision, record.actor, record.entry) == (Decision.APPROVED, "root", "root")
    assert record.comment == "go"


async def test_waiting_takes_no_place_of_those_that_run(scene: Scene) -> None:
    async with scene.running(
        stage("ship", approval=asking("root")), stage("other"), max_parallel=1
    ) as run_id:
        await scene.until(run_id, "other", StageStatus.SUCCEEDED)
        await scene.executor.approve(run_id, "ship", actor="root")


async def test_every_listed_entry_has_to_approve(scene: Scene) -> None:
    async with scene.running(stage("ship", approval=asking("root", "daemon"))) as run_id:
        await scene.until(run_id, "ship", WAITING)
        answer = await scene.executor.approve(run_id, "ship", actor="daemon")
        assert answer == f"Approved stage 'ship' of run {run_id}; 1 more to go"
        assert scene.stage(run_id, "ship").status is WAITING
        await scene.executor.approve(run_id, "ship", actor="root")
    assert scene.statuses(run_id) == {"ship": "succeeded"}


async def test_a_quorum_of_the_entries_is_enough(scene: Scene) -> None:
    async with scene.running(
        stage("ship", approval=asking("root", "daemon", "bin", quorum=2))
    ) as run_id:
        await scene.until(run_id, "ship", WAITING)
        await scene.executor.approve(run_id, "ship", actor="bin")
        await scene.executor.approve(run_id, "ship", actor="root")
    assert scene.statuses(run_id) == {"ship": "succeeded"}


async def test_nobody_satisfies_the_same_entry_twice(scene: Scene) -> None:
    async with scene.running(stage("ship", approval=asking("root", "daemon"))) as run_id:
        await scene.until(run_id, "ship", WAITING)
        await scene.executor.approve(run_id, "ship", actor="root")
        with pytest.raises(Refused, match="already decided"):
            await scene.executor.approve(run_id, "ship", actor="root")
        await scene.executor.cancel(run_id)


async def test_who_is_not_listed_is_refused_and_told_who_is(scene: Scene) -> None:
    async with scene.running(stage("ship", approval=asking("root", "@ops"))) as run_id:
        await scene.until(run_id, "ship", WAITING)
        for ask in (scene.executor.approve, scene.executor.reject):
            with pytest.raises(Refused, match=r"may not decide.*approvers are: root, @ops"):
                await ask(run_id, "ship", actor="daemon")
        await scene.executor.cancel(run_id)
    assert scene.history.approvals(run_id) == ()


async def test_who_acts_is_the_user_of_the_operating_system(scene: Scene) -> None:
    async with scene.running(stage("ship", approval=asking(current_user()))) as run_id:
        await scene.until(run_id, "ship", WAITING)
        await scene.executor.approve(run_id, "ship")
    assert scene.history.approvals(run_id)[0].actor == current_user()


async def test_a_stage_that_does_not_wait_cannot_be_approved(scene: Scene) -> None:
    async with scene.running(stage("build", HOLD)) as run_id:
        await scene.ready.line()
        for name in ("build", "ghost"):
            with pytest.raises(Refused, match="is not waiting for an approval"):
                await scene.executor.approve(run_id, name, actor="root")
        scene.gate.open()
    with pytest.raises(Refused, match=f"Run {run_id} has ended: it succeeded"):
        await scene.executor.approve(run_id, "build", actor="root")


async def test_a_rejection_halts_the_run_even_where_failures_are_allowed(scene: Scene) -> None:
    async with scene.running(
        stage("ship", approval=asking("root"), on_failure=CONTINUE), after("next", "ship")
    ) as run_id:
        await scene.until(run_id, "ship", WAITING)
        await scene.executor.reject(run_id, "ship", comment="not today", actor="root")
    run = scene.ended[run_id]
    assert (run.status, run.reason) == (
        RunStatus.FAILED,
        "stage 'ship' was rejected by root: not today",
    )
    assert scene.statuses(run_id) == {"ship": "rejected", "next": "skipped"}
    assert scene.reasons(run_id)["ship"] == "rejected by root: not today"
    assert scene.stage(run_id, "ship").started_at is None


async def test_one_rejection_is_enough_whatever_the_quorum(scene: Scene) -> None:
    async with scene.running(stage("ship", approval=asking("root", "bin", quorum=1))) as run_id:
        await scene.until(run_id, "ship", WAITING)
        await scene.executor.reject(run_id, "ship", actor="bin")
    assert scene.statuses(run_id) == {"ship": "rejected"}


async def test_a_rejection_rolls_back_where_the_stage_says_so(scene: Scene) -> None:
    async with scene.running(
        undone("stage"),
        after("ship", "stage", approval=asking("root"), on_failure=ROLLBACK, rollback_to="stage"),
    ) as run_id:
        await scene.until(run_id, "ship", WAITING)
        await scene.executor.reject(run_id, "ship", actor="root")
    assert scene.statuses(run_id) == {"stage": "rolled_back", "ship": "rejected"}
    event = scene.rollback(run_id)
    assert event.reason == "stage 'ship' was rejected by root"
    assert scene.undone() == ["stage"]


async def test_an_expiry_only_halts(scene: Scene) -> None:
    run = await scene.run(
        undone("stage"),
        after(
            "ship",
            "stage",
            approval=asking("root", timeout_s=0.01),
            on_failure=ROLLBACK,
            rollback_to="stage",
        ),
        after("next", "ship"),
    )
    assert (run.status, run.reason) == (
        RunStatus.FAILED,
        "the approval of stage 'ship' expired",
    )
    assert scene.statuses(run.id) == {
        "stage": "succeeded", "ship": "rejected", "next": "skipped",
    }  # fmt: skip
    assert scene.history.rollbacks(run.id) == ()


async def test_an_expiry_can_approve(scene: Scene) -> None:
    approval = asking("root", timeout_s=0.01, on_timeout=OnTimeout.APPROVE)
    run = await scene.run(stage("ship", approval=approval))
    assert run.status is RunStatus.SUCCEEDED


async def test_anybody_may_decide_in_a_simulated_run(scene: Scene) -> None:
    async with scene.running(
        stage("ship", approval=asking("@nobody-at-all", "root")), simulated=True
    ) as run_id:
        await scene.until(run_id, "ship", WAITING)
        await scene.executor.approve(run_id, "ship", actor="daemon")
        await scene.executor.approve(run_id, "ship", actor="daemon")
    assert scene.ended[run_id].status is RunStatus.SUCCEEDED


async def test_roles_stand_for_users_and_groups() -> None:
    people = People({"team-lead": ("daemon", "@ops"), "nobody-left": ("@none-such",)})
    assert people.members("team-lead") == {"daemon"}
    shop = pipeline(
        stage("a", approval=asking("team-lead")),
        stage("b", approval=asking("nobody-left")),
        stage("c", approval=asking("root", quorum=2)),
        stage("e", approval=asking("@root", "no-such-user")),
    )
    assert list(People.obstacles(people, shop)) == [
        ("b", "approver 'nobody-left' of stage 'b' is nobody here"),
        ("c", "stage 'c' needs 2 approvals of 1"),
        ("e", "approver 'no-such-user' of stage 'e' is nobody here"),
    ]
