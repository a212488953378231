"""Runs of which people are told, by a process beside the executor that nothing waits for."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import anyio.to_thread
import pytest

from orchestrate_tui.domain.notification import DeliveryStatus
from orchestrate_tui.domain.notifying import EscalationStep, NotifyRule, Occasion
from orchestrate_tui.domain.pipeline import Environment
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.executor import companion
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.stagehost.secret_forms import forms_of
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.database import StoreFiles
from tests.executor.scenery import HOLD, ROLLBACK, Scene, _kill, asking, pipeline, stage, undone
from tests.receivers import PASSWORD, TOKEN, HttpReceiver, http_receiver

pytestmark = pytest.mark.anyio

TEAM = NotifyRule(to=("TEAM",))
FAILURES = NotifyRule(to=("TEAM",), on=(Occasion.RUN_FAILED,))
AN_HOUR = (EscalationStep(after_s=3600, to=("TEAM",)),)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpReceiver]:
    with http_receiver() as made:
        monkeypatch.setenv("TEAM", made.address)
        yield made


def notifiers(path: Path) -> list[int]:
    """The processes that tell people of what is in a database."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"executor.notifier" in words and bytes(path) in words:
                found.append(int(entry.name))
    return found


@pytest.fixture(autouse=True)
def _end_notifiers(path: Path) -> Iterator[None]:
    """Ends those for which a failed test waits."""
    yield
    for process in notifiers(path):
        _kill(process)


def everybody_is_told(files: StoreFiles, epoch: int) -> None:
    """Wait for the end of the notifier of an executor."""
    with files.notifier_lock(epoch).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


async def message(receiver: HttpReceiver) -> dict[str, Any]:
    return await anyio.to_thread.run_sync(receiver.message)


async def test_a_failed_run_is_told_and_its_address_is_kept_nowhere(
    scene: Scene, receiver: HttpReceiver
) -> None:
    run = await scene.run(
        stage("build", 'echo "to $TEAM"; echo the end; exit 3'), notify=(FAILURES,)
    )
    told = receiver.message()
    assert told["title"] == f"run {run.id} of shop failed"
    assert told["message"].splitlines()[0] == "stage 'build' failed: exit code 3"
    assert told["message"].splitlines()[-2:] == ["to ***", "the end"]
    files = scene.executor.database.files
    everybody_is_told(files, scene.executor.epoch)
    (one,) = scene.history.notifications(run.id)
    assert (one.outcome, one.deliveries[0].status) == ("everybody was told", DeliveryStatus.SENT)
    kept = b"".join(f.read_bytes() for f in files.database.parent.rglob("*") if f.is_file())
    secret = forms_of([PASSWORD.encode(), TOKEN.encode()])
    assert [form for form in secret if form in kept] == []


class NoRoom(Thread):
    """A thread of a process that may have no more of them."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


async def test_a_run_ends_and_is_told_of_later_where_there_is_no_room_for_a_thread(
    scene: Scene, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion, "Thread", NoRoom)
    first = await scene.run(stage("build", "exit 1"), notify=(FAILURES,))
    assert first.status is RunStatus.FAILED
    monkeypatch.setattr(companion, "Thread", Thread)
    second = await scene.run(stage("build", "exit 1"), notify=(FAILURES,))
    titles = {(await message(receiver))["title"] for _ in range(2)}
    assert titles == {f"run {run.id} of shop failed" for run in (first, second)}


async def test_an_approval_is_asked_for_until_it_is_decided(
    scene: Scene, receiver: HttpReceiver
) -> None:
    waiting = stage("ship", approval=asking(current_user()))
    rule = NotifyRule(to=("TEAM",), escalate=AN_HOUR)
    async with scene.running(waiting, notify=(rule,)) as run_id:
        told = await message(receiver)
        assert told["title"] == f"stage 'ship' of run {run_id} of shop waits for approval"
        await scene.executor.approve(run_id, "ship")
    assert scene.ended[run_id].status is RunStatus.SUCCEEDED
    (one,) = scene.history.notifications(run_id)
    assert one.outcome == "the stage is running"


async def test_nobody_is_asked_again_although_an_approved_stage_waits_for_its_place(
    scene: Scene, receiver: HttpReceiver
) -> None:
    waiting = stage("ship", approval=asking(current_user()))
    rule = NotifyRule(to=("TEAM",), escalate=AN_HOUR)
    async with scene.running(
        waiting, stage("hold", HOLD), notify=(rule,), max_parallel=1
    ) as run_id:
        await message(receiver)
        await scene.ready.line()
        await scene.executor.approve(run_id, "ship")
        (one,) = scene.history.notifications(run_id)
        assert one.outcome == f"approved by {current_user()}"
        scene.gate.open()


async def test_a_rollback_is_told_as_it_starts_and_ends(
    scene: Scene, receiver: HttpReceiver
) -> None:
    run = await scene.run(
        undone("deploy", "echo wrong; exit 1", on_failure=ROLLBACK, undo="echo put back"),
        notify=(TEAM,),
    )
    told = [receiver.message() for _ in range(3)]
    by_title = {one["title"]: one["message"] for one in told}
    assert by_title.keys() == {
        f"run {run.id} of shop is being rolled back to 'deploy'",
        f"run {run.id} of shop was rolled back to 'deploy'",
        f"run {run.id} of shop failed",
    }
    undo = by_title[f"run {run.id} of shop was rolled back to 'deploy'"]
    assert undo.splitlines()[-2:] == [
        "The last lines of the log of the undo of deploy:",
        "put back",
    ]


async def test_a_rollback_that_waits_for_a_decision_is_told_until_somebody_decides(
    scene: Scene, receiver: HttpReceiver
) -> None:
    rule = NotifyRule(to=("TEAM",), on=(Occasion.ROLLBACK_FAILED,), escalate=AN_HOUR)
    run = await scene.run(undone("deploy", undo="echo stuck; exit 1"), notify=(rule,))
    async with anyio.create_task_group() as tasks:
        roll_back = scene.executor.trigger_rollback
        tasks.start_soon(lambda: roll_back(run.id, "deploy", waits=True))
        told = await message(receiver)
        title = f"the rollback of run {run.id} of shop to 'deploy' WAITS: a step failed"
        assert told["title"] == title
        command = "rollback-step 1 retry|skip|done|halt --reason TEXT"
        said = f"Decide with: orchestrate-tui {command} --db {scene.executor.database.path}"
        assert told["message"].splitlines()[0] == "step 'deploy' failed: exit code 1"
        assert said in told["message"].splitlines()
        await scene.executor.decide_step(1, StepAction.SKIP, reason="later", actor="ann")
    (one,) = scene.history.notifications(run.id)
    assert one.outcome == "passed over by ann: later"


async def test_a_rollback_that_is_halted_while_it_waits_is_told_as_failed(
    scene: Scene, receiver: HttpReceiver
) -> None:
    rule = NotifyRule(to=("TEAM",), on=(Occasion.ROLLBACK_FAILED,), escalate=AN_HOUR)
    run = await scene.run(undone("deploy", undo="exit 1"), notify=(rule,))
    async with anyio.create_task_group() as tasks:
        roll_back = scene.executor.trigger_rollback
        tasks.start_soon(lambda: roll_back(run.id, "deploy", waits=True))
        await message(receiver)
        await scene.executor.halt(1, reason="later", actor="ann")
    told = await message(receiver)
    assert told["title"] == f"the rollback of run {run.id} of shop to 'deploy' FAILED"
    again = f"orchestrate-tui rollback {run.id} --from deploy --to deploy --retry --reason TEXT"
    assert f"Try again what is left: {again} --db " in told["message"]
    failed, waited = scene.history.notifications(run.id)
    assert (failed.outcome, waited.outcome) == ("", "the rollback has failed")
    await scene.executor.acknowledge(run.id, actor="ann")


async def test_a_tripped_breaker_is_told_with_the_command_that_resets_it(
    scene: Scene, receiver: HttpReceiver
) -> None:
    rule = NotifyRule(to=("TEAM",), on=(Occasion.BREAKER_TRIPPED,), escalate=AN_HOUR)
    once = (Environment(name="live", breaker=1),)
    fails = undone("deploy", "exit 1", on_failure=ROLLBACK, environment="live")
    await scene.run(fails, notify=(rule,), environments=once)
    told = await message(receiver)
    assert told["title"] == "too many rollbacks of shop: new runs are refused"
    again = "When you know why, let new runs go to 'live' again: orchestrate-tui reset 1"
    place = scene.executor.database.path
    assert f"{again} --reason TEXT --db {place}" in told["message"].splitlines()
    assert "acknowledge" not in told["message"]
    await scene.executor.rule(Ruling.RESET, 1, reason="the disk", actor="ann")
    (one,) = scene.history.notifications()
    assert one.outcome == "the breaker was reset by ann"


async def test_neither_a_run_nor_its_rollback_waits_for_a_channel(
    scene: Scene, receiver: HttpReceiver
) -> None:
    receiver.answers.clear()
    run = await scene.run(undone("deploy", "exit 1", on_failure=ROLLBACK), notify=(TEAM,))
    assert scene.rollback(run.id).status == "succeeded"
    await message(receiver)
    statuses = [o.status for one in scene.history.notifications(run.id) for o in one.deliveries]
    assert DeliveryStatus.SENT not in statuses
    receiver.answers.set()


async def test_an_operator_is_told_of_runs_whose_pipeline_names_nobody(
    path: Path, folder: Path, receiver: HttpReceiver
) -> None:
    async with PipelineExecutor(path, notify=(FAILURES,)) as executor:
        run_id = await executor.create_run(pipeline(stage("build", "exit 1")), workdir=folder)
        await executor.execute_run(run_id)
    assert receiver.message()["title"] == f"run {run_id} of shop failed"


async def test_acknowledging_a_run_ends_its_notifier(scene: Scene, receiver: HttpReceiver) -> None:
    rule = NotifyRule(to=("TEAM",), on=(Occasion.RUN_FAILED,), escalate=AN_HOUR)
    run = await scene.run(stage("build", "exit 1"), notify=(rule,))
    receiver.message()
    await scene.executor.acknowledge(run.id)
    everybody_is_told(scene.executor.database.files, scene.executor.epoch)
    assert scene.history.notifications(run.id)[0].outcome == f"acknowledged by {current_user()}"


async def test_a_notifier_that_dies_is_started_again_and_sends_again(
    scene: Scene, path: Path, receiver: HttpReceiver
) -> None:
    receiver.answers.clear()
    await scene.run(stage("build", "exit 1"), notify=(FAILURES,))
    receiver.message()
    for process in notifiers(path):
        _kill(process)
    assert receiver.message()
    receiver.answers.set()


async def test_an_escalation_survives_its_executor(scene: Scene, receiver: HttpReceiver) -> None:
    receiver.answers.clear()
    soon = (EscalationStep(after_s=0.1, to=("TEAM",)),)
    rule = NotifyRule(to=("TEAM",), on=(Occasion.RUN_FAILED,), escalate=soon)
    other = scene.other_run(stage("build", "exit 1"), notify=(rule,))
    await message(receiver)
    other.kill()
    assert (await message(receiver))["title"].endswith("(step 2: nobody has seen to it yet)")
    receiver.answers.set()


async def test_the_next_executor_goes_on_with_what_nobody_sees_to(
    scene: Scene, path: Path, receiver: HttpReceiver
) -> None:
    receiver.answers.clear()
    other = scene.other_run(stage("build", "exit 1"), notify=(FAILURES,))
    await message(receiver)
    other.kill()
    for process in notifiers(path):
        _kill(process)
    scene.bury()
    async with PipelineExecutor(path):
        assert await message(receiver)
    receiver.answers.set()


async def test_nothing_is_started_where_nobody_is_told(scene: Scene, path: Path) -> None:
    run = await scene.run(stage("build", "exit 1"))
    assert run.status is RunStatus.FAILED
    assert notifiers(path) == []
    assert not scene.executor.database.files.notifier_lock(scene.executor.epoch).exists()
