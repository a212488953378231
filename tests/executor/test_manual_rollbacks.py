from __future__ import annotations

import anyio
import pytest

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.moments import spoken
from orchestrate_tui.domain.pipeline import Retry
from orchestrate_tui.domain.status import (
    RollbackStatus,
    RollbackTriggerType,
    RunStatus,
    StageStatus,
)
from orchestrate_tui.errors import (
    NotFound,
    Refused,
    RollbackLoop,
    RollbackRefused,
    StalePlan,
    StoreError,
)
from tests.executor.scenery import (
    FOREVER,
    HOLD,
    ROLLBACK,
    Scene,
    after,
    asking,
    is_running,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

SUCCEEDED, FAILED = RollbackStatus.SUCCEEDED, RollbackStatus.FAILED
SLOW = "echo $ORCHESTRATE_STAGE $$ >ready; read go <gate; echo $ORCHESTRATE_STAGE >>undone"
FAILS_ONCE = "[ -e again ] || { touch again; exit 1; }; echo $ORCHESTRATE_STAGE >>undone"


async def test_an_ended_run_is_rolled_back_and_keeps_its_status(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a"), undone("c", "", "b"))
    event = await scene.executor.trigger_rollback(run.id, "c", "b", reason="slow", actor="ann")
    assert (event.status, event.trigger_type) == (SUCCEEDED, RollbackTriggerType.MANUAL)
    assert (event.actor, event.reason) == ("ann", "slow")
    assert event == scene.rollback(run.id)
    assert scene.undone() == ["c", "b"]
    assert scene.history.run(run.id).status is RunStatus.SUCCEEDED
    assert scene.statuses(run.id) == {"a": "succeeded", "b": "rolled_back", "c": "rolled_back"}


async def test_the_id_is_told_once_the_rollback_is_recorded(scene: Scene) -> None:
    run = await scene.run(undone("a"))
    told: list[RollbackEvent] = []
    await scene.executor.trigger_rollback(
        run.id, "a", accepted=lambda rollback_id: told.append(scene.history.rollback(rollback_id))
    )
    assert [event.status for event in told] == [RollbackStatus.PENDING]


async def test_a_running_run_is_stopped_and_then_rolled_back(scene: Scene) -> None:
    async with scene.running(
        undone("a"), undone("b", FOREVER, "a"), after("c", "b"), stage("d", approval=asking("root"))
    ) as run_id:
        _, pid = (await scene.ready.line()).split()
        event = await scene.executor.trigger_rollback(run_id, "b", "a", actor="ann")
        assert not is_running(pid)
        assert event.status is SUCCEEDED
    run = scene.ended[run_id]
    assert (run.status, run.reason) == (
        RunStatus.CANCELLED,
        "stopped by ann for a rollback to 'a'",
    )
    assert scene.undone() == ["b", "a"]
    assert scene.statuses(run_id) == {
        "a": "rolled_back", "b": "rolled_back", "c": "skipped", "d": "skipped",
    }  # fmt: skip


async def test_a_run_that_ends_while_it_is_asked_is_rolled_back_as_an_ended_one(
    scene: Scene,
) -> None:
    run_id = await scene.create(undone("a", agent="nothing", undo="true"))
    events = []

    async def roll_back() -> None:
        events.append(await scene.executor.trigger_rollback(run_id, "a"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.execute_run, run_id)
        await scene.until(run_id, "a", StageStatus.SUCCEEDED)
        tasks.start_soon(roll_back)
    assert [event.status for event in events] == [SUCCEEDED]


async def test_an_unknown_stage_is_not_found_and_the_others_are_named(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a"))
    for stages in (("x", "a"), ("b", "x")):
        with pytest.raises(NotFound, match=r"no stage 'x'. Its stages are: a, b"):
            await scene.executor.trigger_rollback(run.id, *stages)
        with pytest.raises(NotFound, match="no stage 'x'"):
            await scene.executor.plan_rollback(run.id, *stages)
    for nothing in (scene.executor.trigger_rollback, scene.executor.plan_rollback):
        with pytest.raises(NotFound, match="no stage ''"):
            await nothing(run.id, "")
    assert scene.rollbacks(run.id) == []


async def test_a_target_that_is_not_upstream_is_refused_with_the_possible_ones(
    scene: Scene,
) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a"), undone("c", "", "a"))
    with pytest.raises(RollbackRefused, match=r"does not come after.*Possible targets are: a, b"):
        await scene.executor.trigger_rollback(run.id, "b", "c")
    assert scene.rollbacks(run.id) == []


async def test_targets_are_possible_that_have_an_undo_and_were_none_before(scene: Scene) -> None:
    run = await scene.run(
        undone("a"),
        after("plain", "a"),
        undone("mail", "", "plain", undo="", how={"irreversible": True}),
        undone("b", "", "mail"),
        undone("c", "", "b"),
    )
    await scene.executor.trigger_rollback(run.id, "c")
    for target in ("plain", "mail"):
        sentence = f"Stage '{target}' has nothing to undo it. Possible targets are: a, b$"
        with pytest.raises(RollbackRefused, match=sentence):
            await scene.executor.trigger_rollback(run.id, "c", target)
    with pytest.raises(RollbackRefused, match=r"does not come after.*Possible targets are: a$"):
        await scene.executor.trigger_rollback(run.id, "mail", "c")


async def test_a_target_that_is_refused_is_not_among_the_possible_ones(scene: Scene) -> None:
    live = {"environment": "production"}
    run = await scene.run(
        undone("a"),
        undone("first", "", "a", undo="echo ${previous.version}", **live),
        undone("last", "", "first"),
    )
    sentence = (
        r"'first' has nothing to go back to: no earlier release. Possible targets are: a, last$"
    )
    with pytest.raises(RollbackRefused, match=sentence):
        await scene.executor.trigger_rollback(run.id, "last", "first")


async def test_a_plan_that_is_no_longer_true_is_refused(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a"))
    plan = await scene.executor.plan_rollback(run.id, "b", "a")
    await scene.executor.trigger_rollback(run.id, "b")
    with pytest.raises(StalePlan):
        await scene.executor.trigger_rollback(run.id, "b", "a", plan_hash=plan.hash)
    assert len(scene.rollbacks(run.id)) == 1


async def test_a_plan_of_a_running_run_is_refused_once_another_stage_started(
    scene: Scene,
) -> None:
    async with scene.running(undone("a"), undone("b", HOLD, "a"), undone("c", HOLD, "b")) as run_id:
        await scene.ready.line()
        plan = await scene.executor.plan_rollback(run_id, "b", "a")
        scene.gate.open()
        assert await scene.ready.line() == "c"
        with pytest.raises(StalePlan):
            await scene.executor.trigger_rollback(run_id, "b", "a", plan_hash=plan.hash)
        assert scene.statuses(run_id)["c"] == "running"
        scene.gate.open()
    assert scene.ended[run_id].status is RunStatus.SUCCEEDED


async def test_the_plan_that_was_shown_is_carried_out(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a"))
    plan = await scene.executor.plan_rollback(run.id, "b", "a")
    event = await scene.executor.trigger_rollback(run.id, "b", "a", plan_hash=plan.hash)
    assert (event.status, event.plan_hash) == (SUCCEEDED, plan.hash)
    assert [step.stage_name for step in plan.steps] == scene.undone()


async def test_while_one_is_under_way_another_is_refused_naming_it(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=SLOW), undone("b", "", "a"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(run.id, "a", actor="ann"))
        await scene.ready.line()
        running = scene.rollback(run.id)
        with pytest.raises(
            RollbackRefused, match=f"Rollback {running.id} by ann of run .* running"
        ):
            await scene.executor.trigger_rollback(run.id, "b")
        scene.gate.open()


async def test_two_requests_at_once_make_one_rollback(scene: Scene) -> None:
    async with scene.running(undone("a", undo=SLOW), undone("b", HOLD, "a")) as run_id:
        await scene.ready.line()
        refused = []

        async def roll_back(actor: str) -> None:
            try:
                await scene.executor.trigger_rollback(run_id, "b", "a", actor=actor)
            except RollbackRefused as error:
                refused.append(str(error))

        async with anyio.create_task_group() as tasks:
            for actor in ("ann", "bob"):
                tasks.start_soon(roll_back, actor)
            await scene.ready.line()
            scene.gate.open()
    event = scene.rollback(run_id)
    since = spoken(event.created_at)
    assert refused == [
        f"Rollback {event.id} by ann of run {run_id} is pending, since {since}. Wait for its end"
    ]


async def test_while_an_automatic_one_is_under_way_a_manual_one_is_refused(scene: Scene) -> None:
    async with scene.running(
        undone("a", undo=SLOW), after("b", "a", task="exit 1", on_failure=ROLLBACK, rollback_to="a")
    ) as run_id:
        await scene.ready.line()
        with pytest.raises(RollbackRefused, match=f"Rollback 1 of run {run_id} is running"):
            await scene.executor.trigger_rollback(run_id, "b", "a")
        scene.gate.open()
    assert len(scene.rollbacks(run_id)) == 1


async def test_a_target_is_a_target_once(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a"))
    await scene.executor.trigger_rollback(run.id, "b")
    sentence = "Rollback loop detected: stage 'b' has already been rolled back to 1 time"
    with pytest.raises(RollbackLoop, match=sentence):
        await scene.executor.trigger_rollback(run.id, "b")
    await scene.executor.trigger_rollback(run.id, "b", "a")
    assert scene.undone() == ["b", "a"]


async def test_with_nothing_to_undo_no_event_is_written(scene: Scene) -> None:
    run = await scene.run(stage("a"), after("b", "a"))
    with pytest.raises(RollbackRefused, match="Stage 'a' has nothing to undo it"):
        await scene.executor.trigger_rollback(run.id, "b", "a")
    assert scene.rollbacks(run.id) == []


async def test_an_irreversible_stage_has_to_be_accepted(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("mail", "", "a", undo="", how={"irreversible": True}))
    with pytest.raises(RollbackRefused, match=r"mail.*irreversible.*--accept-irreversible"):
        await scene.executor.trigger_rollback(run.id, "mail", "a")
    event = await scene.executor.trigger_rollback(run.id, "mail", "a", accept_irreversible=True)
    assert event.status is SUCCEEDED
    assert scene.statuses(run.id) == {"a": "rolled_back", "mail": "succeeded"}


# Trying again


async def test_a_failed_rollback_is_tried_again_with_what_is_left(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a", undo=FAILS_ONCE), undone("c", "", "b"))
    first = await scene.executor.trigger_rollback(run.id, "c", "a")
    assert (first.status, first.error_message) == (FAILED, "step 'b' failed: exit code 1")
    second = await scene.executor.trigger_rollback(run.id, "c", "a", retry=True)
    assert (second.status, second.retry_of) == (SUCCEEDED, first.id)
    assert scene.steps(second.id) == {"b": "succeeded", "a": "succeeded"}
    assert scene.undone() == ["c", "b", "a"]


async def test_an_automatic_one_is_tried_again_too(scene: Scene) -> None:
    run = await scene.run(undone("a", "exit 1", on_failure=ROLLBACK, undo=FAILS_ONCE))
    first = scene.rollback(run.id)
    assert first.status is FAILED
    second = await scene.executor.trigger_rollback(run.id, "a", retry=True)
    assert (second.status, second.retry_of) == (SUCCEEDED, first.id)
    assert second.trigger_type is RollbackTriggerType.MANUAL
    assert scene.history.run(run.id).status is RunStatus.FAILED


async def test_only_the_last_one_and_only_a_failed_one_is_tried_again(scene: Scene) -> None:
    run = await scene.run(undone("a", undo=FAILS_ONCE), undone("b", "", "a"))
    with pytest.raises(RollbackRefused, match="no rollback from 'b' to 'a' to try again"):
        await scene.executor.trigger_rollback(run.id, "b", "a", retry=True)
    await scene.executor.trigger_rollback(run.id, "b", "a")
    with pytest.raises(RollbackLoop):
        await scene.executor.trigger_rollback(run.id, "b", "a")
    await scene.executor.trigger_rollback(run.id, "b", "a", retry=True)
    with pytest.raises(RollbackRefused, match="Rollback 2 succeeded; only a failed one"):
        await scene.executor.trigger_rollback(run.id, "b", "a", retry=True)


async def test_a_repetition_that_fails_is_tried_again_itself(scene: Scene) -> None:
    run = await scene.run(undone("a", undo="[ -e fixed ]"))
    for _ in range(3):
        event = await scene.executor.trigger_rollback(
            run.id, "a", retry=bool(scene.rollbacks(run.id))
        )
        assert event.status is FAILED
    (scene.folder / "fixed").touch()
    event = await scene.executor.trigger_rollback(run.id, "a", retry=True)
    assert event.status is SUCCEEDED
    assert [one.retry_of for one in scene.rollbacks(run.id)] == [None, 1, 2, 3]


# Steps


async def test_an_undo_is_tried_as_often_as_it_may_be(scene: Scene) -> None:
    undo = "echo $ORCHESTRATE_ATTEMPT >>undone; [ $ORCHESTRATE_ATTEMPT = 3 ]"
    run = await scene.run(undone("a", undo=undo, how={"retry": Retry(attempts=3)}))
    event = await scene.executor.trigger_rollback(run.id, "a")
    assert event.status is SUCCEEDED
    assert scene.undone() == ["1", "2", "3"]
    (step,) = scene.step_rows(event.id)
    assert (step.attempt, step.exit_code) == (3, 0)


async def test_an_undo_that_takes_too_long_fails(scene: Scene) -> None:
    run = await scene.run(undone("a", undo="exec tail -f /dev/null", how={"timeout_s": 0.05}))
    event = await scene.executor.trigger_rollback(run.id, "a")
    assert event.error_message == "step 'a' failed: timed out after 0.05s"


async def test_an_undo_by_an_agent_that_nobody_defines_fails_its_step(scene: Scene) -> None:
    run = await scene.run(undone("a", how={"agent": "ghost"}))
    event = await scene.executor.trigger_rollback(run.id, "a")
    assert event.error_message == "step 'a' failed: agent 'ghost' is not defined"


async def test_an_undo_knows_its_rollback_and_reads_nothing(scene: Scene) -> None:
    undo = "echo $ORCHESTRATE_ROLLBACK_ID $ORCHESTRATE_FAILED_STAGE $(cat) >>undone"
    run = await scene.run(undone("a", undo=undo), after("b", "a"))
    event = await scene.executor.trigger_rollback(run.id, "b", "a")
    assert scene.undone() == [f"{event.id} b"]
    log = scene.history.undo_log_path(run.id, event.id or 0, "a", 1)
    assert log.exists()


async def test_parallel_rollbacks_undo_what_is_independent_at_once(scene: Scene) -> None:
    run = await scene.run(
        undone("base"),
        undone("one", "", "base", undo=SLOW),
        undone("two", "", "base", undo=SLOW),
        parallel_rollback=True,
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.trigger_rollback, run.id, "base")
        lines = await scene.ready.lines(2)
        assert {line.split()[0] for line in lines} == {"one", "two"}
        assert scene.steps(1)["base"] == "pending"
        scene.gate.open(2)
    assert scene.undone()[2:] == ["base"]


async def test_parallel_rollbacks_undo_no_more_at_once_than_may_run(scene: Scene) -> None:
    run = await scene.run(
        undone("base"),
        *(undone(f"s{number}", "", "base", undo=SLOW) for number in range(4)),
        parallel_rollback=True,
        max_parallel=2,
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.trigger_rollback, run.id, "base")
        for _ in range(3):
            await scene.ready.line()
            assert list(scene.steps(1).values()).count("running") <= 2
            scene.gate.open()
        scene.gate.open()
    assert scene.rollback(run.id).status is SUCCEEDED


async def test_every_step_that_fails_in_parallel_is_named(scene: Scene) -> None:
    fails = "echo $ORCHESTRATE_STAGE >ready; read go <gate; exit 1"
    run = await scene.run(
        undone("base"),
        undone("one", "", "base", undo=fails),
        undone("two", "", "base", undo=fails),
        parallel_rollback=True,
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.trigger_rollback, run.id, "base")
        await scene.ready.lines(2)
        scene.gate.open(2)
    assert set((scene.rollback(run.id).error_message or "").split("; ")) == {
        "step 'one' failed: exit code 1", "step 'two' failed: exit code 1",
    }  # fmt: skip
    assert scene.steps(1)["base"] == "pending"


# Halting


async def test_a_halt_ends_the_undo_that_runs_and_names_who_and_where(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a", undo=FOREVER), undone("c", "", "b"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.trigger_rollback, run.id, "c", "a")
        _, pid = (await scene.ready.line()).split()
        answer = await scene.executor.halt(1, actor="ann", reason="wrong one")
        assert answer == "Rollback 1 is being halted"
    assert not is_running(pid)
    event = scene.rollback(run.id)
    assert (event.status, event.error_message) == (
        FAILED,
        "step 'b' failed: halted by ann: wrong one",
    )
    assert scene.steps(event.id) == {"c": "succeeded", "b": "failed", "a": "pending"}


async def test_a_halt_during_a_retry_delay_ends_it_at_once(scene: Scene) -> None:
    retry = Retry(attempts=2, delay_s=3600)
    run = await scene.run(undone("a", undo="echo a >ready; exit 1", how={"retry": retry}))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.trigger_rollback, run.id, "a")
        await scene.ready.line()
        await scene.executor.halt(1, actor="ann")
    assert scene.rollback(run.id).error_message == "step 'a' failed: halted by ann"


async def test_a_halt_of_an_automatic_rollback_ends_the_run_as_failed(scene: Scene) -> None:
    async with scene.running(undone("a", "exit 1", on_failure=ROLLBACK, undo=FOREVER)) as run_id:
        await scene.ready.line()
        await scene.executor.halt(scene.rollback(run_id).id or 0, actor="ann")
    assert scene.ended[run_id].status is RunStatus.FAILED
    assert scene.rollback(run_id).error_message == "step 'a' failed: halted by ann"


async def test_a_halted_rollback_that_waits_for_its_turn_stops_nothing(scene: Scene) -> None:
    async with scene.running(
        undone("a", "exit 1", on_failure=ROLLBACK, undo=SLOW),
        undone("b", "read go <other-gate; exit 1", on_failure=ROLLBACK),
        undone("after-b", HOLD, on_failure=ROLLBACK),
    ) as run_id:
        assert len(await scene.ready.lines(2)) == 2
        scene.other_gate.open()
        await scene.until(run_id, "b", StageStatus.FAILED)
        first, second = scene.rollbacks(run_id)
        await scene.executor.halt(second.id or 0, actor="ann", reason="not that one")
        scene.gate.open(2)
    first, second = scene.rollbacks(run_id)
    assert (first.status, second.status) == (SUCCEEDED, FAILED)
    assert second.error_message == "halted by ann: not that one"
    assert scene.history.steps(second.id or 0) == ()
    assert scene.undone() == ["a"]
    assert scene.statuses(run_id)["after-b"] == "succeeded"


async def test_a_halt_between_two_steps_names_the_next(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a"))
    halted = []

    async def halt_after_the_first() -> None:
        await scene.hub.until(lambda: scene.statuses(run.id)["b"] == "rolled_back")
        halted.append(await scene.executor.halt(1, actor="ann"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(halt_after_the_first)
        event = await scene.executor.trigger_rollback(run.id, "b", "a")
    assert halted
    assert event.error_message in {
        "halted by ann, before step 'a'", "step 'a' failed: halted by ann",
    }  # fmt: skip
    assert scene.undone() == ["b"]


async def test_a_rollback_that_has_ended_is_not_halted(scene: Scene) -> None:
    run = await scene.run(undone("a"))
    event = await scene.executor.trigger_rollback(run.id, "a")
    with pytest.raises(Refused, match="Rollback 1 has ended: it succeeded"):
        await scene.executor.halt(event.id or 0)
    with pytest.raises(NotFound):
        await scene.executor.halt(9)


async def test_a_halted_rollback_is_tried_again_with_what_is_left(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a", undo=SLOW))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.trigger_rollback, run.id, "b", "a")
        await scene.ready.line()
        await scene.executor.halt(1, actor="ann")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: scene.executor.trigger_rollback(run.id, "b", "a", retry=True))
        await scene.ready.line()
        scene.gate.open()
    assert scene.undone() == ["b", "a"]


async def test_a_plan_says_beforehand_that_its_target_was_one_already(scene: Scene) -> None:
    run = await scene.run(undone("a"), undone("b", "", "a"))
    await scene.executor.trigger_rollback(run.id, "b")
    plan = await scene.executor.plan_rollback(run.id, "b")
    assert plan.refusal == (
        "Rollback loop detected: stage 'b' has already been rolled back to 1 time(s)"
    )
    assert not (await scene.executor.plan_rollback(run.id, "b", "a")).refusal


async def test_a_plan_shows_the_values_that_are_known(scene: Scene) -> None:
    publish = "echo version=7 >>$ORCHESTRATE_OUTPUT"
    run = await scene.run(undone("a", publish, undo="echo ${stages.a.version} ${other}"))
    plan = await scene.executor.plan_rollback(run.id, "a")
    assert plan.steps[0].task == "echo 7 ${other}"


async def test_one_that_its_executor_gave_up_is_not_waited_for(scene: Scene) -> None:
    run = await scene.run(undone("a"))
    told: list[int] = []
    unrecordable = (
        "CREATE TRIGGER unrecordable BEFORE UPDATE ON rollback_steps"
        " BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    scene.executor.database.write(lambda connection: connection.execute(unrecordable))
    with pytest.raises(StoreError):
        await scene.executor.trigger_rollback(run.id, "a", accepted=told.append)
    with anyio.fail_after(30), pytest.raises(Refused, match="orchestrate-tui resume 1"):
        await scene.executor.follow_rollback(told[0])
    scene.executor.database.write(
        lambda connection: connection.execute("DROP TRIGGER unrecordable")
    )
    await scene.executor.resume_run(run.id)
    assert scene.rollback(run.id).status is SUCCEEDED
