from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orchestrate_tui.domain.pipeline import Retry
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.errors import CannotStart
from tests.executor.scenery import (
    CONTINUE,
    FOREVER,
    HOLD,
    ROLLBACK,
    Scene,
    after,
    asking,
    is_running,
    pipeline,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

IN_AN_HOUR = Retry(attempts=2, delay_s=3600)


async def test_a_failure_starts_nothing_more_and_lets_finish_what_runs(scene: Scene) -> None:
    async with scene.running(
        stage("slow", HOLD), stage("bad", "exit 3"), after("next", "slow"), after("never", "bad")
    ) as run_id:
        await scene.until(run_id, "bad", StageStatus.FAILED)
        scene.gate.open()
    run = scene.ended[run_id]
    assert (run.status, run.reason) == (RunStatus.FAILED, "stage 'bad' failed: exit code 3")
    assert scene.statuses(run_id) == {
        "slow": "succeeded", "bad": "failed", "next": "skipped", "never": "skipped",
    }  # fmt: skip
    not_started = "not started: stage 'bad' failed: exit code 3"
    assert scene.reasons(run_id) == {
        "bad": "exit code 3", "next": not_started, "never": not_started,
    }  # fmt: skip
    assert scene.stage(run_id, "bad").exit_code == 3


async def test_fail_fast_cancels_what_runs(scene: Scene) -> None:
    async with scene.running(
        stage("slow", FOREVER), after("bad", task="read go <gate; exit 1"), fail_fast=True
    ) as run_id:
        _, pid = (await scene.ready.line()).split()
        scene.gate.open()
    assert scene.ended[run_id].status is RunStatus.FAILED
    assert scene.statuses(run_id) == {"slow": "cancelled", "bad": "failed"}
    assert scene.reasons(run_id)["slow"] == "stage 'bad' failed: exit code 1"
    assert not is_running(pid)


async def test_a_rejection_cancels_what_runs_under_fail_fast(scene: Scene) -> None:
    async with scene.running(
        stage("slow", FOREVER), stage("ship", approval=asking("root")), fail_fast=True
    ) as run_id:
        await scene.ready.line()
        await scene.executor.reject(run_id, "ship", actor="root")
    assert scene.statuses(run_id) == {"slow": "cancelled", "ship": "rejected"}


async def test_an_allowed_failure_lets_its_dependants_go_on_and_the_run_succeed(
    scene: Scene,
) -> None:
    run = await scene.run(stage("check", "exit 1", on_failure=CONTINUE), after("tell", "check"))
    assert (run.status, run.reason) == (RunStatus.SUCCEEDED, "")
    assert scene.statuses(run.id) == {"check": "failed", "tell": "succeeded"}


async def test_a_stage_is_tried_as_often_as_it_may_be(scene: Scene) -> None:
    run = await scene.run(
        stage("flaky", "echo $ORCHESTRATE_ATTEMPT >>tries; exit 1", retry=Retry(attempts=3))
    )
    assert run.status is RunStatus.FAILED
    assert scene.noted("tries") == ["1", "2", "3"]
    assert scene.stage(run.id, "flaky").attempt == 3
    events = scene.stage_events(run.id, "retrying", "running", "failed")
    assert [one.to_status for one in events] == [
        "running", "retrying", "running", "retrying", "running", "failed",
    ]  # fmt: skip


async def test_an_attempt_that_succeeds_ends_the_retries(scene: Scene) -> None:
    run = await scene.run(
        stage("flaky", "[ $ORCHESTRATE_ATTEMPT = 2 ]", retry=Retry(attempts=5)),
        after("next", "flaky"),
    )
    assert run.status is RunStatus.SUCCEEDED
    assert scene.stage(run.id, "flaky").attempt == 2
    assert scene.reasons(run.id) == {}


async def test_every_attempt_has_its_log_and_all_have_one_idempotency_key(scene: Scene) -> None:
    run = await scene.run(
        stage(
            "flaky",
            'echo "$ORCHESTRATE_IDEMPOTENCY_KEY"; [ $ORCHESTRATE_ATTEMPT = 2 ]',
            retry=Retry(attempts=2),
        )
    )
    first, second = (
        scene.history.log_path(run.id, "flaky", attempt).read_text() for attempt in (1, 2)
    )
    assert first == second
    assert first.strip()


async def test_the_delay_grows_with_each_retry(scene: Scene) -> None:
    run = await scene.run(
        stage("flaky", "exit 1", retry=Retry(attempts=3, delay_s=0.02, backoff=4.0))
    )
    events = scene.stage_events(run.id, "retrying", "running")
    failed = [one.at for one in events if one.to_status == "retrying"]
    tried = [one.at for one in events if one.to_status == "running"][1:]
    first, second = (again - ended for again, ended in zip(tried, failed, strict=True))
    assert first >= timedelta(seconds=0.02)
    assert second >= timedelta(seconds=0.08)


async def test_a_stage_that_waits_for_its_retry_takes_no_place(scene: Scene) -> None:
    async with scene.running(
        stage("flaky", "exit 1", retry=IN_AN_HOUR), stage("other"), max_parallel=1
    ) as run_id:
        await scene.until(run_id, "other", StageStatus.SUCCEEDED)
        assert scene.statuses(run_id)["flaky"] == "retrying"
        await scene.executor.cancel(run_id)


async def test_an_attempt_that_takes_too_long_is_tried_again(scene: Scene) -> None:
    run = await scene.run(
        stage(
            "slow",
            "[ $ORCHESTRATE_ATTEMPT = 2 ] || exec tail -f /dev/null",
            timeout_s=0.2,
            retry=Retry(attempts=2),
        )
    )
    assert run.status is RunStatus.SUCCEEDED
    (retrying,) = scene.stage_events(run.id, "retrying")
    assert retrying.detail == "timed out after 0.2s"


async def test_a_failure_ends_retry_delays_and_approvals_at_once(scene: Scene) -> None:
    async with scene.running(
        stage("flaky", "exit 4", retry=IN_AN_HOUR),
        stage("ship", approval=asking("root")),
        after("bad", task="read go <gate; exit 1"),
    ) as run_id:
        await scene.until(run_id, "flaky", StageStatus.RETRYING)
        scene.gate.open()
    assert scene.ended[run_id].status is RunStatus.FAILED
    assert scene.statuses(run_id) == {"flaky": "failed", "ship": "skipped", "bad": "failed"}
    assert scene.reasons(run_id)["flaky"] == "not tried again: stage 'bad' failed: exit code 1"


async def test_a_failure_with_attempts_left_is_not_tried_again_once_the_run_halts(
    scene: Scene,
) -> None:
    async with scene.running(
        stage("flaky", "read go <gate; exit 1", retry=Retry(attempts=5)), stage("bad", "exit 1")
    ) as run_id:
        await scene.until(run_id, "bad", StageStatus.FAILED)
        scene.gate.open()
    assert scene.statuses(run_id) == {"flaky": "failed", "bad": "failed"}
    assert scene.stage(run_id, "flaky").attempt == 1


async def test_a_dropped_retry_rolls_back_where_its_stage_says_so(scene: Scene) -> None:
    async with scene.running(
        undone("flaky", "exit 1", retry=IN_AN_HOUR, on_failure=ROLLBACK),
        after("bad", task="read go <gate; exit 1"),
    ) as run_id:
        await scene.until(run_id, "flaky", StageStatus.RETRYING)
        scene.gate.open()
    assert scene.rollback(run_id).status.value == "succeeded"
    assert scene.statuses(run_id)["flaky"] == "rolled_back"


async def test_a_folder_whose_name_is_no_text_is_refused(scene: Scene) -> None:
    with pytest.raises(CannotStart, match="is not valid UTF-8"):
        await scene.executor.create_run(pipeline(stage("build")), workdir=Path("\udcff"))
    assert scene.history.runs() == ()


async def test_a_program_that_is_not_there_fails_the_stage_with_a_sentence(scene: Scene) -> None:
    run = await scene.run(stage("lost", workdir="nowhere"))
    assert run.status is RunStatus.FAILED
    assert scene.reasons(run.id)["lost"].startswith("cannot start '/bin/sh'")
