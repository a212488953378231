"""Rehearsals of rollbacks: everything but the undos, and what is missing."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest

from orchestrate_tui.domain.pipeline import Agent, AgentKind, Secret, Snapshot, Undo
from orchestrate_tui.domain.readiness import SnapshotState
from orchestrate_tui.domain.rehearsal import CheckAnswer, Rehearsal, RehearsalReport
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.errors import NotFound, Refused
from orchestrate_tui.store.recovery import mark_interrupted
from orchestrate_tui.store.rehearsals import last_rehearsal, read_rehearsal, read_report
from tests.executor.scenery import FOREVER, HOLD, NOON, SCRIPT, Scene, after, stage, undone

pytestmark = pytest.mark.anyio

NEEDED, NOT_NEEDED = CheckAnswer.NEEDED, CheckAnswer.NOT_NEEDED


async def rehearsed(
    scene: Scene, run_id: int = 1, to_stage: str = "", **demanded: Any
) -> tuple[Rehearsal, RehearsalReport]:
    demand = RollbackDemand(to_stage=to_stage, **demanded)
    rehearsal_id = await scene.executor.rehearse(run_id, demand, actor="ann")
    query = scene.history.query
    return (
        query(partial(read_rehearsal, rehearsal_id=rehearsal_id)),
        query(partial(read_report, rehearsal_id=rehearsal_id)),
    )


def last(scene: Scene, run_id: int = 1) -> Rehearsal | None:
    return scene.history.query(partial(last_rehearsal, run_id=run_id))


def undo_with(check: str, **settings: object) -> Undo:
    return Undo(task="echo undone >>undone", check=check, **settings)  # type: ignore[arg-type]


async def test_checks_run_and_undos_do_not(scene: Scene) -> None:
    await scene.run(
        stage("a", rollback=undo_with("echo a >>checked; exit 0")),
        after("b", "a", rollback=undo_with("echo b >>checked; exit 1")),
    )
    rehearsal, report = await rehearsed(scene)
    assert [(step.part, step.check) for step in report.steps] == [
        ("b", NOT_NEEDED),
        ("a", NEEDED),
    ]
    assert (scene.folder / "checked").read_text().split() == ["b", "a"]
    assert scene.undone() == []
    assert (rehearsal.is_well, rehearsal.outcome, rehearsal.actor) == (True, "all well", "ann")
    assert {one.status for one in scene.history.stages(1)} == {"succeeded"}


async def test_a_rehearsal_is_recorded_and_leaves_no_file(scene: Scene) -> None:
    await scene.run(stage("a", rollback=undo_with("echo said; exit 0")))
    before = sorted(scene.history.files.runs.rglob("*"))
    rehearsal, _ = await rehearsed(scene)
    assert sorted(scene.history.files.runs.rglob("*")) == before
    assert last(scene) == rehearsal
    (told,) = [one for one in scene.history.events(1) if one.kind == "rehearsal"]
    assert (told.actor, told.detail) == ("ann", "all well")


async def test_an_undo_is_written_out_with_its_values(scene: Scene) -> None:
    undo = Undo(task="echo ${previous.version} ${colour} >>undone")
    for version in ("1", "2"):
        await scene.run(
            stage("a", environment="live", env=(("MODE", "${colour}"),), rollback=undo),
            variables=(("version", version), ("colour", "red")),
        )
    _, report = await rehearsed(scene, 2)
    (step,) = report.steps
    assert step.undo.command == ("/bin/sh", "-ec", "echo 1 red >>undone")
    assert (step.from_version, step.to_version, step.release) == ("2", "1", 1)
    known = dict(step.undo.environment)
    assert (known["MODE"], known["ORCHESTRATE_REHEARSAL"]) == ("red", "1")
    assert known["ORCHESTRATE_FAILED_STAGE"] == "a"
    assert "ORCHESTRATE_ROLLBACK_ID" not in known
    assert step.undo.workdir == str(scene.folder)


async def test_what_is_missing_is_told_of_each_step(scene: Scene) -> None:
    absent = Agent(name="absent", kind=AgentKind.COMMAND, command=("no-such-program", "${task}"))
    (scene.folder / "config").write_text("as it was")
    await scene.run(
        stage("unknown", rollback=Undo(task="echo ${colour}")),
        stage("nobody", rollback=Undo(task="back", agent="ghost")),
        stage("program", rollback=Undo(task="back", agent="absent")),
        stage("first", environment="live", rollback=Undo(task="echo ${previous.version}")),
        stage("check", rollback=undo_with("echo it is not clear; exit 5")),
        stage("kept", "echo new >config", snapshot=Snapshot(paths=("config",))),
        agents=(SCRIPT, absent),
    )
    for pack in (scene.history.files.snapshots / "packs").iterdir():
        pack.unlink()
    rehearsal, report = await rehearsed(scene)
    assert sorted(report.all_problems) == [
        "Stage 'first' has nothing to go back to: no earlier release",
        "check: its check failed: exit code 5",
        "kept: its snapshot is damaged",
        "nobody: agent 'ghost', which would undo it, is not defined",
        "program: there is no program 'no-such-program'",
        "unknown: unknown variable '${colour}'",
    ]
    (lines,) = [step.check_lines for step in report.steps if step.stage_name == "check"]
    assert lines == ("it is not clear",)
    assert rehearsal.outcome == "6 problems"


async def test_a_program_that_no_restore_brings_back_is_missing(scene: Scene) -> None:
    back = Agent(name="back", kind=AgentKind.COMMAND, command=("./back", "${task}"))
    gone = Agent(name="gone", kind=AgentKind.COMMAND, command=("./gone", "${task}"))
    (scene.folder / "back").touch(mode=0o755)
    keeping = Snapshot(paths=("back",))
    await scene.run(
        stage("a", rollback=Undo(task="again", agent="back")),
        after("b", "a", task="rm back", snapshot=keeping, rollback=Undo(task="x", agent="gone")),
        agents=(SCRIPT, back, gone),
    )
    missing = "b: there is no program './gone'"
    assert (await rehearsed(scene, 1, "a"))[1].all_problems == (missing,)
    by_itself = "a: there is no program './back'"
    assert (await rehearsed(scene))[1].all_problems == (missing, by_itself)


async def test_snapshots_are_read_to_the_last_byte(scene: Scene) -> None:
    (scene.folder / "config").write_text("as it was")
    await scene.run(stage("a", "echo new >config", snapshot=Snapshot(paths=("config",))))
    _, report = await rehearsed(scene)
    assert report.steps[0].snapshot is SnapshotState.INTACT
    (pack,) = (scene.history.files.snapshots / "packs").iterdir()
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    pack.write_bytes(content)
    _, report = await rehearsed(scene)
    assert report.steps[0].problems == ("its snapshot is damaged",)
    assert (scene.folder / "config").read_text() == "new\n"


async def test_with_a_target_it_is_the_rollback_to_that_stage(scene: Scene) -> None:
    await scene.run(undone("a"), undone("b", "", "a"), undone("c", "", "b"))
    rehearsal, report = await rehearsed(scene, 1, "b")
    assert [step.part for step in report.steps] == ["c", "b"]
    assert (rehearsal.failed_stage_name, rehearsal.rollback_to_stage) == ("b", "b")
    with pytest.raises(NotFound, match="no stage 'ghost'"):
        await rehearsed(scene, 1, "ghost")
    with pytest.raises(Refused, match="'a' does not come after stage 'b'"):
        await rehearsed(scene, 1, "b", from_stage="a")


async def test_a_target_that_was_one_before_is_a_problem(scene: Scene) -> None:
    await scene.run(undone("a"), undone("b", "", "a"))
    await scene.executor.trigger_rollback(1, "b")
    rehearsal, report = await rehearsed(scene, 1, "b")
    assert not rehearsal.is_well
    assert report.problems[0].startswith("Rollback loop detected: stage 'b'")


async def test_a_check_that_hangs_is_ended_at_the_timeout_of_the_undo(scene: Scene) -> None:
    check = "trap '' TERM; tail -f /dev/null & wait; exit 0"
    await scene.run(stage("a", rollback=undo_with(check, timeout_s=0.1)))
    _, report = await rehearsed(scene)
    assert "timed out" in report.steps[0].problems[0]


async def test_a_rehearsal_that_is_given_up_ends_its_check_and_is_not_recorded(
    scene: Scene,
) -> None:
    await scene.run(stage("a", rollback=undo_with(HOLD)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.rehearse, 1)
        assert await scene.ready.line() == "a"
        tasks.cancel_scope.cancel()
    assert last(scene) is None
    assert not list(scene.history.files.runs.rglob("*rehearsal*"))


async def test_while_a_rollback_works_there_it_is_refused(scene: Scene) -> None:
    for _ in range(2):
        await scene.run(stage("a", environment="live", rollback=Undo(task=HOLD)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.executor.trigger_rollback, 2, "a")
        assert await scene.ready.line() == "a"
        with pytest.raises(Refused, match=r"Rollback 1 by .* is under way in 'live'"):
            await scene.executor.rehearse(1)
        with pytest.raises(Refused, match=r"Rollback 1 by .* of run 2 is running"):
            await scene.executor.rehearse(2)
        scene.gate.open()
    assert last(scene) is None


async def test_a_rollback_that_went_on_meanwhile_leaves_nothing_to_record(scene: Scene) -> None:
    only_rehearsed = f'[ -z "$ORCHESTRATE_REHEARSAL" ] || {{ {HOLD}; }}'
    await scene.run(stage("a", rollback=undo_with(only_rehearsed)))

    async def refused() -> None:
        with pytest.raises(Refused, match="Rollback 1 of run 1 went on meanwhile"):
            await scene.executor.rehearse(1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(refused)
        assert await scene.ready.line() == "a"
        await scene.executor.trigger_rollback(1, "a")
        scene.gate.open()
    assert last(scene) is None


async def test_a_run_that_goes_on_is_rehearsed_and_left_alone(scene: Scene) -> None:
    stages = (
        stage("a", rollback=undo_with("exit 0")),
        after("b", "a", task=HOLD, rollback=undo_with("echo asked >>checked")),
    )
    async with scene.running(*stages):
        assert await scene.ready.line() == "b"
        _, report = await rehearsed(scene)
        scene.gate.open()
    assert [(step.part, step.check) for step in report.steps] == [
        ("b", CheckAnswer.NOT_ASKED),
        ("a", NEEDED),
    ]
    assert not (scene.folder / "checked").exists()
    assert scene.history.run(1).status == "succeeded"


async def test_of_a_run_whose_executor_died_what_it_left_is_not_asked(scene: Scene) -> None:
    undo = undo_with("echo asked >>checked")
    other = scene.other_run(stage("a", FOREVER, rollback=undo))
    assert (await scene.ready.line()).startswith("a ")
    other.kill()
    scene.bury(with_processes=False)
    mark_interrupted(scene.executor.database, NOON)
    _, report = await rehearsed(scene)
    assert [step.check for step in report.steps] == [CheckAnswer.NOT_ASKED]
    scene.bury()


async def test_secrets_are_masked_in_all_that_is_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2secret")
    undo = Undo(task="echo ${stages.a.token}", check="echo $TOKEN; exit 3")
    task = "echo token=$TOKEN >>$ORCHESTRATE_OUTPUT"
    await scene.run(stage("a", task, rollback=undo), secrets=(Secret(env="TOKEN"),))
    _, report = await rehearsed(scene)
    assert report.steps[0].task == "echo ***"
    assert report.steps[0].check_lines == ("***",)
    assert "hunter2secret" not in repr(report)


async def test_of_a_simulated_run_there_is_nothing_to_rehearse(scene: Scene) -> None:
    await scene.run(undone("a"), simulated=True)
    with pytest.raises(Refused, match="Run 1 was simulated"):
        await scene.executor.rehearse(1)
