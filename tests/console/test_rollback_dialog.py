from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList

from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.screens.question import Question
from orchestrate_tui.console.screens.rollback_dialog import RollbackDialog
from orchestrate_tui.console.widgets import armed_button
from orchestrate_tui.console.widgets.armed_button import ArmedButton
from orchestrate_tui.console.widgets.tick import Tick
from orchestrate_tui.domain.pipeline import Pipeline, Undo
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StepStatus
from orchestrate_tui.errors import Refused, StalePlan
from orchestrate_tui.store.rollback_steps import insert_steps
from orchestrate_tui.store.rollbacks import update
from tests.console.scenery import (
    Desk,
    S,
    Story,
    delivered,
    deployed,
    now,
    settle,
    shown,
    stage,
    waiting,
)

pytestmark = pytest.mark.anyio


async def armed(pilot: Pilot[Any]) -> None:
    """Wait until the plan can be confirmed, or the question about it answered."""
    screen = pilot.app.screen
    await settle(
        pilot,
        lambda: (
            not any(button.disabled for button in screen.query(Button))
            and all(button.is_armed for button in screen.query(ArmedButton))
        ),
    )


async def test_the_stage_that_failed_and_its_declared_target_are_preselected(
    story: Story, desk: Desk
) -> None:
    run_id = story.run()
    for name in ("build", "deploy-staging", "security-scan"):
        story.becomes(run_id, name, S.RUNNING, S.SUCCEEDED)
    story.becomes(run_id, "smoke-staging", S.RUNNING, S.FAILED)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R")
        await settle(pilot, lambda: "in this order" in flat(pilot))
        assert "rollback 1 --from smoke-staging --to deploy-staging --reason" in flat(pilot)
        assert "1. deploy-staging deployer: Undo staging" in flat(pilot)
        assert "stage 'smoke-staging' ran and has nothing to undo it" in flat(pilot)
        assert "- smoke-staging" not in flat(pilot)


async def test_the_command_names_a_database_that_is_not_meant_without(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    app = OrchestrateApp(story.history, desk, named_database=Path("/my state/o.db"), clock=now)
    async with app.run_test() as pilot:
        await pilot.press("R")
        await settle(pilot, lambda: "in this order" in flat(pilot))
        assert "--reason '…' --db '/my state/o.db'" in flat(pilot)


def flat(pilot: Pilot[Any]) -> str:
    return " ".join(shown(pilot).replace("│", " ").split())


def told(pilot: Pilot[Any], *texts: str) -> bool:
    """Whether each of these stands in a line below the one before, whatever is beside it."""
    lines = iter(shown(pilot).splitlines())
    return all(any(text in line for line in lines) for text in texts)


async def test_the_plan_follows_the_chosen_stages(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R")
        await settle(pilot, lambda: "in this order" in flat(pilot))
        assert "1. deploy-prod deployer: Undo production" in flat(pilot)
        await pilot.press("tab", *["down"] * 4)
        await pilot.pause()
        assert "--from smoke-prod --to deploy-staging" in flat(pilot)
        assert "2. deploy-staging deployer: Undo staging" in flat(pilot)


async def test_without_a_reason_nothing_can_be_confirmed(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter")
        await settle(pilot, lambda: "in this order" in flat(pilot))
        assert pilot.app.screen.query_one("#confirm").disabled
        await pilot.press("enter")
        assert "A rollback needs a reason" in flat(pilot)
        await pilot.press(*"why", "left")
        assert not pilot.app.screen.query_one("#confirm").disabled
        assert "A rollback needs a reason" not in flat(pilot)


async def test_the_arrow_keys_move_between_the_buttons_only(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter", *"why", "right", "left")
        dialog = pilot.app.screen
        assert dialog.focused is dialog.query_one("#reason")
        await armed(pilot)
        places = []
        for key in ("enter", "right", "left", "left", "right"):
            await pilot.press(key)
            places.append(dialog.focused.id)
        assert places == ["confirm", "rehearse", "confirm", "cancel", "confirm"]
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, Question)


async def test_the_confirmation_defaults_to_cancel(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter", *"why")
        await armed(pilot)
        await pilot.press("enter", "enter")
        assert isinstance(pilot.app.screen, Question)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, RollbackDialog)
        assert desk.asked == []


async def test_a_confirmed_rollback_carries_the_plan_that_was_shown(
    story: Story, desk: Desk
) -> None:
    run_id = delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter", *"it", "space", *"broke")
        await armed(pilot)
        await pilot.press("enter", "enter")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    [(name, asked_run, demand, definition)] = desk.asked
    plan = desk.plan_rollback(run_id, demand).result()
    assert (name, asked_run, definition) == ("rollback", run_id, None)
    assert demand == RollbackDemand(
        from_stage="smoke-prod",
        to_stage="deploy-prod",
        reason="it broke",
        plan_hash=plan.hash,
        waits=True,
    )


@pytest.mark.parametrize("keys", [["escape"], ["left", "enter"]], ids=["escape", "cancel"])
async def test_a_reason_is_kept_however_the_dialog_is_left(
    story: Story, desk: Desk, keys: list[str]
) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter", *"why")
        await armed(pilot)
        await pilot.press("enter", *keys)
        assert not isinstance(pilot.app.screen, RollbackDialog)
        await pilot.press("R")
        reason = pilot.app.screen.query_one("#reason", Input)
        assert reason.value == "why"
        reason.value = ""
        await pilot.press("escape", "R")
        assert not pilot.app.screen.query_one("#reason", Input).value


async def test_keys_lead_to_the_answer_before_it_may_be_given(
    story: Story, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(story)
    app = OrchestrateApp(story.history, desk, clock=now)
    async with app.run_test(notifications=True) as pilot:
        await pilot.press("R", "enter", "enter", *"why")
        await armed(pilot)
        with monkeypatch.context() as patience:
            patience.setattr(armed_button, "ARMED_AFTER_S", 3600)
            await pilot.press("enter", "enter", "right", "enter")
            question = app.screen
            assert isinstance(question, Question)
            assert question.focused is question.query_one("#yes")
            assert [note.message for note in app._notifications] == [
                "That was typed before this was shown: look, then press again"
            ]
            assert desk.asked == []
            await pilot.press("escape")
        await pilot.press("enter", "right")
        await armed(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: desk.asked)


async def test_enter_waits_for_the_plan(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R")
        await settle(pilot, lambda: "in this order" in flat(pilot))
        dialog = pilot.app.screen
        assert isinstance(dialog, RollbackDialog)
        desk.holds_plans = True
        await pilot.press("tab", "up", "down", "enter", *"why", "enter")
        assert dialog.focused is dialog.query_one("#reason")
        desk.let_plans_go()
        await settle(pilot, lambda: dialog.focused is dialog.query_one("#confirm"))


async def test_typing_ahead_cannot_confirm(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", *["enter"] * 6, *"yes", *["enter"] * 6)
        assert desk.asked == []


@pytest.mark.parametrize("error", [StalePlan(), Refused("Somebody else was faster")])
async def test_a_refused_rollback_leaves_the_dialog_open_and_says_why(
    story: Story, desk: Desk, error: Refused
) -> None:
    delivered(story)
    desk.refusal = error
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter", *"why")
        await armed(pilot)
        await pilot.press("enter", "enter")
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: error.message in flat(pilot))
        assert isinstance(pilot.app.screen, RollbackDialog)


async def test_an_irreversible_step_has_to_be_accepted_first(story: Story, desk: Desk) -> None:
    undo = Undo(task="Cannot", irreversible=True)
    run_id = story.run(Pipeline(name="mail", stages=(stage("send", rollback=undo),)))
    story.becomes(run_id, "send", S.RUNNING, S.SUCCEEDED)
    story.ends(run_id, RunStatus.SUCCEEDED)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter", *"why")
        await settle(pilot, lambda: "Undo the rest although" in flat(pilot))
        await pilot.press("enter", "enter")
        assert "Tick with Space that some of it stays as it is" in flat(pilot)
        assert pilot.app.screen.query_one("#confirm").disabled
        await pilot.press("space")
        await armed(pilot)
        assert "--accept-irreversible" in flat(pilot)
        await pilot.press("enter", "enter")
        assert isinstance(pilot.app.screen, Question)


async def test_a_failed_rollback_is_tried_again_from_its_row(story: Story, desk: Desk) -> None:
    run_id = delivered(story)
    story.rollback(run_id, status=RollbackStatus.FAILED, error_message="no answer")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("4", "T")
        assert "--from smoke-staging --to deploy-staging --reason … --retry" in flat(pilot).replace(
            "'", ""
        )
        sources = pilot.app.screen.query_one("#sources", OptionList)
        assert sources.option_count == 1


async def test_an_allowed_failure_is_not_what_is_rolled_back(story: Story, desk: Desk) -> None:
    waiting(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R")
        assert "--from load-test --to deploy-staging" in flat(pilot)


async def test_a_run_without_anything_to_undo_offers_no_rollback(story: Story, desk: Desk) -> None:
    story.run()
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        assert "Rollback " not in shown(pilot).splitlines()[-1]
        await pilot.press("R")
        assert not isinstance(pilot.app.screen, RollbackDialog)


async def test_what_was_undone_is_not_offered_again(story: Story, desk: Desk) -> None:
    run_id = delivered(story)
    story.takes_back(run_id, "deploy-prod")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R")
        await settle(pilot, lambda: "in this order" in flat(pilot))
        targets = pilot.app.screen.query_one("#targets", OptionList)
        offered = [option.id for option in targets.options]
        assert "deploy-staging" in offered
        assert "deploy-prod" not in offered


async def test_stages_that_are_passed_in_a_hurry_confuse_no_targets(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R")
        await settle(pilot, lambda: "in this order" in flat(pilot))
        sources = pilot.app.screen.query_one("#sources", OptionList)
        for place in range(sources.option_count):
            sources.highlighted = place
        await settle(pilot, lambda: "--from build --to build" in flat(pilot))


async def test_what_was_confirmed_is_asked_for_and_not_what_became_of_it(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter", *"why")
        dialog = pilot.app.screen
        await armed(pilot)
        await pilot.press("enter", "enter")
        await armed(pilot)
        dialog.query_one("#reason", Input).value = "something else"
        dialog.query_one("#release", Input).value = "1.0"
        await pilot.pause()
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    [(_, _, demand, _)] = desk.asked
    assert (demand.reason, demand.release) == ("why", "")
    assert demand.plan_hash


async def test_the_home_of_somebody_unknown_is_a_file_that_is_not_there(
    story: Story, desk: Desk
) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter")
        pilot.app.screen.query_one("#definition").focus()
        await pilot.press(*"~nobody-at-all/x.yaml", "enter")
        await settle(pilot, lambda: "there is no such file" in flat(pilot))


async def test_a_release_and_another_file_are_planned_with_before_they_can_be_confirmed(
    story: Story, desk: Desk, tmp_path: Path
) -> None:
    delivered(story)
    file = tmp_path / "p.yaml"
    file.write_text("name: p\nstages: [{name: a, agent: b, task: c}]\n")
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter", *"why")
        dialog = pilot.app.screen
        await armed(pilot)
        dialog.query_one("#release").focus()
        await pilot.press(*"golden")
        assert dialog.query_one("#confirm").disabled
        await pilot.press("tab")
        pilot.app.post_message(Paste(str(file)))
        await pilot.press("enter")
        await settle(pilot, lambda: dialog.focused is dialog.query_one("#confirm"))
        demand, definition = desk.planned[-1]
        assert demand.release == "golden"
        assert definition is not None
        assert definition.file == str(file)


async def test_a_file_that_cannot_be_read_is_told_in_the_dialog(story: Story, desk: Desk) -> None:
    delivered(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R", "enter", "enter")
        pilot.app.screen.query_one("#definition").focus()
        await pilot.press(*"/none.yaml", "enter")
        await settle(pilot, lambda: "/none.yaml: there is no such file" in flat(pilot))
        assert "--definition /none.yaml" in flat(pilot)


async def test_a_newer_deployment_has_to_be_forced(story: Story, desk: Desk) -> None:
    delivered(story)
    desk.newer = "Run 2 has deployed to 'production' since"
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("R")
        await settle(pilot, lambda: "although others worked there since" in flat(pilot))
        dialog = pilot.app.screen
        dialog.query_one("#reason", Input).value = "it is older"
        await pilot.pause()
        assert dialog.query_one("#confirm").disabled
        dialog.query_one("#force", Tick).value = True
        await settle(pilot, lambda: not dialog.query_one("#confirm").disabled)
        assert "--force" in flat(pilot)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_plan_follows_the_ticks_of_the_components(
    story: Story, desk: Desk, size: tuple[int, int]
) -> None:
    deployed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=size) as pilot:
        await pilot.press("R", "enter", "down")
        await settle(pilot, lambda: "3 steps in this order, in edge and data" in flat(pilot))
        assert "▐✓▌ api" in flat(pilot)
        await pilot.press("enter", "space")
        await settle(pilot, lambda: "2 steps in this order" in flat(pilot))
        assert "▐ ▌ api" in flat(pilot)
        assert "--component web" in flat(pilot)
        await pilot.press("down", "space")
        await settle(pilot, lambda: "Tick a component that is to be undone" in flat(pilot))
        await pilot.press("space", "enter", *"why", "enter")
        await armed(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: told(pilot, "In edge:", "1. expose[web]", "In data:"))
        await armed(pilot)
        await pilot.press("right", "enter")
        await settle(pilot, lambda: desk.asked)
    [(_, _, demand, _)] = desk.asked
    assert demand.components == ("web",)


async def test_a_component_others_depend_on_is_undone_only_when_that_is_ticked(
    story: Story, desk: Desk
) -> None:
    api = stage("api", components=("api",), rollback=Undo(task="back"))
    web = stage("web", "api", components=("web",), rollback=Undo(task="back"))
    deployed(story, Pipeline(name="two", stages=(api, web)))
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(80, 24)) as pilot:
        await pilot.press("R", "enter", "down", "enter", "down", "space")
        await settle(pilot, lambda: "Stage 'web' depends on 'api', and would stay" in flat(pilot))
        await pilot.press("enter", *"why", "enter")
        assert "Undo it although what depends on it stays" in flat(pilot)
        assert pilot.app.screen.query_one("#confirm").disabled
        await pilot.press("space")
        await armed(pilot)
        assert "--force" in flat(pilot)


async def test_components_that_are_undone_already_are_not_offered(story: Story, desk: Desk) -> None:
    run_id = deployed(story)
    rollback_id = story.rollback(
        run_id,
        failed_stage_name="deploy",
        rollback_to_stage="deploy",
        components=("api",),
        status=RollbackStatus.RUNNING,
    )
    story.undoes(run_id, rollback_id, "deploy", component="api", environment="data")
    story.step_becomes(run_id, rollback_id, StepStatus.SUCCEEDED)
    event = story.history.rollback(rollback_id)
    story.database.write(lambda c: update(c, event.mark_succeeded(story.at)))
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("4")
        await settle(pilot, lambda: "deploy → deploy (only api)" in flat(pilot))
        await pilot.press("R", "enter", "down")
        await settle(pilot, lambda: "--to deploy --component web" in flat(pilot))
        assert "api undone" in flat(pilot)
        assert desk.planned[-1][0].components == ("web",)


async def test_the_target_alone_is_undone_where_that_is_ticked(story: Story, desk: Desk) -> None:
    deployed(story)
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(80, 24)) as pilot:
        await pilot.press("R", "enter", "down")
        await settle(pilot, lambda: "Undo deploy alone" in flat(pilot))
        pilot.app.screen.query_one("#alone").focus()
        await pilot.press("space")
        await settle(pilot, lambda: "2 steps in this order" in flat(pilot))
        assert "--to deploy --no-cascade" in flat(pilot)
        assert "expose stays as it is: only 'deploy' is undone" in flat(pilot)
        assert not desk.planned[-1][0].cascade


async def test_a_repetition_asks_for_no_components(story: Story, desk: Desk) -> None:
    run_id = deployed(story)
    story.rollback(
        run_id,
        failed_stage_name="deploy",
        rollback_to_stage="deploy",
        components=("api",),
        status=RollbackStatus.FAILED,
        error_message="no answer",
    )
    async with OrchestrateApp(story.history, desk, clock=now).run_test() as pilot:
        await pilot.press("4", "T")
        await settle(pilot, lambda: desk.planned)
        assert desk.planned[-1][0].retry
        assert "Try rollback 1 of run #1 parts again, only api" in flat(pilot)
        assert pilot.app.screen.focused is pilot.app.screen.query_one("#reason")
        assert not pilot.app.screen.query_one("#parts").display


async def test_the_question_has_room_for_its_buttons_however_much_is_undone(
    story: Story, desk: Desk
) -> None:
    names = [f"s{number}" for number in range(40)]
    before: list[tuple[str, ...]] = [(), *((name,) for name in names)]
    chain = [
        stage(name, *after, rollback=Undo(task="back"))
        for name, after in zip(names, before, strict=False)
    ]
    deployed(story, Pipeline(name="long", stages=tuple(chain)))
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(80, 24)) as pilot:
        await pilot.press("R", "enter", "end", "enter", *"why", "enter")
        await armed(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: "… and 30 more" in flat(pilot))
        assert "Cancel Roll back" in flat(pilot)


async def test_the_steps_of_a_rollback_in_several_environments_are_apart(
    story: Story, desk: Desk
) -> None:
    run_id = deployed(story)
    rollback_id = story.rollback(run_id, status=RollbackStatus.RUNNING, cascade=False)
    plan = desk.plan_rollback(run_id, RollbackDemand(from_stage="deploy")).result()
    story.database.write(lambda c: insert_steps(c, rollback_id, plan))
    async with OrchestrateApp(story.history, desk, clock=now).run_test(size=(80, 24)) as pilot:
        await pilot.press("4", "enter")
        await settle(pilot, lambda: told(pilot, "In edge:", "1. expose[web]", "In data:"))
        assert "Undoes deploy-staging alone" in flat(pilot)
        await pilot.press("down", "enter")
        await settle(pilot, lambda: "Undo of deploy[api]" in flat(pilot))
