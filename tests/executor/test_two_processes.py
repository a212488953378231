from __future__ import annotations

import os
import signal

import anyio
import pytest

from orchestrate_tui.domain.moments import spoken
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus
from orchestrate_tui.errors import Refused, RollbackRefused, StalePlan
from orchestrate_tui.store.accounts import current_user
from tests.executor.scenery import (
    FOREVER,
    HOLD,
    ROLLBACK,
    Other,
    Scene,
    after,
    asking,
    is_running,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

SLOW = "echo $ORCHESTRATE_STAGE >ready; read go <gate; echo $ORCHESTRATE_STAGE >>undone"


async def waiting(scene: Scene, other: Other, name: str) -> None:
    """Wait until a stage of the other process's run waits for its approval."""
    await other.until(
        lambda: scene.exists(1) and scene.stage(1, name).status is StageStatus.WAITING_APPROVAL
    )


async def test_an_approval_reaches_the_run_of_another_process(scene: Scene) -> None:
    other = scene.other_run(stage("ship", approval=asking("root", "daemon")))
    await waiting(scene, other, "ship")
    answer = await scene.executor.approve(1, "ship", comment="fine", actor="daemon")
    assert answer == "Approved stage 'ship' of run 1; 1 more to go"
    with pytest.raises(Refused, match=r"You \(bin\) may not decide"):
        await scene.executor.approve(1, "ship", actor="bin")
    assert await scene.executor.approve(1, "ship", actor="root") == "Approved stage 'ship' of run 1"
    assert await other.result() == "succeeded"
    assert [one.actor for one in scene.history.approvals(1)] == ["daemon", "root"]


async def test_a_rejection_reaches_the_run_of_another_process(scene: Scene) -> None:
    other = scene.other_run(stage("ship", approval=asking("root")))
    await waiting(scene, other, "ship")
    await scene.executor.reject(1, "ship", comment="no", actor="root")
    assert await other.result() == "failed"
    assert scene.reasons(1) == {"ship": "rejected by root: no"}


async def test_a_cancellation_reaches_the_run_of_another_process(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER))
    _, pid = (await scene.ready.line()).split()
    assert await scene.executor.cancel(1, actor="ann") == "Run 1 is being cancelled"
    assert await other.result() == "cancelled"
    assert not is_running(pid)
    assert scene.reasons(1) == {"a": "cancelled by ann"}


async def test_the_answer_is_recorded_with_what_it_did(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER))
    await scene.ready.line()
    await scene.executor.cancel(1, actor="ann")
    await other.result()
    (event,) = (one for one in scene.history.events(1) if one.kind == "command")
    assert (event.actor, event.to_status) == ("ann", "done")
    assert event.detail == "cancel: Run 1 is being cancelled"


async def test_a_rollback_reaches_the_run_of_another_process(scene: Scene) -> None:
    other = scene.other_run(undone("a"), undone("b", FOREVER, "a"))
    await scene.ready.line()
    told: list[int] = []
    event = await scene.executor.trigger_rollback(
        1, "b", "a", actor="ann", reason="bad", accepted=told.append
    )
    assert (event.status, event.actor, event.reason) == (RollbackStatus.SUCCEEDED, "ann", "bad")
    assert told == [event.id]
    assert await other.result() == "cancelled"
    assert scene.undone() == ["b", "a"]


async def test_a_rollback_that_is_refused_there_is_refused_here(scene: Scene) -> None:
    other = scene.other_run(undone("a"), stage("c"), undone("b", HOLD, "a", "c"))
    await scene.ready.line()
    with pytest.raises(StalePlan, match=r"The run changed since this plan was made"):
        await scene.executor.trigger_rollback(1, "b", "a", plan_hash="old")
    with pytest.raises(Refused, match=r"Possible targets are: a"):
        await scene.executor.trigger_rollback(1, "a", "c")
    scene.gate.open()
    assert await other.result() == "succeeded"
    assert scene.history.rollbacks(1) == ()


async def test_a_halt_reaches_the_rollback_of_another_process(scene: Scene) -> None:
    other = scene.other_run(undone("a", "exit 1", on_failure=ROLLBACK, undo=FOREVER))
    _, pid = (await scene.ready.line()).split()
    assert await scene.executor.halt(1, actor="ann") == "Rollback 1 is being halted"
    assert await other.result() == "failed"
    assert not is_running(pid)
    assert scene.rollback(1).error_message == "step 'a' failed: halted by ann"


async def test_a_halt_reaches_the_rollback_of_an_ended_run_in_another_process(
    scene: Scene,
) -> None:
    run = await scene.run(undone("a", undo=FOREVER))
    other = scene.other("rollback", run.id, "a", "a")
    await scene.ready.line()
    with pytest.raises(Refused, match="orchestrate-tui rollback-step 1 halt"):
        await scene.executor.cancel(run.id)
    with pytest.raises(RollbackRefused, match=r"Rollback 1 by .* is running"):
        await scene.executor.trigger_rollback(run.id, "a")
    assert await scene.executor.halt(1, actor="ann") == "Rollback 1 is being halted"
    assert await other.result() == "failed"


async def test_during_a_rollback_in_another_process_a_cancellation_names_the_halt(
    scene: Scene,
) -> None:
    other = scene.other_run(undone("a", "exit 1", on_failure=ROLLBACK, undo=SLOW))
    await scene.ready.line()
    with pytest.raises(Refused, match="orchestrate-tui rollback-step 1 halt"):
        await scene.executor.cancel(1)
    scene.gate.open()
    assert await other.result() == "failed"


async def test_a_halt_still_arrives_when_the_other_process_was_told_to_stop(scene: Scene) -> None:
    """What cancels the owner's call must not make it deaf while it finishes a rollback."""
    other = scene.other_run(undone("a", "exit 1", on_failure=ROLLBACK, undo=FOREVER))
    await scene.ready.line()
    os.kill(other.pid, signal.SIGINT)
    assert await scene.executor.halt(1, actor="ann") == "Rollback 1 is being halted"
    assert await other.ended() != 0
    assert scene.history.run(1).status is RunStatus.FAILED
    assert scene.rollback(1).error_message == "step 'a' failed: halted by ann"


async def test_who_resumes_what_this_process_works_on_is_told_whose_it_is(scene: Scene) -> None:
    async with scene.running(stage("a", HOLD)) as run_id:
        await scene.ready.line()
        us = rf"this process, that of {current_user()} \(process {os.getpid()}\), works on it"
        with pytest.raises(Refused, match=us):
            await scene.executor.resume_run(run_id, actor="ann")
        scene.gate.open()


async def test_a_run_whose_owner_lives_is_not_resumed(scene: Scene) -> None:
    other = scene.other_run(stage("a", HOLD))
    await scene.ready.line()
    assert scene.history.run(1).status is RunStatus.RUNNING
    with pytest.raises(Refused, match="Run 1 is running; only an interrupted one is resumed"):
        await scene.executor.resume_run(1)
    with pytest.raises(Refused, match="Run 1 is running and cannot be started"):
        await scene.executor.execute_run(1)
    scene.gate.open()
    assert await other.result() == "succeeded"


async def test_what_is_asked_while_the_run_ends_is_answered(scene: Scene) -> None:
    other = scene.other_run(stage("a", HOLD), after("b", "a", agent="nothing"))
    await scene.ready.line()
    answers: list[str] = []

    async def ask() -> None:
        try:
            answers.append(await scene.executor.cancel(1))
        except Refused as error:
            answers.append(str(error))

    async with anyio.create_task_group() as tasks:
        scene.gate.open()
        for _ in range(20):
            tasks.start_soon(ask)
    assert len(answers) == 20
    assert await other.result() in {"succeeded", "cancelled"}


async def test_many_processes_share_one_database(scene: Scene) -> None:
    others = [
        scene.other_run(*(stage(f"s{number}", agent="nothing") for number in range(40)))
        for _ in range(4)
    ]
    run = await scene.run(*(stage(f"s{number}", agent="nothing") for number in range(40)))
    assert run.status is RunStatus.SUCCEEDED
    assert [await other.result() for other in others] == ["succeeded"] * 4


async def test_of_two_decisions_one_counts_and_the_other_is_told_whose(scene: Scene) -> None:
    other = scene.other_run(stage("ship", approval=asking("@root")), stage("a", HOLD))
    await waiting(scene, other, "ship")
    told: list[str] = []

    async def decide(verdict: str) -> None:
        try:
            await getattr(scene.executor, verdict)(1, "ship", actor="root")
        except Refused as refused:
            told.append(str(refused))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(decide, "approve")
        tasks.start_soon(decide, "reject")
    (record,) = scene.history.approvals(1)
    (sentence,) = told
    assert f": {record.decision} by root at {spoken(record.decided_at)}" in sentence
    scene.gate.open()
    await other.result()


async def test_of_two_who_cancel_one_does_and_the_other_is_told_who(scene: Scene) -> None:
    other = scene.other_run(stage("a", "trap '' TERM; " + FOREVER.replace("exec ", "")))
    await scene.ready.line()
    told: list[str] = []

    async def cancel(actor: str) -> None:
        try:
            told.append(await scene.executor.cancel(1, actor=actor))
        except Refused as refused:
            told.append(str(refused))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel, "ann")
        tasks.start_soon(cancel, "bob")
    await other.result()
    winner = scene.reasons(1)["a"].removeprefix("cancelled by ")
    done, refused = sorted(told)
    assert done == "Run 1 is being cancelled"
    assert f"Run 1 is ending already: cancelled by {winner} at " in refused
