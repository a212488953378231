"""`rollback` and `rollback-step`: the plan, the question, the refusals, the end."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from tests.acceptance.desk import CTRL_C, Desk, runs

SHOP = """\
  - {name: build, agent: fine, task: t}
  - {name: deploy, agent: fine, task: t, rollback: {agent: undo, task: put it back}}
  - {name: migrate, agent: fine, task: t, rollback: {agent: undo, task: migrate down}}
  - {name: announce, agent: fine, task: t}
"""
PUT_BACK, MIGRATE_DOWN = "agent: undo, task: put it back", "agent: undo, task: migrate down"
DEPLOY = ("rollback", 1, "--from", "announce", "--to", "deploy")
PLAN = """\
Roll back from 'announce' to 'deploy':
  1. undo migrate: migrate down (undo)
  2. undo deploy: put it back (undo)
  !  stage 'announce' ran and has nothing to undo it
"""
WHY = ("--reason", "it is broken")


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """A desk with run 1, which has succeeded and can be rolled back."""
    assert desk.do("run", desk.pipeline(SHOP)).code == 0
    return desk


def held(desk: Desk, *words: object) -> Any:
    """A desk with run 1, and the process that carries its rollback out and is held in it."""
    desk.do("run", desk.pipeline(SHOP.replace(MIGRATE_DOWN, "agent: hold, task: t")))
    return desk.start(*DEPLOY, *WHY, "--yes", *words)


def assert_nothing_happened(desk: Desk) -> None:
    assert desk.json("rollbacks") == []
    assert desk.notes("undone") == []


def test_a_dry_run_prints_the_plan_in_order_and_does_nothing(shop: Desk) -> None:
    result = shop.do(*DEPLOY, "--dry-run")
    assert (result.code, result.out, result.err) == (0, PLAN, "")
    assert_nothing_happened(shop)


def test_a_plan_has_the_fields_of_the_schema(shop: Desk) -> None:
    plan = shop.json(*DEPLOY, "--dry-run")
    assert [step["stage_name"] for step in plan["steps"]] == ["migrate", "deploy"]
    assert {
        "stage_name": "migrate", "agent": "undo", "task": "migrate down", "restores": [],
    }.items() <= plan["steps"][0].items()  # fmt: skip
    skip = {"stage_name": "announce", "component": None, "reason": "nothing to undo"}
    assert plan["skipped"] == [skip]
    assert plan["warnings"] == ["stage 'announce' ran and has nothing to undo it"]
    assert plan["hash"] == shop.json(*DEPLOY, "--dry-run")["hash"]


def test_a_rollback_undoes_in_reverse_order_and_succeeds_with_0(shop: Desk) -> None:
    result = shop.do(*DEPLOY, *WHY, "--yes")
    assert (result.code, result.err) == (0, "")
    assert result.out == "Rollback 1 of run 1 succeeded\n"
    assert shop.notes("undone") == ["migrate", "deploy"]
    run = shop.json("show", 1)
    assert run["status"] == "succeeded"
    (event,) = run["rollbacks"]
    assert (event["trigger_type"], event["actor"]) == ("manual", shop.user)
    assert event["reason"] == "it is broken"
    assert shop.stages()["deploy"] == "rolled_back"


def test_a_rollback_prints_json(shop: Desk) -> None:
    result = shop.do(*DEPLOY, *WHY, "--yes", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json() == shop.json("rollbacks")[0]


def test_a_failed_undo_ends_with_1_and_names_its_step(desk: Desk) -> None:
    desk.do("run", desk.pipeline(SHOP.replace(PUT_BACK, "agent: broken, task: t")))
    result = desk.do(*DEPLOY, *WHY, "--yes")
    assert result.code == 1
    assert result.out == "Rollback 1 of run 1 failed: step 'deploy' failed: exit code 7\n"
    assert "What the undo of deploy wrote: orchestrate-tui logs 1 deploy --rollback 1" in result.err
    statuses = [step["status"] for step in desk.json("rollbacks")[0]["steps"]]
    assert statuses == ["succeeded", "failed"]


def test_a_rollback_needs_a_reason_and_a_yes(shop: Desk) -> None:
    for words, said in (
        (["--yes"], "A rollback needs a reason"),
        (["--yes", "--reason", "  "], "A rollback needs a reason"),
        (WHY, "confirm it with --yes"),
    ):
        result = shop.do(*DEPLOY, *words)
        assert (result.code, result.out) == (2, "")
        assert said in result.err
        assert result.err.count("\n") == 1
    assert_nothing_happened(shop)


@pytest.mark.parametrize("answer", ["\n", "n\n", "maybe\n", "\x04"], ids=repr)
def test_on_a_terminal_the_plan_is_shown_and_the_default_is_no(shop: Desk, answer: str) -> None:
    terminal = shop.terminal(*DEPLOY, *WHY)
    assert terminal.until("Roll back run 1? [y/N] ").startswith(PLAN)
    terminal.type(answer)
    assert terminal.end() == 2
    assert "Nothing was changed" in terminal.text
    assert_nothing_happened(shop)


def test_on_a_terminal_a_yes_is_carried_out(shop: Desk) -> None:
    terminal = shop.terminal(*DEPLOY, *WHY)
    terminal.until("[y/N] ")
    terminal.type("y\n")
    assert terminal.end() == 0
    assert "undo of migrate undone" in terminal.text
    assert shop.notes("undone") == ["migrate", "deploy"]


def test_a_yes_that_was_typed_too_early_confirms_nothing(shop: Desk) -> None:
    terminal = shop.terminal(*DEPLOY, *WHY)
    terminal.type("y\ny\n")
    terminal.until("[y/N] ")
    terminal.type("n\n")
    assert terminal.end() == 2
    assert_nothing_happened(shop)


def test_a_plan_that_changed_while_it_was_looked_at_is_refused(shop: Desk) -> None:
    terminal = shop.terminal(*DEPLOY, *WHY)
    terminal.until("[y/N] ")
    other = shop.do("rollback", 1, "--from", "announce", "--to", "migrate", *WHY, "--yes")
    assert other.code == 0
    terminal.type("y\n")
    assert terminal.end() == 2
    assert "The run changed since this plan was made" in terminal.text
    assert shop.notes("undone") == ["migrate"]


def test_ctrl_c_at_the_question_changes_nothing(shop: Desk) -> None:
    terminal = shop.terminal(*DEPLOY, *WHY)
    terminal.until("[y/N] ")
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    assert_nothing_happened(shop)


REFUSALS = {
    "not upstream": (("--from", "deploy", "--to", "announce"), "does not come after stage"),
    "unknown stage": (("--from", "announce", "--to", "depoly"), "Its stages are: build, deploy,"),
    "unknown failed stage": (("--from", "x", "--to", "deploy"), "Run 1 has no stage 'x'"),
    "nothing undoes it": (("--from", "announce", "--to", "build"), "has nothing to undo it"),
    "nothing to retry": (("--from", "announce", "--to", "deploy", "--retry"), "to try again"),
    "component": (("--from", "announce", "--to", "deploy", "-C", "api"), "no component 'api'"),
}


@pytest.mark.parametrize(("words", "said"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_impossible_is_refused_without_an_event(
    shop: Desk, words: tuple[str, ...], said: str
) -> None:
    result = shop.do("rollback", 1, *words, *WHY, "--yes")
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert_nothing_happened(shop)


def test_a_refused_plan_is_shown_by_a_dry_run_with_the_refusal(shop: Desk) -> None:
    result = shop.do("rollback", 1, "--from", "announce", "--to", "build", "--dry-run", "--json")
    assert result.code == 2
    assert result.json()["refusal"] == "Stage 'build' has nothing to undo it"
    assert "Stage 'build' has nothing to undo it" in result.err


def test_a_stage_that_did_not_run_cannot_be_rolled_back(desk: Desk) -> None:
    desk.do("run", desk.pipeline(SHOP.replace("build, agent: fine", "build, agent: broken")))
    result = desk.do(*DEPLOY, *WHY, "--yes")
    assert result.code == 2
    assert "Nothing to roll back: stage 'deploy' did not run" in result.err


LOOP = "Rollback loop detected: stage 'deploy' has already been rolled back to 1 time(s)"


def test_a_second_rollback_to_the_same_stage_is_a_loop(shop: Desk) -> None:
    assert shop.do(*DEPLOY, *WHY, "--yes").code == 0
    for again in (shop.do(*DEPLOY, *WHY, "--yes"), shop.do(*DEPLOY, *WHY, "--yes", "--force")):
        assert (again.code, again.out) == (2, "")
        assert LOOP in again.err
    assert len(shop.json("rollbacks")) == 1


def test_nobody_is_asked_about_a_loop(shop: Desk) -> None:
    shop.do(*DEPLOY, *WHY, "--yes")
    terminal = shop.terminal(*DEPLOY, *WHY)
    assert terminal.end() == 2
    assert LOOP in terminal.text
    assert "[y/N]" not in terminal.text


def test_only_a_failed_rollback_is_retried_and_only_what_is_left_of_it(desk: Desk) -> None:
    flaky = "  flaky: {shell: 'echo flaky >>undone; test -e mended'}\n"
    desk.do("run", desk.pipeline(SHOP.replace(PUT_BACK, "agent: flaky, task: t"), agents=flaky))
    assert desk.do(*DEPLOY, *WHY, "--yes").code == 1
    assert LOOP in desk.do(*DEPLOY, *WHY, "--yes").err
    desk.write("mended", "")
    assert desk.do(*DEPLOY, *WHY, "--yes", "--retry").code == 0
    assert desk.notes("undone") == ["migrate", "flaky", "flaky"]
    retried, first = desk.json("rollbacks")
    assert (retried["retry_of"], first["retry_of"]) == (first["id"], None)
    late = desk.do(*DEPLOY, *WHY, "--yes", "--retry")
    assert late.code == 2
    assert "only a failed one is tried again" in late.err


def test_what_is_irreversible_has_to_be_accepted(desk: Desk) -> None:
    undo = "rollback: {irreversible: true, agent: undo, task: tell them}"
    desk.do("run", desk.pipeline(SHOP.rstrip().rstrip("}") + f", {undo}}}\n"))
    refused = desk.do(*DEPLOY, *WHY, "--yes")
    assert refused.code == 2
    assert "announce cannot be taken back: irreversible" in refused.err
    assert "--accept-irreversible" in refused.err
    assert_nothing_happened(desk)
    terminal = desk.terminal(*DEPLOY, *WHY)
    assert terminal.end() == 2
    assert "[y/N]" not in terminal.text
    assert desk.do(*DEPLOY, *WHY, "--yes", "--accept-irreversible").code == 0
    assert desk.notes("undone")[-2:] == ["migrate", "deploy"]


def test_ctrl_c_says_that_the_rollback_goes_on(desk: Desk) -> None:
    desk.do("run", desk.pipeline(SHOP.replace(MIGRATE_DOWN, "agent: hold, task: t")))
    terminal = desk.terminal(*DEPLOY, *WHY, "--yes")
    desk.ready.stage()
    for _ in range(2):
        terminal.type(CTRL_C)
        terminal.until("Rollback 1 to 'deploy' goes on (the undo of migrate is running); ")
        terminal.until("stop it with: orchestrate-tui rollback-step 1 halt --reason TEXT")
    desk.gate.open()
    assert terminal.end() == 0
    assert desk.notes("undone") == ["deploy"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_signal_stops_a_rollback(desk: Desk, number: int) -> None:
    job = held(desk)
    desk.ready.stage()
    job.signal(number)
    if number != signal.SIGHUP:
        assert "goes on" in job.err_line()
    desk.gate.open()
    assert job.end().code == 0
    assert desk.notes("undone") == ["deploy"]


def test_a_rollback_goes_on_when_its_terminal_is_gone(desk: Desk) -> None:
    desk.do("run", desk.pipeline(SHOP.replace(MIGRATE_DOWN, "agent: hold, task: t")))
    terminal = desk.terminal(*DEPLOY, *WHY, "--yes")
    desk.ready.stage()
    terminal.hang_up()
    desk.gate.open()
    assert terminal.process.wait(60) == 0
    assert desk.notes("undone") == ["deploy"]


def test_a_halt_from_a_second_process_ends_it_as_failed(desk: Desk) -> None:
    job = held(desk)
    _, pid = desk.ready.stage()
    halted = desk.do("rollback-step", 1, "halt", "--reason", "wrong run")
    assert (halted.code, halted.out) == (0, "Rollback 1 is being halted\n")
    result = job.end()
    assert result.code == 1
    assert f"halted by {desk.user}: wrong run" in result.out
    again = "orchestrate-tui rollback 1 --from announce --to deploy --retry --reason TEXT"
    assert result.err.splitlines()[-1].startswith(f"Try again what is left: {again}")
    assert not runs(pid)
    assert desk.notes("undone") == []
    assert "needs a reason" in desk.do("rollback-step", 1, "halt", "--reason", " ").err
    late = desk.do("rollback-step", 1, "halt", "--reason", "again")
    assert late.code == 2
    assert "Rollback 1 has ended" in late.err


def test_a_rollback_waits_for_a_decision_from_a_second_process(desk: Desk) -> None:
    desk.do("run", desk.pipeline(SHOP.replace(MIGRATE_DOWN, "agent: broken, task: t")))
    job = desk.start(*DEPLOY, *WHY, "--yes", "--wait")
    asked = job.err_line()
    assert "Rollback 1 waits for you, step 'migrate' failed: exit code 7" in asked
    assert "orchestrate-tui rollback-step 1 retry|skip|done|halt --reason TEXT" in asked
    (event,) = desk.json("rollbacks")
    assert event["waits"]
    assert event["waiting_since"]
    assert event["waits_for"] == "step 'migrate' failed: exit code 7"
    assert "it is broken; step 'migrate' failed: exit code 7" in desk.do("rollbacks").out
    again = desk.do("rollback", 1, "--from", "migrate", "--to", "migrate", *WHY, "--yes")
    assert "It waits for a decision: orchestrate-tui rollback-step 1 retry|skip" in again.err
    skipped = desk.do("rollback-step", 1, "skip", "--reason", "the table is gone", "--json")
    assert skipped.json() == {
        "outcome": f"Rollback 1 goes on: passed over by {desk.user}: the table is gone"
    }
    assert job.end().code == 0
    assert desk.notes("undone") == ["deploy"]
    assert desk.stages()["migrate"] == "succeeded"
    shown = " ".join(desk.do("show", 1).out.split())
    passed_over = f"1 passed over by {desk.user}: the table is gone"
    assert re.search(rf"1 migrate » passed over - [0-9]+s {re.escape(passed_over)}", shown)
    late = desk.do("rollback-step", 1, "done", "--reason", "x")
    assert (late.code, "Rollback 1 has ended" in late.err) == (2, True)


def test_who_decides_in_place_of_a_dead_process_sees_the_rollback_through(desk: Desk) -> None:
    migrate_down = "agent: broken, task: t"
    desk.do("run", desk.pipeline(SHOP.replace(MIGRATE_DOWN, migrate_down)))
    dead = desk.start(*DEPLOY, *WHY, "--yes", "--wait")
    dead.err_line()
    dead.process.kill()
    dead.process.wait()
    job = desk.start("rollback-step", 1, "retry", "--reason", "once more")
    assert job.out_line() == f"Rollback 1 goes on: tried again for {desk.user}: once more"
    assert "Rollback 1 waits for you, step 'migrate' failed: exit code 7" in job.err_line()
    assert desk.do("rollback-step", 1, "skip", "--reason", "the table is gone").code == 0
    result = job.end()
    assert (result.code, result.out) == (0, "Rollback 1 of run 1 succeeded\n")
    assert desk.notes("undone") == ["deploy"]


def test_who_resumes_a_rollback_that_waits_is_told_so_and_how_it_goes_on(desk: Desk) -> None:
    desk.do("run", desk.pipeline(SHOP.replace(MIGRATE_DOWN, "agent: broken, task: t")))
    dead = desk.start(*DEPLOY, *WHY, "--yes", "--wait")
    asked = dead.err_line()
    dead.process.kill()
    dead.process.wait()
    job = desk.start("resume", 1)
    assert job.err_line() == asked
    assert desk.do("rollback-step", 1, "halt", "--reason", "give it up").code == 0
    assert job.end().code == 1


def test_a_second_rollback_waits_for_nothing_and_is_refused_with_the_first_one(desk: Desk) -> None:
    job = held(desk)
    desk.ready.stage()
    refused = desk.do("rollback", 1, "--from", "announce", "--to", "migrate", *WHY, "--yes")
    assert (refused.code, refused.out) == (2, "")
    assert "Rollback 1" in refused.err
    assert desk.user in refused.err
    cancelled = desk.do("cancel", 1)
    assert cancelled.code == 2
    desk.gate.open()
    assert job.end().code == 0
    assert len(desk.json("rollbacks")) == 1


RUNNING = SHOP + "  - {name: watch, agent: forever, task: t}\n"


def test_a_running_run_is_stopped_and_rolled_back_by_its_own_process(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(RUNNING))
    _, pid = desk.ready.stage()
    result = desk.do("rollback", 1, "--from", "watch", "--to", "deploy", *WHY, "--yes")
    assert (result.code, result.err) == (0, "")
    assert not runs(pid)
    owner = job.end()
    assert owner.code == 130
    assert desk.notes("undone") == ["migrate", "deploy"]
    run = desk.json("show", 1)
    assert run["status"] == "cancelled"
    assert run["rollbacks"][0]["actor"] == desk.user


AUTOMATIC = SHOP.replace(MIGRATE_DOWN, "agent: hold, task: t").replace(
    "announce, agent: fine, task: t",
    "announce, agent: broken, task: t, on_failure: rollback, rollback_to: deploy",
)


def test_an_automatic_rollback_is_not_cancelled_with_its_run(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(AUTOMATIC))
    desk.ready.stage()
    terminal.type(CTRL_C)
    terminal.until("Rollback 1 to 'deploy' goes on (the undo of migrate is running)")
    refused = desk.do("cancel", 1)
    assert refused.code == 2
    assert "orchestrate-tui rollback-step 1 halt" in refused.err
    desk.gate.open()
    assert terminal.end() == 1
    assert "Cancel run" not in terminal.text
    assert desk.json("show", 1)["status"] == "failed"
    assert desk.stages()["deploy"] == "rolled_back"


def test_an_automatic_rollback_can_be_halted(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(AUTOMATIC))
    desk.ready.stage()
    assert desk.do("rollback-step", 1, "halt", "--reason", "leave it").code == 0
    assert job.end().code == 1
    assert desk.json("rollbacks")[0]["status"] == "failed"


def test_a_rollback_whose_process_was_killed_is_resumed(desk: Desk) -> None:
    undo = "agent: hold, task: t, idempotent: true"
    desk.do("run", desk.pipeline(SHOP.replace(MIGRATE_DOWN, undo)))
    job = desk.start(*DEPLOY, *WHY, "--yes")
    desk.ready.stage()
    job.signal(signal.SIGKILL)
    job.end()
    assert "?  interrupted" in desk.do("rollbacks").out
    assert "Go on with: orchestrate-tui resume 1" in desk.do("show", 1).out
    assert "interrupted: 1; go on with: orchestrate-tui resume RUN" in desk.do("doctor").out
    resumed = desk.start("resume", 1)
    desk.gate.open()
    assert resumed.end().code == 0
    assert desk.json("rollbacks")[0]["status"] == "succeeded"
    assert desk.notes("undone") == ["deploy"]


def test_resuming_a_rollback_that_fails_says_so_and_ends_with_1(desk: Desk) -> None:
    desk.do("run", desk.pipeline(SHOP.replace(MIGRATE_DOWN, "agent: hold, task: t")))
    job = desk.start(*DEPLOY, *WHY, "--yes")
    _, pid = desk.ready.stage()
    job.signal(signal.SIGKILL)
    job.end()
    assert desk.json("rollbacks", 1)[0]["interrupted"] is True
    os.kill(pid, signal.SIGKILL)
    resumed = desk.do("resume", 1)
    assert resumed.code == 1
    assert "Rollback 1 of run 1 failed: step 'migrate' failed: killed by signal 9" in resumed.out
    assert "failed" in desk.do("runs").out


def test_a_run_whose_process_was_killed_is_rolled_back_at_once(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(RUNNING.replace("forever", "hold")))
    desk.ready.stage()
    job.signal(signal.SIGKILL)
    job.end()
    result = desk.do("rollback", 1, "--from", "watch", "--to", "deploy", *WHY, "--yes")
    assert (result.code, result.err) == (0, "")
    assert desk.notes("undone") == ["migrate", "deploy"]
    assert desk.json("show", 1)["status"] == "cancelled"


def test_a_rollback_of_a_simulated_run_is_simulated(desk: Desk) -> None:
    desk.do("run", desk.pipeline(SHOP), "--simulate")
    assert desk.do(*DEPLOY, *WHY, "--yes").code == 0
    assert desk.notes("undone") == []
    assert desk.stages()["deploy"] == "rolled_back"


def test_one_of_two_components_is_undone_and_the_record_says_which(desk: Desk) -> None:
    stages = (
        "  - {name: deploy, agent: fine, task: t, components: [api, web],"
        " rollback: {agent: undo, task: 'back ${component}'}}\n"
    )
    assert desk.do("run", desk.pipeline(stages)).code == 0
    words = ("rollback", 1, "--from", "deploy", "--to", "deploy", "-C", "web", *WHY)
    plan = desk.do(*words, "--dry-run")
    assert plan.out.splitlines() == [
        "Roll back from 'deploy' to 'deploy', only web:",
        "  1. undo deploy[web]: back web (undo)",
    ]
    assert desk.do(*words, "--yes").code == 0
    assert desk.stages() == {"deploy": "succeeded"}
    (event,) = desk.json("rollbacks", 1)
    assert event["components"] == ["web"]
    assert [step["component"] for step in event["steps"]] == ["web"]
    assert desk.do("logs", 1, "deploy[web]", "--rollback", event["id"]).code == 0
    shown = desk.do("rollbacks").out
    assert "deploy → deploy (only web)" in shown


def test_the_target_alone_or_in_each_environment_apart(desk: Desk) -> None:
    stages = "".join(
        f"  - {{name: {name}, agent: fine, task: t, environment: {place},"
        f" rollback: {{agent: undo, task: {name} back}}}}\n"
        for name, place in (("staging", "test"), ("deploy", "production"))
    )
    assert desk.do("run", desk.pipeline(stages)).code == 0
    words = ("rollback", 1, "--from", "deploy", "--to", "staging", *WHY)
    assert desk.do(*words, "--dry-run").out.splitlines() == [
        "Roll back from 'deploy' to 'staging':",
        "  In production:",
        "  1. undo deploy: deploy back (undo)",
        "  In test:",
        "  2. undo staging: staging back (undo)",
    ]
    plan = desk.json(*words, "--dry-run")
    assert plan["environments"] == ["production", "test"]
    assert [step["environment"] for step in plan["steps"]] == ["production", "test"]
    alone = desk.do(*words, "--no-cascade", "--dry-run").out.splitlines()
    assert alone[:2] == [
        "Roll back from 'deploy' to 'staging', that stage alone:",
        "  1. undo staging: staging back (undo)",
    ]
    assert alone[2] == "  -  deploy: stays as it is: only 'staging' is undone"
    assert desk.do(*words, "--no-cascade", "--yes").code == 0
    assert desk.stages() == {"staging": "rolled_back", "deploy": "succeeded"}
    shown = desk.do("show", 1).out
    assert "deploy → staging (staging alone)" in shown
    assert re.search(r"staging +✓ +undone +test", shown)
    (event,) = desk.json("rollbacks", 1)
    assert (event["cascade"], event["environments"]) == (False, ["test"])
