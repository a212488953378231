"""`rehearse`, and where the last rehearsal of a run is told of."""

from __future__ import annotations

import json

from tests.acceptance.desk import EXAMPLES, Desk

SYMLINK = EXAMPLES / "symlink.yaml"
CHECKED = """
  - name: deploy
    agent: fine
    task: Deploy
    environment: live
    rollback: {agent: undo, task: "Back ${colour}", check: "%s"}
  - {name: smoke, agent: fine, task: Look}
"""


def test_a_rollback_that_would_succeed_is_rehearsed_and_nothing_is_undone(desk: Desk) -> None:
    for version in ("1.0", "1.1"):
        assert desk.do("run", SYMLINK, "--var", f"version={version}").code == 0
    link = desk.folder / "symlink-work/current"
    before = link.readlink()
    assert "never rehearsed" in desk.do("show", 2).out
    assert desk.json("show", 2)["last_rehearsal"] is None
    result = desk.do("rehearse", 2, "--to", "switch")
    assert (result.code, result.err) == (0, "")
    assert "1. undo switch: Serve version 1.0 again (returner), 1.1 → 1.0\n" in result.out
    assert "$ ln -sfn -- releases/1.0 " in result.out
    assert result.out.endswith("All well; nothing was undone\n")
    assert link.readlink() == before
    assert desk.json("show", 2)["last_rehearsal"]["outcome"] == "all well"
    assert f"s ago by {desk.user}, all well\n" in desk.do("show", 2).out
    assert f"by {desk.user}, all well\n" in desk.do("readiness", 2).out
    assert json.loads(desk.do("readiness", 2, "--json").out)[0]["rehearsal"] == "all well"
    assert desk.json("rollbacks") == []


def test_what_is_missing_is_told_and_the_exit_code_says_that_something_is(desk: Desk) -> None:
    shop = desk.pipeline(CHECKED % "echo cannot tell >&2; exit 4")
    assert desk.do("run", shop, "--var", "colour=red").code == 0
    result = desk.do("rehearse", 1)
    assert result.code == 1
    assert "   ✗ its check failed: exit code 4\n" in result.out
    assert "     cannot tell\n" in result.out
    assert result.out.endswith("1 problem; nothing was undone\n")
    found = desk.do("rehearse", 1, "--json")
    assert found.code == 1
    record = json.loads(found.out)
    assert record["problems"] == ["deploy: its check failed: exit code 4"]
    (step,) = record["steps"]
    assert (step["task"], step["check"], step["environment"]["VAR_COLOUR"]) == (
        *("Back red", "failed", "red"),
    )
    assert record["skipped"] == [{"stage_name": "smoke", "reason": "nothing to undo"}]
    assert desk.notes("undone") == []


def test_what_cannot_be_rehearsed_is_refused(desk: Desk) -> None:
    assert desk.do("run", desk.pipeline(CHECKED % "exit 0"), "--var", "colour=red").code == 0
    assert desk.do("rehearse", 7).code == 2
    assert "no stage 'ghost'" in desk.do("rehearse", 1, "--to", "ghost").err
    assert desk.json("show", 1)["last_rehearsal"] is None
