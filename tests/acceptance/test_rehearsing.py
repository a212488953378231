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


def test_exactly_the_rollback_is_rehearsed_that_is_to_be_asked_for(desk: Desk) -> None:
    file = EXAMPLES / "components.yaml"
    for version in ("1.0", "1.1"):
        assert desk.do("run", file, "--var", f"version={version}").code == 0
    other = desk.folder / "other.yaml"
    other.write_text(file.read_text().replace("is what it was before", "is old again"))
    reach = ("-C", "web", "--release", "1.0", "--definition", other, "--no-cascade")
    result = desk.do("rehearse", 2, "--to", "deploy", *reach)
    assert (result.code, result.err) == (0, "")
    heading, difference, step = result.out.splitlines()[:3]
    assert heading == (
        "Rehearsal 1 of a rollback of run 2 from 'deploy' to 'deploy', that stage alone,"
        " only web, back to release 2, as another file says:"
    )
    assert difference.strip().startswith("±  undo of deploy: ")
    assert step.strip() == "1. undo deploy[web]: web is old again (informer), 1.1 → 1.0"
    assert "deploy[api]" not in result.out
    found = json.loads(desk.do("rehearse", 2, "--to", "deploy", *reach, "--json").out)
    told = (found["components"], found["cascade"], found["named_release"])
    assert told == (["web"], False, 2)
    assert len(found["definition"]) == 64


def test_what_a_failed_rollback_has_left_is_rehearsed(desk: Desk) -> None:
    shop = desk.pipeline(CHECKED % "test -e mended || exit 3")
    assert desk.do("run", shop, "--var", "colour=red").code == 0
    back = ("--from", "deploy", "--to", "deploy")
    assert desk.do("rollback", 1, *back, "--reason", "x", "--yes").code == 1
    assert "already been rolled back" in desk.do("rehearse", 1, *back).out
    (desk.folder / "mended").touch()
    again = desk.do("rehearse", 1, *back, "--retry")
    assert (again.code, again.err) == (0, "")


def test_what_cannot_be_rehearsed_is_refused(desk: Desk) -> None:
    assert desk.do("run", desk.pipeline(CHECKED % "exit 0"), "--var", "colour=red").code == 0
    assert desk.do("rehearse", 7).code == 2
    assert "no stage 'ghost'" in desk.do("rehearse", 1, "--to", "ghost").err
    assert "no component 'ghost'" in desk.do("rehearse", 1, "-C", "ghost").err
    assert "Name it with --to STAGE" in desk.do("rehearse", 1, "--no-cascade").err
    assert desk.json("show", 1)["last_rehearsal"] is None
