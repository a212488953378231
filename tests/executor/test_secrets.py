"""Runs with secrets: nothing that is kept holds one, and what needs one still gets it."""

from __future__ import annotations

import base64
import os
from functools import partial
from pathlib import Path

import pytest

from orchestrate_tui.domain.conditions import Condition
from orchestrate_tui.domain.pipeline import Secret, Snapshot
from orchestrate_tui.domain.rehearsal import RehearsalReport
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus
from orchestrate_tui.errors import CannotStart
from orchestrate_tui.stagehost.secret_forms import forms_of
from orchestrate_tui.store.rehearsals import read_report
from tests.executor.scenery import HOLD, ROLLBACK, Scene, after, asking, pipeline, stage, undone

pytestmark = pytest.mark.anyio

TOKEN = "hunter22/Xy z"
NAMED = (Secret(env="TOKEN"), Secret(file="key"))
HANDS_ON = "echo token=$TOKEN >$ORCHESTRATE_OUTPUT; echo url=https://$TOKEN@x >>$ORCHESTRATE_OUTPUT"
SAME = 'test "${stages.print.token}" = "$TOKEN"'
KEPT = Snapshot(paths=("${stages.print.token}",))
SAY_OUTPUT = "echo '${stages.ship.v}'"


@pytest.fixture(autouse=True)
def _secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    (folder / "key").write_text("first-line\nsecond-line\n")


def kept(scene: Scene) -> bytes:
    """Everything in the folder of the database."""
    folder = scene.executor.database.path.parent
    return b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def shown(scene: Scene) -> list[bytes]:
    content = kept(scene)
    forms = forms_of([TOKEN.encode(), b"first-line\nsecond-line"])
    return sorted(form for form in forms if form in content)


async def test_nothing_of_a_run_is_kept_with_a_secret_in_it(scene: Scene) -> None:
    run = await scene.run(
        stage("print", f'echo "$TOKEN"; cat key; printf "me:$TOKEN" | base64; {HANDS_ON}'),
        after("use", "print", task=f'{SAME}; echo "${{stages.print.url}}"'),
        after("skip", "use", when=Condition(variable=(("given", ("no",)),))),
        after("fail", "use", task="cd '/nowhere/${given}'", on_failure=ROLLBACK),
        secrets=NAMED,
        trigger=TriggerContext(
            branch=f"b/{TOKEN}", labels=(TOKEN,), changed=(TOKEN,), variables=(("given", TOKEN),)
        ),
    )  # fmt: skip
    assert scene.statuses(run.id)["use"] == "succeeded"
    assert shown(scene) == []
    assert scene.reasons(run.id)["skip"] == "variable 'given' is '***', not 'no'"
    assert scene.history.outputs(run.id)["print", "url"] == "https://***{TOKEN}@x"
    assert scene.history.run(run.id).trigger.branch == "b/***{TOKEN}"


async def test_without_secrets_named_all_of_it_is_kept(scene: Scene) -> None:
    await scene.run(stage("print", "echo $TOKEN"))
    assert shown(scene)


async def test_a_condition_sees_what_was_really_given(scene: Scene) -> None:
    run = await scene.run(
        stage("ship", when=Condition(branch=("b/hunter2?/*",))),
        secrets=NAMED,
        trigger=TriggerContext(branch=f"b/{TOKEN}"),
    )
    assert scene.statuses(run.id) == {"ship": "succeeded"}


async def test_the_reason_of_a_failure_is_masked_wherever_it_goes(scene: Scene) -> None:
    run = await scene.run(
        undone("ship", "true"),
        after("check", "ship", workdir="none/${given}", on_failure=ROLLBACK, rollback_to="ship"),
        secrets=NAMED,
        trigger=TriggerContext(variables=(("given", TOKEN),)),
    )
    assert run.status is RunStatus.FAILED
    assert "none/***'" in scene.reasons(run.id)["check"]
    assert "none/***'" in run.reason
    assert "none/***'" in scene.rollback(run.id).reason
    assert shown(scene) == []


async def test_what_people_type_is_masked(scene: Scene) -> None:
    async with scene.running(
        stage("ship", approval=asking("root")), secrets=NAMED, simulated=True
    ) as run_id:
        await scene.until(run_id, "ship", StageStatus.WAITING_APPROVAL)
        await scene.executor.reject(run_id, "ship", comment=f"not with {TOKEN}")
    assert scene.history.approvals(run_id)[0].comment == "not with ***"
    assert shown(scene) == []


async def test_the_comment_of_an_acknowledgement_is_masked(scene: Scene) -> None:
    run = await scene.run(stage("ship", "exit 1"), secrets=NAMED)
    await scene.executor.acknowledge(run.id, comment=f"it was {TOKEN}")
    assert b"it was ***" in kept(scene)
    assert shown(scene) == []


async def test_a_manual_rollback_masks_its_reason_its_logs_and_its_plan(scene: Scene) -> None:
    run = await scene.run(
        undone("ship", HANDS_ON, undo="echo ${stages.ship.url}; echo $TOKEN >>undone"),
        secrets=NAMED,
    )
    plan = await scene.executor.plan_rollback(run.id, "ship")
    assert plan.steps[0].task == "echo https://***@x; echo $TOKEN >>undone"
    event = await scene.executor.trigger_rollback(run.id, "ship", reason=f"leaked {TOKEN}")
    assert event.status is RollbackStatus.SUCCEEDED
    assert event.reason == "leaked ***"
    assert scene.undone() == [TOKEN]
    assert shown(scene) == []


async def test_a_secret_in_the_path_of_a_snapshot_is_not_shown(scene: Scene) -> None:
    (folder := scene.folder / TOKEN).mkdir(parents=True)
    (folder / "f").write_text("x")
    run = await scene.run(
        stage("print", HANDS_ON),
        after("ship", "print", task='echo y >"$TOKEN/f"', snapshot=KEPT),
        secrets=NAMED,
    )
    plan = await scene.executor.plan_rollback(run.id, "ship")
    rehearsal_id = await scene.executor.rehearse(run.id, RollbackDemand(to_stage="ship"))
    report: RehearsalReport = scene.history.query(partial(read_report, rehearsal_id=rehearsal_id))
    assert [plan.steps[0].restores, report.steps[0].restores] == [("***",), ("***",)]
    for pack in scene.executor.database.files.snapshots.glob("packs/*.pack"):
        pack.unlink()
    event = await scene.executor.trigger_rollback(run.id, "ship", reason="bad")
    assert "what was kept of '***/f' is gone" in (event.error_message or "")
    assert TOKEN not in repr(event)


async def test_a_missing_secret_stops_no_rollback_but_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await scene.run(undone("ship", HANDS_ON), secrets=NAMED)
    monkeypatch.delenv("TOKEN")
    plan = await scene.executor.plan_rollback(run.id, "ship")
    assert plan.warnings == ("Secrets: the environment variable 'TOKEN' is not set",)
    event = await scene.executor.trigger_rollback(run.id, "ship")
    assert event.status is RollbackStatus.SUCCEEDED


async def test_an_undo_that_needs_a_lost_secret_fails_and_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await scene.run(
        undone("ship", HANDS_ON, undo="echo ${stages.ship.url} >>undone"), secrets=NAMED
    )
    monkeypatch.delenv("TOKEN")
    event = await scene.executor.trigger_rollback(run.id, "ship")
    assert event.status is RollbackStatus.FAILED
    assert event.error_message == (
        "step 'ship' failed: the value of '${stages.ship.url}' is not known any more:"
        " it holds the secret 'TOKEN', which cannot be read now"
    )
    assert scene.undone() == []


async def test_a_secret_in_another_form_is_lost_with_its_process_and_that_is_told(
    scene: Scene,
) -> None:
    encoded = 'echo v=$(printf %s "$TOKEN" | base64) >$ORCHESTRATE_OUTPUT'
    run = await scene.run(
        undone("ship", encoded, undo=f"{SAY_OUTPUT} >>undone"),
        after("use", "ship", task=f"{SAY_OUTPUT} >>used"),
        secrets=NAMED,
    )
    assert scene.noted("used") == [base64.b64encode(TOKEN.encode()).decode()]
    assert scene.history.outputs(run.id) == {("ship", "v"): "***{another form}"}
    event = await scene.executor.trigger_rollback(run.id, "ship")
    assert "it held a secret in another form, which is not kept" in str(event.error_message)
    assert scene.undone() == []
    assert shown(scene) == []


async def test_a_secret_that_a_stage_changes_is_masked_from_the_next_one_on(
    scene: Scene, folder: Path
) -> None:
    before = (folder / "key").read_text()
    changing = stage("change", "cp key former; printf the-new-value >key")
    telling = after("tell", "change", task="cat key former")
    run = await scene.run(changing, telling, secrets=NAMED)
    log = scene.history.log_path(run.id, "tell", 1).read_text()
    assert "***" in log
    assert "the-new-value" not in log
    assert before.splitlines()[0] not in log


async def test_a_secret_is_masked_that_comes_into_its_file_while_the_stage_runs(
    scene: Scene,
) -> None:
    changes = "printf %s-value the-new >key; cat key"
    tells = "echo new=$(cat key) >$ORCHESTRATE_OUTPUT; echo $(cat key) >>$ORCHESTRATE_OUTPUT"
    run = await scene.run(stage("change", f"{changes}; {tells}"), secrets=NAMED)
    assert run.status is RunStatus.FAILED  # no output is without a name
    assert scene.history.log_path(run.id, "change", 1).read_text().startswith("***")
    assert b"the-new-value" not in kept(scene)


async def test_a_run_without_its_secrets_is_not_even_recorded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.delenv("TOKEN")
    (folder / "key").write_text("abc")
    with pytest.raises(CannotStart) as refusal:
        await scene.create(stage("ship"), secrets=NAMED)
    assert "the environment variable 'TOKEN' is not set" in refusal.value.message
    assert "the value of the file 'key' has fewer than 4 characters" in refusal.value.message
    assert scene.history.runs() == ()


async def test_a_run_whose_definition_holds_a_secret_is_not_recorded(scene: Scene) -> None:
    for settings in ({"stages": TOKEN}, {"source": f"# {TOKEN}"}):
        with pytest.raises(CannotStart, match="of the secret 'TOKEN' stands in"):
            await scene.executor.create_run(
                pipeline(stage("ship", f"echo '{settings.get('stages')}'"), secrets=NAMED),
                source=settings.get("source", ""),
                workdir=scene.folder,
            )
    assert shown(scene) == []


async def test_a_simulated_run_starts_without_its_secrets(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN")
    run = await scene.run(stage("ship"), secrets=NAMED, simulated=True)
    assert run.status is RunStatus.SUCCEEDED


async def test_a_resumed_run_has_its_secret_values_again(scene: Scene) -> None:
    other = scene.other_run(
        stage("build", HANDS_ON),
        after("wait", "build", task=HOLD, idempotent=True),
        after("use", "wait", task=f'{SAME.replace("print", "build")}; echo "$OUT_BUILD_URL" >used'),
        secrets=NAMED,
    )
    await scene.ready.line()
    other.kill()
    scene.bury()
    scene.gate.open()
    run = await scene.executor.resume_run(1)
    assert run.status is RunStatus.SUCCEEDED
    assert scene.noted("used") == [f"https://{TOKEN}@x"]
    assert shown(scene) == []


async def test_outputs_of_an_attempt_that_was_lost_are_not_left_on_the_disk(scene: Scene) -> None:
    wait = stage("wait", f"{HANDS_ON}; {HOLD}", idempotent=True)
    other = scene.other_run(wait, secrets=NAMED)
    await scene.ready.line()
    other.kill()
    scene.bury()
    assert shown(scene) != []
    scene.gate.open()
    assert (await scene.executor.resume_run(1)).status is RunStatus.SUCCEEDED
    assert shown(scene) == []


async def test_a_run_is_not_resumed_without_its_secrets(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = scene.other_run(stage("wait", HOLD, idempotent=True), secrets=NAMED)
    await scene.ready.line()
    other.kill()
    scene.bury()
    monkeypatch.delenv("TOKEN")
    with pytest.raises(CannotStart, match="'TOKEN' is not set"):
        await scene.executor.resume_run(1)
    assert scene.history.run(1).status is RunStatus.INTERRUPTED
    await scene.executor.cancel(1)
    assert scene.history.run(1).status is RunStatus.CANCELLED


async def test_a_text_that_looks_like_a_mark_never_becomes_the_secret(scene: Scene) -> None:
    mark = "***{TOKEN} ***{{x ***"
    run = await scene.run(
        undone("ship", f"echo 'v={mark}' >$ORCHESTRATE_OUTPUT", undo=f"{SAY_OUTPUT} >>undone"),
        secrets=NAMED,
        trigger=TriggerContext(variables=(("title", mark),)),
    )
    await scene.executor.trigger_rollback(run.id, "ship")
    assert scene.undone() == [mark]
    assert os.environ["TOKEN"] not in scene.undone()[0]
