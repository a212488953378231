"""Rollbacks that wait for the operator when a step of theirs failed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.lowlevel
import pytest

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.pipeline import Retry
from orchestrate_tui.domain.status import RollbackStatus, RunStatus
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import Refused, StoreError
from orchestrate_tui.store.attendance import Attendance
from tests.executor.scenery import HOLD, ROLLBACK, Scene, after, undone

pytestmark = pytest.mark.anyio

SUCCEEDED, FAILED = RollbackStatus.SUCCEEDED, RollbackStatus.FAILED
RETRY, SKIP, DONE = StepAction.RETRY, StepAction.SKIP, StepAction.DONE
FAILS_UNTIL_MENDED = "[ -e mended ] && echo $ORCHESTRATE_STAGE >>undone"


async def broken_run(scene: Scene) -> int:
    """A run whose second stage cannot be undone until there is a file `mended`."""
    run = await scene.run(
        undone("a"), undone("b", "", "a", undo=FAILS_UNTIL_MENDED), undone("c", "", "b")
    )
    return run.id


@asynccontextmanager
async def waiting(scene: Scene, run_id: int, **settings: object) -> AsyncIterator[int]:
    """A rollback of the whole run that waits for the operator; the block's end waits for its."""

    async def roll_back() -> None:
        await scene.executor.trigger_rollback(run_id, "c", "a", **({"waits": True} | settings))  # type: ignore[arg-type]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(roll_back)
        await scene.hub.until(lambda: is_waiting(scene, run_id))
        rollback_id = scene.rollback(run_id).id or 0
        try:
            yield rollback_id
        except Exception:
            await scene.executor.halt(rollback_id)
            raise


def is_waiting(scene: Scene, run_id: int) -> bool:
    return any(event.waiting_since for event in scene.history.rollbacks(run_id))


async def test_a_rollback_waits_for_the_operator_and_goes_on_after_a_retry(scene: Scene) -> None:
    run_id = await broken_run(scene)
    async with waiting(scene, run_id) as rollback_id:
        assert scene.steps(rollback_id) == {"c": "succeeded", "b": "failed", "a": "pending"}
        assert scene.rollback(run_id).status is RollbackStatus.RUNNING
        (scene.folder / "mended").touch()
        answer = await scene.executor.decide_step(
            rollback_id, RETRY, reason="mended it", actor="ann"
        )
        assert answer == f"Rollback {rollback_id} goes on: tried again for ann: mended it"
    event = scene.rollback(run_id)
    assert (event.status, event.waiting_since) == (SUCCEEDED, None)
    assert scene.undone() == ["c", "b", "a"]
    told = [one for one in scene.history.events(run_id) if one.kind in ("step", "waiting")]
    of_b = [(one.kind, one.to_status, one.actor, one.detail) for one in told]
    assert ("waiting", "running", "", "step 'b' failed: exit code 1") in of_b
    assert ("step", "retrying", "ann", "tried again for ann: mended it") in of_b


@pytest.mark.parametrize(
    ("action", "step", "stage"),
    [(SKIP, "skipped", "succeeded"), (DONE, "done", "rolled_back")],
)
async def test_it_goes_on_without_the_step_and_remembers_why(
    scene: Scene, action: StepAction, step: str, stage: str
) -> None:
    run_id = await broken_run(scene)
    async with waiting(scene, run_id) as rollback_id:
        await scene.executor.decide_step(rollback_id, action, reason="by hand", actor="ann")
    assert scene.rollback(run_id).status is SUCCEEDED
    assert scene.steps(rollback_id) == {"c": "succeeded", "b": step, "a": "succeeded"}
    assert scene.undone() == ["c", "a"]
    assert scene.statuses(run_id) == {"a": "rolled_back", "b": stage, "c": "rolled_back"}
    assert scene.step_rows(rollback_id)[1].error_message.endswith("by ann: by hand")


async def test_a_retry_that_fails_waits_again(scene: Scene) -> None:
    run_id = await broken_run(scene)
    async with waiting(scene, run_id) as rollback_id:
        for _ in range(2):
            await scene.executor.decide_step(rollback_id, RETRY, reason="again")
            await scene.hub.until(lambda: scene.steps(rollback_id)["b"] == "failed")
        await scene.executor.halt(rollback_id, reason="enough", actor="ann")
    event = scene.rollback(run_id)
    assert event.error_message == "step 'b' failed: exit code 1; halted by ann: enough"
    assert event.status is FAILED
    assert [step.attempt for step in scene.step_rows(rollback_id)] == [1, 3, 0]


async def test_it_fails_when_nobody_is_there_to_decide(scene: Scene) -> None:
    run_id = await broken_run(scene)
    event = await scene.executor.trigger_rollback(run_id, "c", "a")
    assert (event.status, event.waiting_since) == (FAILED, None)
    assert event.error_message == "step 'b' failed: exit code 1"


async def test_it_waits_while_a_console_that_may_act_is_open(scene: Scene) -> None:
    run_id = await broken_run(scene)
    with Attendance(scene.executor.database.files):
        async with waiting(scene, run_id, waits=False) as rollback_id:
            await scene.executor.decide_step(rollback_id, SKIP, reason="later")
    assert scene.rollback(run_id).status is SUCCEEDED


async def test_a_decision_needs_a_reason_and_a_step_that_waits(scene: Scene) -> None:
    run_id = await broken_run(scene)
    async with waiting(scene, run_id) as rollback_id:
        with pytest.raises(Refused, match="needs a reason"):
            await scene.executor.decide_step(rollback_id, SKIP, reason=" ")
        with pytest.raises(Refused, match="These steps wait for a decision: b"):
            await scene.executor.decide_step(rollback_id, SKIP, reason="x", stage="a")
        await scene.executor.decide_step(rollback_id, SKIP, reason="x", stage="b")
    with pytest.raises(Refused, match=f"Rollback {rollback_id} has ended: it succeeded at .*show"):
        await scene.executor.decide_step(rollback_id, SKIP, reason="x")


async def test_who_comes_too_late_is_told_how_to_try_what_is_left(scene: Scene) -> None:
    run_id = await broken_run(scene)
    await scene.executor.trigger_rollback(run_id, "c", "a")
    again = f"orchestrate-tui rollback {run_id} --from c --to a --retry --reason TEXT"
    for late in (scene.executor.decide_step(1, SKIP, reason="x"), scene.executor.halt(1)):
        with pytest.raises(Refused) as refused:
            await late
        assert "it failed at " in refused.value.message
        assert "(step 'b' failed: exit code 1)" in refused.value.message
        assert refused.value.next_step == f"Try again what is left with: {again}"


async def test_about_a_rollback_that_goes_on_nothing_can_be_decided(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=HOLD))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(run.id, "a"))
        await scene.ready.line()
        with pytest.raises(Refused, match=r"No step of rollback 1 waits .* rollback-step 1 halt"):
            await scene.executor.decide_step(1, SKIP, reason="x")
        scene.gate.open()


async def test_of_two_who_decide_at_once_one_wins(scene: Scene) -> None:
    run_id = await broken_run(scene)
    refused: list[str] = []

    async def decide(rollback_id: int, actor: str) -> None:
        try:
            await scene.executor.decide_step(rollback_id, SKIP, reason="x", actor=actor)
        except Refused as refusal:
            refused.append(str(refusal))

    async with waiting(scene, run_id) as rollback_id, anyio.create_task_group() as tasks:
        tasks.start_soon(decide, rollback_id, "ann")
        tasks.start_soon(decide, rollback_id, "ben")
    assert len(refused) == 1
    assert "passed over by" in refused[0] or "waits for a decision" in refused[0]
    assert scene.rollback(run_id).status is SUCCEEDED


async def test_a_decision_that_could_not_be_recorded_can_be_made_again(scene: Scene) -> None:
    run_id = await broken_run(scene)
    async with waiting(scene, run_id) as rollback_id:
        scene.executor.database.write(
            lambda c: c.execute(
                "CREATE TRIGGER broken BEFORE UPDATE ON rollback_steps"
                " BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
            ).close()
        )
        with pytest.raises(StoreError):
            await scene.executor.decide_step(rollback_id, SKIP, reason="x")
        scene.executor.database.write(lambda c: c.execute("DROP TRIGGER broken").close())
        await scene.executor.decide_step(rollback_id, DONE, reason="by hand")
    assert scene.steps(rollback_id)["b"] == "done"


async def test_an_automatic_rollback_waits_within_its_run(scene: Scene) -> None:
    with Attendance(scene.executor.database.files):
        async with scene.running(
            undone("a"),
            undone("b", "", "a", undo=FAILS_UNTIL_MENDED),
            after("c", "b", task="exit 1", on_failure=ROLLBACK, rollback_to="a"),
        ) as run_id:
            await scene.hub.until(lambda: is_waiting(scene, run_id))
            rollback_id = scene.rollback(run_id).id or 0
            await scene.executor.decide_step(rollback_id, DONE, reason="by hand")
    assert scene.ended[run_id].status is RunStatus.FAILED
    assert scene.rollback(run_id).status is SUCCEEDED
    assert scene.statuses(run_id)["b"] == "rolled_back"


async def test_independent_undos_wait_too_and_each_failed_one_is_named(scene: Scene) -> None:
    run = await scene.run(
        undone("a"),
        undone("b", "", "a", undo="echo $ORCHESTRATE_STAGE >ready; exit 1"),
        undone("c", "", "a", undo="echo $ORCHESTRATE_STAGE >ready; read go <gate; exit 1"),
        after("end", "b", "c"),
        parallel_rollback=True,
    )
    async with anyio.create_task_group() as tasks:
        roll_back = scene.executor.trigger_rollback
        tasks.start_soon(lambda: roll_back(run.id, "end", "a", waits=True))
        assert await scene.ready.lines(2) == {"b", "c"}
        scene.gate.open()
        await scene.hub.until(lambda: list(scene.steps(1).values()).count("failed") == 2)
        with pytest.raises(Refused, match="Name one of them with --stage"):
            await scene.executor.decide_step(1, SKIP, reason="x")
        await scene.executor.decide_step(1, SKIP, reason="x", stage="c")
        assert is_waiting(scene, run.id)
        await scene.executor.decide_step(1, DONE, reason="x", stage="b")
    assert scene.steps(1) == {"c": "skipped", "b": "done", "a": "succeeded"}


# Other processes


async def test_another_process_decides(scene: Scene) -> None:
    run_id = await broken_run(scene)
    async with waiting(scene, run_id) as rollback_id:
        other = scene.other("decide", rollback_id, "skip", "from elsewhere")
        assert "passed over by" in await other.result()
    assert scene.rollback(run_id).status is SUCCEEDED


async def test_another_process_decides_within_a_run(scene: Scene) -> None:
    with Attendance(scene.executor.database.files):
        async with scene.running(
            undone("a", "exit 1", undo="exit 1", on_failure=ROLLBACK)
        ) as run_id:
            await scene.hub.until(lambda: is_waiting(scene, run_id))
            assert "undone by" in await scene.other("decide", 1, "done", "by hand").result()
    assert scene.steps(1) == {"a": "done"}


async def left_waiting(scene: Scene) -> RollbackEvent:
    """A rollback that waits for the operator, and whose executor died."""
    run_id = await broken_run(scene)
    other = scene.other("waiting", run_id, "c", "a")
    await other.until(lambda: is_waiting(scene, run_id))
    other.kill()
    scene.bury()
    return scene.rollback(run_id)


async def test_a_waiting_rollback_survives_its_executor_and_a_decision_takes_it_up(
    scene: Scene,
) -> None:
    event = await left_waiting(scene)
    with pytest.raises(Refused, match="These steps wait for a decision: b"):
        await scene.executor.decide_step(event.id or 0, SKIP, reason="x", stage="c")
    (scene.folder / "mended").touch()
    await scene.executor.decide_step(event.id or 0, RETRY, reason="mended it", actor="ann")
    assert scene.rollback(event.run_id).status is SUCCEEDED
    assert scene.undone() == ["c", "b", "a"]


async def decide_once_it_is_taken_up(scene: Scene, rollback_id: int) -> None:
    while True:
        await anyio.lowlevel.checkpoint()
        with suppress(Refused):
            await scene.executor.decide_step(rollback_id, SKIP, reason="x")
            return


async def test_a_resumed_rollback_waits_on(scene: Scene) -> None:
    event = await left_waiting(scene)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, event.run_id)
        await scene.hub.until(lambda: scene.rollback(event.run_id).epoch != event.epoch)
        assert scene.rollback(event.run_id).waiting_since == event.waiting_since
        await decide_once_it_is_taken_up(scene, event.id or 0)
    assert scene.rollback(event.run_id).status is SUCCEEDED
    assert scene.undone() == ["c", "a"]


async def test_a_decision_outlives_the_executor_that_would_act_on_it(scene: Scene) -> None:
    run_id = await broken_run(scene)
    other = scene.other("waiting", run_id, "c", "a")
    await other.until(lambda: is_waiting(scene, run_id))
    rollback_id = scene.rollback(run_id).id or 0
    (scene.folder / "mended").touch()
    await scene.executor.decide_step(rollback_id, RETRY, reason="mended it")
    assert await other.result() == "succeeded"
    assert scene.undone() == ["c", "b", "a"]


async def test_a_waiting_rollback_whose_executor_died_can_be_halted(scene: Scene) -> None:
    event = await left_waiting(scene)
    await scene.executor.halt(event.id or 0, reason="by hand", actor="ann")
    ended = scene.rollback(event.run_id)
    assert ended.error_message == "step 'b' failed: exit code 1; halted by ann: by hand"
    assert (ended.status, ended.waiting_since) == (FAILED, None)


# Checks


async def test_an_undo_whose_check_says_so_is_not_needed(scene: Scene) -> None:
    needed, unneeded = {"check": "exit 0"}, {"check": "echo no; exit 1"}
    run = await scene.run(undone("a", how=needed), undone("b", "", "a", how=unneeded))
    event = await scene.executor.trigger_rollback(run.id, "b", "a")
    assert event.status is SUCCEEDED
    assert scene.undone() == ["a"]
    assert scene.statuses(run.id) == {"a": "rolled_back", "b": "rolled_back"}
    step = scene.step_rows(event.id)[0]
    assert (step.status, step.error_message) == ("succeeded", "not needed, says its check")
    assert scene.history.undo_log_path(run.id, event.id or 0, "b", 1).read_text() == "no\n"


async def test_a_check_that_cannot_say_fails_the_step_and_is_asked_again(scene: Scene) -> None:
    how = {"check": "echo x >>asked; exit 2", "retry": Retry(attempts=2)}
    run = await scene.run(undone("a", how=how))
    event = await scene.executor.trigger_rollback(run.id, "a")
    assert event.error_message == "step 'a' failed: its check failed: exit code 2"
    assert (scene.noted("asked"), scene.undone()) == (["x", "x"], [])


@pytest.mark.parametrize(("answer", "noted"), [(0, ["b", "a"]), (1, ["a"])])
async def test_an_interrupted_undo_with_a_check_goes_on_as_that_says(
    scene: Scene, answer: int, noted: list[str]
) -> None:
    check = f"[ ! -e asked ] || exit {answer}; touch asked"
    slow = "[ -e again ] || { touch again; echo here >ready; read go <gate; }; echo b >>undone"
    run = await scene.run(undone("a"), undone("b", "", "a", undo=slow, how={"check": check}))
    other = scene.other("rollback", run.id, "b", "a")
    await scene.ready.line()
    other.kill()
    scene.bury()
    await scene.executor.resume_run(run.id)
    assert scene.rollback(run.id).status is SUCCEEDED
    assert scene.undone() == noted


async def test_a_simulated_rollback_asks_no_check(scene: Scene) -> None:
    run = await scene.run(undone("a", how={"check": "touch asked; exit 1"}), simulated=True)
    event = await scene.executor.trigger_rollback(run.id, "a")
    assert (event.status, (scene.folder / "asked").exists()) == (SUCCEEDED, False)
