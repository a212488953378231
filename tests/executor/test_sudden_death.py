"""An executor is killed; what it leaves is shown as it is, and another one goes on with it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from orchestrate_tui.domain.events import Event
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.pipeline import Retry
from orchestrate_tui.domain.status import (
    ENDED_ROLLBACKS,
    ENDED_RUNS,
    ENDED_STAGES,
    RUN_TRANSITIONS,
    STAGE_TRANSITIONS,
    RollbackStatus,
    RunStatus,
    StageStatus,
)
from orchestrate_tui.errors import Refused, StaleTransition, StoreError
from orchestrate_tui.executor.executor import PipelineExecutor
from orchestrate_tui.stagehost.boot import boot_clock, boot_id
from orchestrate_tui.store.attendance import Attendance
from orchestrate_tui.store.commands import CommandKind, CommandStatus, insert_command, read_command
from orchestrate_tui.store.recovery import mark_interrupted
from tests.executor.scenery import (
    CONTINUE,
    FOREVER,
    HOLD,
    ROLLBACK,
    Other,
    Scene,
    after,
    asking,
    break_writing,
    end_hosts_in,
    is_running,
    mend_writing,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

SUCCEEDED, FAILED = RollbackStatus.SUCCEEDED, RollbackStatus.FAILED
NOTED = "echo $ORCHESTRATE_STAGE >>done"
SLOW_UNDO = "echo $ORCHESTRATE_STAGE >ready; read go <gate; echo $ORCHESTRATE_STAGE >>undone"
CANNOT_STOP = "trap '' TERM; echo $ORCHESTRATE_STAGE >ready; while :; do read go <gate; done"


async def killed(scene: Scene, other: Other) -> None:
    """Wait until a stage says that it runs, and kill its executor and itself."""
    await scene.ready.line()
    other.kill()
    scene.bury()


async def until_it_is(scene: Scene, other: Other, name: str, status: StageStatus) -> None:
    """Wait until a stage of the run of the other process is in a status."""
    await other.until(lambda: scene.exists(1) and scene.stage(1, name).status is status)


async def test_its_run_is_shown_as_interrupted_and_goes_on_where_it_stopped(scene: Scene) -> None:
    other = scene.other_run(
        stage("a", f"{NOTED}; echo version=7 >$ORCHESTRATE_OUTPUT"),
        after(
            "b",
            "a",
            task="[ $ORCHESTRATE_ATTEMPT = 2 ] || exec tail -f ready >/dev/null",
            idempotent=True,
        ),
        after("c", "b", task="echo ${stages.a.version} >>done"),
    )
    await until_it_is(scene, other, "b", StageStatus.RUNNING)
    other.kill()
    scene.bury()
    assert scene.history.run(1).status is RunStatus.INTERRUPTED
    assert scene.statuses(1) == {"a": "succeeded", "b": "interrupted", "c": "pending"}
    run = await scene.executor.resume_run(1)
    assert run.status is RunStatus.SUCCEEDED
    assert scene.noted("done") == ["a", "7"]
    assert scene.stage(1, "b").attempt == 2
    assert [one.to_status for one in scene.history.events(1) if one.kind == "run"] == [
        "pending", "running", "interrupted", "running", "succeeded",
    ]  # fmt: skip


async def test_a_new_executor_marks_what_it_finds(scene: Scene) -> None:
    await killed(scene, scene.other_run(stage("a", FOREVER)))
    async with PipelineExecutor(scene.executor.database):
        pass
    (event,) = scene.stage_events(1, "interrupted")
    assert event.detail == "its executor died"


async def test_a_retry_delay_is_over_when_the_run_is_resumed(scene: Scene) -> None:
    task = "[ $ORCHESTRATE_ATTEMPT = 2 ]"
    other = scene.other_run(stage("a", task, retry=Retry(attempts=2, delay_s=3600)))
    await other.until(
        lambda: scene.exists(1) and scene.stage(1, "a").status is StageStatus.RETRYING
    )
    other.kill()
    scene.bury()
    run = await scene.executor.resume_run(1)
    assert run.status is RunStatus.SUCCEEDED


async def test_approvals_outlive_the_executor_that_took_them(scene: Scene) -> None:
    other = scene.other_run(stage("ship", approval=asking("root", "daemon")))
    await until_it_is(scene, other, "ship", StageStatus.WAITING_APPROVAL)
    await scene.executor.approve(1, "ship", actor="root")
    other.kill()
    scene.bury()
    with pytest.raises(Refused, match=r"Run 1 is interrupted.*orchestrate-tui resume 1"):
        await scene.executor.approve(1, "ship", actor="daemon")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, 1)
        await scene.hub.until(lambda: scene.history.run(1).status is RunStatus.RUNNING)
        await scene.executor.approve(1, "ship", actor="daemon")
    assert scene.statuses(1) == {"ship": "succeeded"}


async def test_what_was_approved_but_had_no_place_yet_asks_nobody_again(scene: Scene) -> None:
    other = scene.other_run(
        stage("ship", approval=asking("root")),
        stage("slow", FOREVER, idempotent=True),
        max_parallel=1,
    )
    await scene.ready.line()
    await scene.executor.approve(1, "ship", actor="root")
    other.kill()
    scene.bury()
    assert scene.statuses(1) == {"ship": "waiting_approval", "slow": "interrupted"}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, 1)
        await scene.hub.until(lambda: scene.statuses(1)["ship"] == "succeeded")
        await scene.ready.line()
        await scene.executor.cancel(1)


@pytest.mark.parametrize("boot", ["this", "another"])
async def test_the_time_an_approval_waited_before_counts(scene: Scene, boot: str) -> None:
    """By the clock of days only if the system was restarted meanwhile."""
    other = scene.other_run(stage("ship", approval=asking("root", timeout_s=3600)))
    await until_it_is(scene, other, "ship", StageStatus.WAITING_APPROVAL)
    other.kill()
    scene.bury()
    asked = f"{boot_id()} {boot_clock() - 7200}" if boot == "this" else "another 1.0"
    scene.executor.database.write(
        lambda connection: connection.execute("UPDATE stages SET requested_boot = ?", (asked,))
    )
    clock = utc_now if boot == "this" else lambda: utc_now() + timedelta(hours=2)
    async with PipelineExecutor(scene.executor.database, clock=clock) as later:
        run = await later.resume_run(1)
    assert run.reason == "the approval of stage 'ship' expired"


async def test_an_interrupted_run_can_be_cancelled(scene: Scene) -> None:
    await killed(scene, scene.other_run(undone("a", FOREVER), after("b", "a")))
    assert await scene.executor.cancel(1, actor="ann") == "Run 1 is cancelled"
    assert scene.history.run(1).status is RunStatus.CANCELLED
    assert scene.statuses(1) == {"a": "cancelled", "b": "skipped"}
    assert scene.reasons(1)["a"] == "not resumed: cancelled by ann"


async def test_an_interrupted_run_can_be_rolled_back(scene: Scene) -> None:
    await killed(scene, scene.other_run(undone("a"), undone("b", FOREVER, "a"), after("c", "b")))
    told: list[int] = []
    event = await scene.executor.trigger_rollback(1, "b", "a", actor="ann", accepted=told.append)
    assert (event.status, told) == (SUCCEEDED, [event.id])
    assert scene.undone() == ["b", "a"]
    run = scene.history.run(1)
    assert (run.status, run.reason) == (RunStatus.CANCELLED, "stopped by ann for a rollback")
    assert scene.statuses(1) == {"a": "rolled_back", "b": "rolled_back", "c": "skipped"}


async def test_a_run_that_was_failing_ends_as_failed(scene: Scene) -> None:
    other = scene.other_run(
        stage("slow", FOREVER), stage("bad", "read go <gate; exit 4"), after("next", "slow")
    )
    await scene.ready.line()
    scene.gate.open()
    await until_it_is(scene, other, "bad", StageStatus.FAILED)
    other.kill()
    scene.bury()
    run = await scene.executor.resume_run(1)
    assert (run.status, run.reason) == (RunStatus.FAILED, "stage 'bad' failed: exit code 4")
    assert scene.statuses(1) == {"slow": "cancelled", "bad": "failed", "next": "skipped"}


async def test_a_run_that_was_being_cancelled_ends_as_cancelled(scene: Scene) -> None:
    other = scene.other_run(stage("stubborn", CANNOT_STOP), after("next", "stubborn"))
    await scene.ready.line()
    await scene.executor.cancel(1, actor="ann")
    other.kill()
    scene.bury()
    assert scene.statuses(1) == {"stubborn": "interrupted", "next": "skipped"}
    run = await scene.executor.resume_run(1)
    assert (run.status, run.reason) == (RunStatus.CANCELLED, "cancelled by ann")
    assert scene.statuses(1) == {"stubborn": "cancelled", "next": "skipped"}


async def test_a_run_that_was_being_rolled_back_by_hand_ends_as_cancelled(scene: Scene) -> None:
    slow = undone("b", HOLD, "a", undo=SLOW_UNDO, how={"idempotent": True})
    other = scene.other_run(undone("a"), slow)
    await scene.ready.line()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_its_executor_dies, scene, "b", "a")
        assert await scene.ready.line() == "b"
        other.kill()
    scene.bury()
    scene.gate.open()
    run = await scene.executor.resume_run(1)
    assert run.status is RunStatus.CANCELLED
    assert run.reason.startswith("stopped by ")


async def _until_its_executor_dies(scene: Scene, *stages: str) -> None:
    with pytest.raises(Refused, match=r"ended before it was done.*orchestrate-tui resume 1"):
        await scene.executor.trigger_rollback(1, *stages)


async def test_a_pending_command_is_not_carried_out_by_the_next_executor(scene: Scene) -> None:
    other = scene.other_run(stage("a", FOREVER, idempotent=True))
    await scene.ready.line()
    other.kill()
    command_id = scene.executor.database.write(
        lambda connection: insert_command(
            connection,
            idempotency_key="late",
            run_id=1,
            kind=CommandKind.CANCEL,
            payload={},
            actor="ann",
            at=utc_now(),
        )
    )
    scene.bury()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.resume_run, 1)
        await scene.ready.line()
        command = scene.executor.database.read(lambda c: read_command(c, command_id))
        assert command.status is CommandStatus.REFUSED
        await scene.executor.cancel(1)


async def test_two_that_resume_at_once_do_not_both(scene: Scene) -> None:
    await killed(scene, scene.other_run(stage("a", f"{HOLD}; echo ran >>done", idempotent=True)))
    others = [scene.other("resume", 1) for _ in range(2)]
    await scene.ready.line()
    scene.gate.open()
    results = sorted([await other.result() for other in others])
    assert results[1] == "succeeded"
    assert any(name in results[0] for name in ("Refused: ", "StaleTransition: ", "Fenced: "))
    assert scene.noted("done") == ["ran"]


async def test_a_run_that_is_just_being_taken_up_is_nobody_elses(scene: Scene) -> None:
    await killed(scene, scene.other_run(stage("a", FOREVER, idempotent=True)))
    mark_interrupted(scene.executor.database, utc_now())
    async with PipelineExecutor(scene.executor.database.path) as second:
        epoch = second._context.epoch
        second.database.write(lambda c: c.execute("UPDATE runs SET epoch = ?", (epoch,)).close())
        with pytest.raises(StaleTransition, match=r"is just being taken up by \w+ \(process \d+\)"):
            await scene.executor.resume_run(1)
    assert scene.starts(1) == ["a"]


async def test_a_run_that_an_executor_left_while_it_lives_is_taken_up_by_another(
    scene: Scene,
) -> None:
    run_id = await scene.create(stage("a", idempotent=True))
    break_writing(scene)
    with pytest.raises(StoreError):
        await scene.executor.execute_run(run_id)
    mend_writing(scene)
    assert await scene.other("resume", run_id).result() == "succeeded"


# Rollbacks


async def test_steps_never_started_go_on(scene: Scene) -> None:
    other = scene.other_run(
        undone("a"),
        undone("b", "", "a", undo=SLOW_UNDO, how={"idempotent": True}),
        undone("c", "", "b"),
        after("d", "c", task="exit 1", on_failure=ROLLBACK, rollback_to="a"),
    )
    await killed(scene, other)
    assert scene.history.run(1).status is RunStatus.INTERRUPTED
    assert scene.steps(1) == {"c": "succeeded", "b": "interrupted", "a": "pending"}
    scene.gate.open()
    run = await scene.executor.resume_run(1)
    assert (run.status, run.reason) == (RunStatus.FAILED, "stage 'd' failed: exit code 1")
    assert scene.rollback(1).status is SUCCEEDED
    assert scene.undone() == ["c", "b", "a"]


async def left_in_an_undo(scene: Scene) -> None:
    """A run whose executor died while it undid its second stage, which may not be repeated."""
    await killed(
        scene,
        scene.other_run(
            undone("a"),
            undone("b", "exit 1", "a", undo=SLOW_UNDO, on_failure=ROLLBACK, rollback_to="a"),
        ),
    )


async def test_a_step_that_was_under_way_is_repeated_only_if_idempotent(scene: Scene) -> None:
    await left_in_an_undo(scene)
    run = await scene.executor.resume_run(1)
    assert run.status is RunStatus.FAILED
    event = scene.rollback(1)
    assert (event.status, event.waiting_since, event.error_message) == (
        FAILED,
        None,
        "step 'b' failed: it was interrupted and is not marked idempotent",
    )
    assert scene.steps(1) == {"b": "failed", "a": "pending"}
    assert scene.undone() == []


async def test_it_waits_for_the_operator_while_a_console_is_open(scene: Scene) -> None:
    await left_in_an_undo(scene)
    async with anyio.create_task_group() as tasks:
        with Attendance(scene.executor.database.files):
            tasks.start_soon(scene.executor.resume_run, 1)
            await scene.hub.until(lambda: scene.rollback(1).waiting_since)
        assert scene.steps(1) == {"b": "failed", "a": "pending"}
        await scene.executor.halt(1, actor="ann")
    event = scene.rollback(1)
    assert event.error_message == (
        "step 'b' failed: it was interrupted and is not marked idempotent; halted by ann"
    )
    assert scene.undone() == []


async def test_the_same_holds_for_a_rollback_of_an_ended_run(scene: Scene) -> None:
    run = await scene.run(
        undone("a"), undone("b", "", "a", undo=SLOW_UNDO, how={"idempotent": True})
    )
    await killed(scene, scene.other("rollback", run.id, "b", "a"))
    with pytest.raises(Refused, match=r"executor of rollback 1 .* died.*orchestrate-tui resume 1"):
        await scene.executor.trigger_rollback(run.id, "a")
    scene.gate.open()
    resumed = await scene.executor.resume_run(run.id)
    assert resumed.status is RunStatus.SUCCEEDED
    assert scene.rollback(1).status is SUCCEEDED
    assert scene.undone() == ["b", "a"]
    with pytest.raises(Refused, match="only an interrupted one is resumed"):
        await scene.executor.resume_run(run.id)


async def test_a_rollback_whose_executor_died_can_be_halted(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a", undo=SLOW_UNDO))
    await killed(scene, scene.other("rollback", run.id, "b", "a"))
    answer = await scene.executor.halt(1, actor="ann", reason="by hand")
    assert answer == "Rollback 1 is halted"
    event = scene.rollback(1)
    assert (event.status, event.error_message) == (
        FAILED,
        "step 'b' failed: halted by ann: by hand",
    )
    assert scene.steps(1) == {"b": "failed", "a": "pending"}


async def test_halting_it_ends_the_undo_that_was_left_running(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=FOREVER))
    other = scene.other("rollback", run.id, "a", "a")
    _, pid = (await scene.ready.line()).split()
    other.kill()
    assert is_running(pid)
    await scene.executor.halt(1, actor="ann")
    assert not is_running(pid)
    assert scene.rollback(1).error_message == "step 'a' failed: halted by ann"


async def test_an_interrupted_run_that_is_being_rolled_back_is_not_cancelled(scene: Scene) -> None:
    other = scene.other_run(undone("a", "exit 1", undo=SLOW_UNDO, on_failure=ROLLBACK))
    await killed(scene, other)
    with pytest.raises(Refused, match=r"died before its end.*orchestrate-tui resume 1"):
        await scene.executor.cancel(1)
    await scene.executor.halt(1, actor="ann")
    run = await scene.executor.resume_run(1)
    assert run.status is RunStatus.FAILED


async def test_a_rollback_that_waited_is_carried_out_by_the_next_executor(scene: Scene) -> None:
    other = scene.other_run(
        undone("a", "exit 1", undo=SLOW_UNDO, on_failure=ROLLBACK, how={"idempotent": True}),
        undone("b", "read go <other-gate; exit 1", on_failure=ROLLBACK),
    )
    await scene.ready.line()
    scene.other_gate.open()
    await until_it_is(scene, other, "b", StageStatus.FAILED)
    other.kill()
    scene.bury()
    scene.gate.open()
    await scene.executor.resume_run(1)
    assert [event.status for event in scene.rollbacks(1)] == [SUCCEEDED, SUCCEEDED]
    assert scene.undone() == ["a", "b"]


# At every point


EVERYTHING = tuple(replace(one, idempotent=True) for one in (
    stage("build", "echo v=1 >$ORCHESTRATE_OUTPUT"),
    undone("deploy", "echo ${stages.build.v}", "build", how={"idempotent": True}),
    undone("warm", "", "build", how={"idempotent": True}),
    after("lint", "build", task="exit 1", on_failure=CONTINUE),
    after("flaky", "lint", task="[ $ORCHESTRATE_ATTEMPT -gt 1 ]", retry=Retry(attempts=2)),
    after("smoke", "deploy", "warm", "flaky", task="exit 1", on_failure=ROLLBACK,
          rollback_to="deploy"),
    after("announce", "smoke"),
))  # fmt: skip


@pytest.mark.parametrize("commits", range(1, 21))
async def test_wherever_it_is_killed_a_resumed_run_ends_and_its_events_agree(
    scene: Scene, commits: int
) -> None:
    await scene.other_run(*EVERYTHING, max_parallel=2).die_after(commits)
    scene.bury()
    if scene.history.run(1).status not in ENDED_RUNS:
        await scene.other("resume", 1).die_after(commits % 7 + 1)
        scene.bury()
    if scene.history.run(1).status not in ENDED_RUNS:
        await scene.executor.resume_run(1)
    assert scene.history.run(1).status is RunStatus.FAILED
    assert scene.rollback(1).status is SUCCEEDED
    assert scene.statuses(1)["deploy"] == "rolled_back"
    assert scene.statuses(1)["announce"] == "skipped"
    check_that_all_has_ended(scene)
    check_that_events_agree(scene.history.events(1), scene.statuses(1))


def check_that_all_has_ended(scene: Scene) -> None:
    assert scene.history.run(1).status in ENDED_RUNS
    assert all(one.status in ENDED_STAGES for one in scene.history.stages(1))
    assert all(one.status in ENDED_ROLLBACKS for one in scene.history.rollbacks(1))


def check_that_events_agree(events: tuple[Event, ...], statuses: dict[str, str]) -> None:
    """Each change starts where the one before ended, is legal, and the last is the row's."""
    last: dict[str | None, str] = defaultdict(lambda: "pending")
    for event in events:
        if event.kind in {"stage", "run"} and event.from_status is not None:
            key = event.stage_name if event.kind == "stage" else None
            assert event.from_status == last[key], event
            assert event.to_status in _legal(event), event
            last[key] = event.to_status or ""
    assert {name: last[name] for name in statuses} == statuses


def _legal(event: Event) -> frozenset[str]:
    if event.kind == "run":
        return RUN_TRANSITIONS[RunStatus(event.from_status or "")]
    return STAGE_TRANSITIONS[StageStatus(event.from_status or "")]


@pytest.mark.parametrize("commits", range(3, 10))
async def test_wherever_it_is_killed_a_failed_undo_ends_its_rollback(
    scene: Scene, commits: int
) -> None:
    undo = {"undo": "exit 2", "how": {"idempotent": True}, "idempotent": True}
    await scene.other_run(undone("a", "exit 1", on_failure=ROLLBACK, **undo)).die_after(commits)
    scene.bury()
    if scene.history.run(1).status not in ENDED_RUNS:
        await scene.executor.resume_run(1)
    event = scene.rollback(1)
    assert (event.status, event.error_message) == (FAILED, "step 'a' failed: exit code 2")
    check_that_all_has_ended(scene)


@pytest.mark.parametrize("how", ["resumed", "cancelled", "rolled back"])
async def test_what_it_left_running_is_ended_first(scene: Scene, how: str) -> None:
    endless = "[ $ORCHESTRATE_ATTEMPT = 2 ] || { echo a $$ >ready; exec sleep 600; }"
    other = scene.other_run(undone("a", endless, idempotent=True))
    _, pid = (await scene.ready.line()).split()
    other.kill()
    scene.bury(with_processes=False)
    end_hosts_in(scene.history.files.hosts)
    assert is_running(pid)
    if how == "resumed":
        await scene.executor.resume_run(1)
    elif how == "cancelled":
        await scene.executor.cancel(1)
    else:
        await scene.executor.trigger_rollback(1, "a")
    assert not is_running(pid)
