"""Who is there, as commands tell it; and what they keep of who has seen a run go wrong."""

from __future__ import annotations

from typing import Any

from tests.acceptance.desk import Desk

HELD = "  - {name: wait, agent: hold, task: t}\n"


def test_who_works_on_a_run_is_listed(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(HELD))
    desk.ready.stage()
    (person,) = desk.json("who")
    assert person["pid"] == job.process.pid
    assert (person["user"], person["mode"], person["runs"]) == (desk.user, "command", [1])
    assert f"{desk.user}" in desk.do("who").out
    desk.gate.open()
    assert job.end().code == 0
    desk.wait_for_owners()
    assert desk.json("who") == []


def test_a_console_is_listed_with_its_terminal(desk: Desk) -> None:
    desk.do("run", desk.pipeline("  - {name: a, agent: fine, task: t}\n"))
    for words, mode in (((), "console"), (("--read-only",), "read-only")):
        terminal = desk.terminal("console", *words)
        terminal.until("Orchestrate")
        person = listed_as(mode, desk)
        assert person["pid"] == terminal.process.pid
        assert person["terminal"].startswith("pts/")
        terminal.type("q")
        assert terminal.end() == 0


def listed_as(mode: str, desk: Desk) -> Any:
    """The one who is there, as soon as that is so; a console opens its executor a moment later."""
    while True:
        (person,) = desk.json("who")
        if person["mode"] == mode:
            return person


def test_a_run_that_went_wrong_is_acknowledged_once(desk: Desk) -> None:
    desk.do("run", desk.pipeline("  - {name: a, agent: broken, task: t}\n"))
    done = desk.do("acknowledge", 1, "--comment", "on it")
    assert (done.code, done.out) == (0, f"Run 1 is acknowledged by {desk.user}\n")
    again = desk.do("acknowledge", 1)
    assert again.code == 2
    assert f"Run 1 was acknowledged by {desk.user} at " in again.err
    assert f"failed, seen by {desk.user}" in desk.do("runs").out
    assert ": on it" in desk.do("show", 1).out
    assert desk.json("show", 1)["acknowledged_by"] == desk.user
