"""A stage that a rollback of another run keeps from its environment says so."""

from __future__ import annotations

from tests.acceptance.desk import Desk

STAGES = """
  - name: deploy
    agent: fine
    task: Deploy
    environment: live
    rollback: {agent: hold, task: Back}
"""


def test_a_stage_that_waits_for_a_rollback_names_it(desk: Desk) -> None:
    shop = desk.pipeline(STAGES)
    assert desk.do("run", shop).code == 0
    way = ("--from", "deploy", "--to", "deploy", "--reason", "slow", "--yes")
    rollback = desk.start("rollback", 1, *way)
    assert desk.ready.stage()[0] == "deploy"
    run = desk.terminal("run", shop)
    said = f"rollback 1 by {desk.user} of run 1 of shop is under way in 'live'"
    run.until(f"deploy waits: {said}")
    (stage,) = desk.json("show", 2)["stages"]
    assert (stage["status"], stage["waits_for"]) == ("running", said)
    assert "deploy  ◌  waits   " in desk.do("show", 2).out
    assert said in desk.do("show", 2).out
    desk.gate.open()
    run.until("deploy goes on")
    assert (rollback.end().code, run.end()) == (0, 0)
    (stage,) = desk.json("show", 2)["stages"]
    assert (stage["status"], stage["waits_for"]) == ("succeeded", None)
