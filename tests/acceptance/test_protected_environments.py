"""What is grave in a protected environment has to be confirmed by its name."""

from __future__ import annotations

import pytest

from tests.acceptance.desk import CTRL_C, Desk

PROTECTED = "environments: {production: {protected: true}}\n"
STAGES = """\
  - {name: deploy, agent: note, task: t, environment: production, rollback: {agent: undo, task: u}}
  - {name: serve, agent: forever, task: t}
"""
DEPLOYED = "\n".join(STAGES.splitlines()[:1]) + "\n"


def pipeline(desk: Desk, stages: str) -> str:
    return desk.pipeline(stages, agents=PROTECTED)


def test_cancelling_needs_the_name_where_nobody_can_be_asked(desk: Desk) -> None:
    job = desk.start("run", pipeline(desk, STAGES))
    desk.ready.stage()
    for words in ([], ["--confirm", "prod"]):
        refused = desk.do("cancel", 1, *words)
        assert refused.code == 2
        assert "Run 1 touches a protected environment" in refused.err
        assert "--confirm 'production'" in refused.err
    assert desk.do("cancel", 1, "--confirm", "production").code == 0
    assert job.end().code == 130


def test_cancelling_asks_for_the_name_on_a_terminal(desk: Desk) -> None:
    job = desk.start("run", pipeline(desk, STAGES))
    desk.ready.stage()
    for answer, code in (("y", 2), ("production", 0)):
        terminal = desk.terminal("cancel", 1)
        terminal.until("Type production to confirm: ")
        terminal.type(f"{answer}\n")
        assert terminal.end() == code
    assert job.end().code == 130


def test_ctrl_c_asks_for_the_name_however_often_it_is_typed(desk: Desk) -> None:
    terminal = desk.terminal("run", pipeline(desk, STAGES))
    desk.ready.stage()
    for answer in ("y\n", f"{CTRL_C}\n"):
        terminal.type(CTRL_C)
        terminal.until("Cancel run 1? Type production to confirm: ")
        terminal.type(answer)
        terminal.until("Run 1 goes on")
    terminal.type(CTRL_C)
    terminal.until("Type production to confirm: ")
    terminal.type("production\n")
    assert terminal.end() == 130


@pytest.mark.parametrize("words", [["--yes"], []])
def test_a_yes_alone_rolls_nothing_back(desk: Desk, words: list[str]) -> None:
    desk.do("run", pipeline(desk, DEPLOYED))
    rollback = ("rollback", 1, "--from", "deploy", "--to", "deploy", "--reason", "bad")
    refused = desk.do(*rollback, *words)
    assert refused.code == 2
    assert "--confirm 'production'" in refused.err
    assert desk.notes("undone") == []
    assert desk.do(*rollback, *words, "--confirm", "production").code == 0
    assert desk.notes("undone") == ["deploy"]


def test_a_rollback_shows_its_plan_before_it_asks_for_the_name(desk: Desk) -> None:
    desk.do("run", pipeline(desk, DEPLOYED))
    rollback = ("rollback", 1, "--from", "deploy", "--to", "deploy", "--reason", "bad", "--yes")
    terminal = desk.terminal(*rollback)
    assert "1. undo deploy" in terminal.until("Type production to confirm: ")
    terminal.type("production\n")
    assert terminal.end() == 0


def test_the_configuration_protects_environments_of_this_machine(desk: Desk) -> None:
    (desk.config / "config.yaml").write_text("environments: {production: {protected: yes}}\n")
    desk.do("run", desk.pipeline(DEPLOYED))
    refused = desk.do("rollback", 1, "--from", "deploy", "--to", "deploy", "--reason", "b", "--yes")
    assert (refused.code, desk.notes("undone")) == (2, [])


def test_a_simulated_run_needs_no_name(desk: Desk) -> None:
    desk.do("run", pipeline(desk, DEPLOYED), "--simulate")
    done = desk.do("rollback", 1, "--from", "deploy", "--to", "deploy", "--reason", "b", "--yes")
    assert done.code == 0


def test_a_protected_environment_that_no_stage_uses_is_warned_about(desk: Desk) -> None:
    file = desk.pipeline(DEPLOYED, agents="environments: {prodution: {protected: true}}\n")
    result = desk.do("validate", file)
    assert result.code == 0
    assert "the environment 'prodution' is used by no stage" in result.out + result.err
    assert "did you mean 'production'?" in result.out + result.err


def test_what_an_environment_cannot_have_is_refused_with_its_line(desk: Desk) -> None:
    file = desk.pipeline(DEPLOYED, agents="environments: {production: {proteced: true}}\n")
    result = desk.do("validate", file)
    assert result.code == 1
    assert "unknown key 'proteced' in an environment" in result.out + result.err
