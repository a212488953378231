from __future__ import annotations

import pytest

from orchestrate_tui.domain.conditions import Condition
from orchestrate_tui.domain.pipeline import Retry
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import RunStatus, StageStatus
from tests.executor.scenery import (
    CONTINUE,
    FOREVER,
    SCRIPT,
    Scene,
    after,
    asking,
    stage,
    undone,
)

pytestmark = pytest.mark.anyio

ON_MAIN = Condition(branch=("main",))


async def test_a_stage_whose_condition_is_false_is_skipped_and_its_dependants_go_on(
    scene: Scene,
) -> None:
    run = await scene.run(
        stage("build"), after("ship", "build", when=ON_MAIN), after("tell", "ship")
    )
    assert run.status is RunStatus.SUCCEEDED
    assert scene.statuses(run.id) == {"build": "succeeded", "ship": "skipped", "tell": "succeeded"}
    assert scene.reasons(run.id) == {"ship": "no branch was given; it must match 'main'"}


async def test_a_skipped_stage_asks_nobody_for_approval(scene: Scene) -> None:
    run = await scene.run(stage("ship", when=ON_MAIN, approval=asking("root")))
    assert scene.statuses(run.id) == {"ship": "skipped"}


async def test_a_condition_is_asked_with_the_trigger_and_the_outputs_so_far(scene: Scene) -> None:
    is_new = Condition(variable=(("stages.build.kind", ("new",)),))
    run = await scene.run(
        stage("build", "echo kind=new >$ORCHESTRATE_OUTPUT"),
        after("ship", "build", when=ON_MAIN),
        after("tell", "build", when=is_new),
        trigger=TriggerContext(branch="main"),
    )
    assert set(scene.statuses(run.id).values()) == {"succeeded"}


async def test_outputs_reach_tasks_environments_and_folders_of_later_stages(scene: Scene) -> None:
    (scene.folder / "v1").mkdir()
    run = await scene.run(
        stage("build", "echo version=v1 >$ORCHESTRATE_OUTPUT"),
        after(
            "ship",
            "build",
            task='echo "${stages.build.version} $OUT_BUILD_VERSION $AS_ENV" >shipped',
            env=(("AS_ENV", "<${stages.build.version}>"),),
            workdir="${stages.build.version}",
        ),
    )
    assert run.status is RunStatus.SUCCEEDED
    assert (scene.folder / "v1" / "shipped").read_text() == "v1 v1 <v1>\n"
    assert scene.history.outputs(run.id) == {("build", "version"): "v1"}


async def test_variables_of_the_trigger_come_before_those_of_the_pipeline(scene: Scene) -> None:
    await scene.run(
        stage("only", 'echo "${place} $place $VAR_WHO" >noted'),
        variables=(("place", "staging"),),
        trigger=TriggerContext(variables=(("place", "production"), ("who", "ann"))),
    )
    assert scene.noted("noted") == ["production production ann"]


async def test_an_output_that_was_not_given_fails_the_stage_with_a_sentence(scene: Scene) -> None:
    run = await scene.run(stage("build"), after("ship", "build", task="echo ${stages.build.tag}"))
    assert run.status is RunStatus.FAILED
    assert scene.reasons(run.id) == {"ship": "unknown variable '${stages.build.tag}'"}
    assert scene.stage(run.id, "ship").attempt == 1


async def test_an_output_that_was_not_given_fails_a_simulated_agent_too(scene: Scene) -> None:
    run = await scene.run(stage("ship", "say ${stages.build.tag}", agent="nothing"))
    assert scene.reasons(run.id) == {"ship": "unknown variable '${stages.build.tag}'"}


async def test_what_a_failed_but_allowed_stage_put_out_is_known_to_those_after_it(
    scene: Scene,
) -> None:
    run = await scene.run(
        stage("check", "echo found=3 >$ORCHESTRATE_OUTPUT; exit 1", on_failure=CONTINUE),
        after("tell", "check", task="echo ${stages.check.found} >told"),
    )
    assert run.status is RunStatus.SUCCEEDED
    assert scene.noted("told") == ["3"]


async def test_nothing_but_logs_is_left_of_what_put_something_out(scene: Scene) -> None:
    put_out = "echo v=1 >$ORCHESTRATE_OUTPUT"
    async with scene.running(
        stage("twice", f"{put_out}; [ $ORCHESTRATE_ATTEMPT = 2 ]", retry=Retry(attempts=2)),
        stage("bad", "echo bad >$ORCHESTRATE_OUTPUT", on_failure=CONTINUE),
        undone("undone", undo=put_out),
        stage("stopped", f"{put_out}; {FOREVER}"),
    ) as run_id:
        await scene.ready.line()
        await scene.until(run_id, "twice", StageStatus.SUCCEEDED)
        await scene.until(run_id, "undone", StageStatus.SUCCEEDED)
        await scene.executor.cancel(run_id)
    await scene.executor.trigger_rollback(run_id, "undone")
    files = scene.executor.database.files.log(run_id, "twice", 1).parent.iterdir()
    assert {path.suffix for path in files} == {".log"}


async def test_only_the_last_attempt_puts_something_out(scene: Scene) -> None:
    run = await scene.run(
        stage(
            "build",
            'echo try$ORCHESTRATE_ATTEMPT=1 >>"$ORCHESTRATE_OUTPUT"; [ $ORCHESTRATE_ATTEMPT = 2 ]',
            retry=Retry(attempts=2),
        ),
    )
    assert scene.history.outputs(run.id) == {("build", "try2"): "1"}


async def test_an_undo_knows_the_outputs_of_the_run(scene: Scene) -> None:
    run = await scene.run(
        undone(
            "ship",
            "echo old=v1 >$ORCHESTRATE_OUTPUT",
            undo="echo back to ${stages.ship.old} >>undone",
        )
    )
    await scene.executor.trigger_rollback(run.id, "ship")
    assert scene.undone() == ["back to v1"]


async def test_an_agent_that_nobody_defines_fails_its_stage(scene: Scene) -> None:
    run = await scene.run(stage("ship", agent="ghost"), agents=(SCRIPT,))
    assert run.status is RunStatus.FAILED
    assert scene.reasons(run.id) == {"ship": "agent 'ghost' is not defined"}


async def test_a_simulated_run_starts_no_process_and_says_that_it_is_simulated(
    scene: Scene,
) -> None:
    run = await scene.run(
        stage("build", "echo real >real"),
        after("ship", "build", task="${stages.build.tag} ${nobody}", agent="ghost"),
        simulated=True,
    )
    assert (run.status, run.simulated) == (RunStatus.SUCCEEDED, True)
    assert not (scene.folder / "real").exists()
    assert not list(scene.history.files.runs.iterdir())


async def test_a_rollback_of_a_simulated_run_is_simulated(scene: Scene) -> None:
    run = await scene.run(undone("ship"), stage("rest"), simulated=True)
    event = await scene.executor.trigger_rollback(run.id, "ship")
    assert event.status.value == "succeeded"
    assert scene.statuses(run.id)["ship"] == "rolled_back"
    assert scene.undone() == []


async def test_in_a_simulated_run_there_is_a_rollback_agent(scene: Scene) -> None:
    run = await scene.run(stage("ship"), simulated=True)
    event = await scene.executor.trigger_rollback(run.id, "ship")
    assert [step.agent for step in scene.step_rows(event.id)] == ["rollback-agent"]


async def test_what_a_run_of_that_number_left_before_is_kept_apart(scene: Scene) -> None:
    log = scene.history.files.log(1, "a", 1)
    log.parent.mkdir(parents=True)
    log.write_text("of another run\n")
    log.with_suffix(".out").write_text("version=1\n")
    run = await scene.run(stage("a", "echo new"), after("b", "a", task="${stages.a.version}"))
    assert run.status is RunStatus.FAILED
    assert log.read_text() == "new\n"
    (former,) = log.parent.parent.glob("1.before-*")
    assert (former / log.name).read_text() == "of another run\n"
