"""Ctrl-C, SIGTERM, a lost terminal, and kill -9, while a run is under way."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestrate_tui.store.history import History
from tests.acceptance.desk import CTRL_C, Desk, Job, runs, wait_for_end

FOREVER = "  - {name: serve, agent: forever, task: t}\n  - {name: next, agent: note, task: t}\n"
HELD = "  - {name: wait, agent: hold, task: t}\n  - {name: next, agent: note, task: t}\n"


def test_ctrl_c_asks_and_a_yes_cancels(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(FOREVER))
    _, pid = desk.ready.stage()
    terminal.type(CTRL_C)
    terminal.until("Cancel run 1? [y/N] ")
    terminal.type("y\n")
    assert terminal.end() == 130
    assert not runs(pid)
    assert desk.stages() == {"serve": "cancelled", "next": "skipped"}


def test_ctrl_c_asks_and_a_no_goes_on(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(HELD))
    desk.ready.stage()
    terminal.type(CTRL_C)
    terminal.until("[y/N] ")
    terminal.type("n\n")
    desk.gate.open()
    assert terminal.end() == 0
    assert desk.notes() == ["next"]


def test_ctrl_c_asks_again_the_next_time(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(FOREVER))
    desk.ready.stage()
    for answer, outcome in (("\n", "Run 1 goes on"), ("yes\n", "Run 1 is being cancelled")):
        terminal.type(CTRL_C)
        terminal.until("[y/N] ")
        terminal.type(answer)
        terminal.until(outcome)
    assert terminal.end() == 130


def test_a_second_ctrl_c_cancels(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(FOREVER))
    _, pid = desk.ready.stage()
    terminal.type(CTRL_C)
    terminal.until("[y/N] ")
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    assert not runs(pid)


def test_what_was_typed_before_the_question_does_not_answer_it(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(HELD))
    desk.ready.stage()
    terminal.type("y\n" + CTRL_C)
    terminal.until("[y/N] ")
    terminal.type("n\n")
    desk.gate.open()
    assert terminal.end() == 0


def test_a_question_that_came_too_late_is_withdrawn(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(HELD))
    desk.ready.stage()
    terminal.type(CTRL_C)
    terminal.until("[y/N] ")
    desk.gate.open()
    assert terminal.end() == 0
    assert "run 1 succeeded" in terminal.text


def test_ctrl_c_without_a_terminal_cancels_at_once(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(FOREVER))
    _, pid = desk.ready.stage()
    job.signal(signal.SIGINT)
    result = job.end()
    assert result.code == 130
    assert result.err == "Run 1 is being cancelled\n"  # said before it is done
    assert result.out.endswith("Run 1 cancelled: cancelled by " + desk.user + "\n")
    assert not runs(pid)


def test_sigterm_cancels_with_and_without_a_terminal(desk: Desk) -> None:
    file = desk.pipeline(FOREVER)
    terminal, job = desk.terminal("run", file), desk.start("run", file)
    pids = [desk.ready.stage()[1] for _ in range(2)]
    terminal.process.send_signal(signal.SIGTERM)
    job.signal(signal.SIGTERM)
    assert terminal.end() == 130
    assert "Cancel run" not in terminal.text
    assert job.end().code == 130
    assert not any(map(runs, pids))


def test_a_signal_right_after_the_start_cancels_in_good_order(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(FOREVER))
    assert job.out_line() == "Run 1 of shop started"
    job.signal(signal.SIGTERM)
    assert job.end().code == 130
    assert desk.json("show", 1)["status"] == "cancelled"


def test_a_cancelled_stage_that_will_not_go_is_killed(desk: Desk) -> None:
    desk.write(
        "stubborn.yaml",
        "name: x\nagents:\n  stubborn:\n    grace: 100ms\n    shell: |\n      trap '' TERM\n"
        '      echo "$ORCHESTRATE_STAGE $$" >ready\n      while read go <gate; do :; done\n'
        "stages: [{name: a, agent: stubborn, task: t}]\n",
    )
    job = desk.start("run", "stubborn.yaml")
    _, pid = desk.ready.stage()
    job.signal(signal.SIGINT)
    assert job.end().code == 130
    assert not runs(pid)


def test_json_is_printed_for_a_cancelled_run_too(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(FOREVER), "--json")
    desk.ready.stage()
    job.signal(signal.SIGINT)
    assert job.end().json()["status"] == "cancelled"


def test_a_run_goes_on_when_its_terminal_is_gone(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(HELD))
    _, pid = desk.ready.stage()
    terminal.hang_up()
    assert terminal.process.poll() is None
    assert runs(pid)
    desk.gate.open()
    assert terminal.process.wait(60) == 0
    assert desk.stages() == {"wait": "succeeded", "next": "succeeded"}


def test_a_stage_can_still_be_told_to_hang_up(desk: Desk) -> None:
    desk.write(
        "trap.yaml",
        "name: x\nagents:\n  trap: {shell: 'trap \"exit 0\" HUP INT TERM; kill -HUP $$; exit 9'}\n"
        "stages: [{name: a, agent: trap, task: t}]\n",
    )
    assert desk.do("run", "trap.yaml").code == 0


def test_a_detached_run_outlives_the_terminal_it_was_started_on(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(HELD), "--detach")
    assert terminal.until("\n") == "1\n"
    assert terminal.end() == 0
    terminal.hang_up()
    desk.ready.stage()
    desk.gate.open()
    desk.wait_for_owners()
    assert desk.stages() == {"wait": "succeeded", "next": "succeeded"}


def test_a_detached_run_prints_its_id_alone(desk: Desk) -> None:
    file = desk.pipeline("  - {name: a, agent: fine, task: t}\n")
    assert desk.do("run", file, "--detach").out == "1\n"
    assert desk.do("run", file, "--detach", "--json").json() == {"id": 2}
    desk.wait_for_owners()
    assert desk.json("show", 1)["status"] == "succeeded"


def test_a_detached_run_can_be_cancelled(desk: Desk) -> None:
    assert desk.do("run", desk.pipeline(FOREVER), "--detach").code == 0
    _, pid = desk.ready.stage()
    assert desk.do("cancel", 1).code == 0
    wait_for_end(pid)
    desk.wait_for_owners()
    assert desk.json("show", 1)["status"] == "cancelled"


def test_what_cannot_be_detached_says_so_here(desk: Desk) -> None:
    desk.database.parent.mkdir()
    desk.database.write_text("this is no database, whatever its name may be")
    result = desk.do("run", desk.pipeline(HELD), "--detach")
    assert (result.code, result.out) == (2, "")
    assert "store.db" in result.err


def test_a_run_whose_process_was_killed_is_interrupted_and_resumed(desk: Desk) -> None:
    file = desk.pipeline(
        "  - {name: build, agent: note, task: t}\n"
        "  - {name: wait, agent: hold, task: t}\n"
        "  - {name: ship, agent: note, task: t}\n"
    )
    job = desk.start("run", file)
    desk.ready.stage()
    job.signal(signal.SIGKILL)
    assert job.end().code == -signal.SIGKILL
    assert "interrupted" in desk.do("runs").out
    shown = desk.do("show", 1)
    assert "Its executor died. Go on with: orchestrate-tui resume 1" in shown.out
    assert desk.stages() == {"build": "succeeded", "wait": "interrupted", "ship": "pending"}
    desk.gate.open()  # for the stage that was left
    desk.gate.open()
    resumed = desk.do("resume", 1)
    assert (resumed.code, resumed.out, resumed.err) == (0, "Run 1 succeeded\n", "")
    assert desk.notes() == ["build", "ship"]


def test_a_run_that_is_fine_is_not_resumed(desk: Desk) -> None:
    file = desk.pipeline(HELD)
    job = desk.start("run", file)
    desk.ready.stage()
    running = desk.do("resume", 1)
    assert running.code == 2
    assert "only an interrupted one is resumed" in running.err
    desk.gate.open()
    assert job.end().code == 0
    ended = desk.do("resume", 1)
    assert ended.code == 2
    assert "Run 1 succeeded" in ended.err


def test_an_interrupted_run_can_be_cancelled(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(HELD))
    desk.ready.stage()
    job.signal(signal.SIGKILL)
    job.end()
    assert desk.do("cancel", 1).out == "Run 1 is cancelled\n"
    assert desk.json("show", 1)["status"] == "cancelled"
    desk.gate.open()  # for the stage that was left


def stopped(job: Job) -> None:
    job.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, job.process.pid, os.WSTOPPED)


def test_a_run_is_taken_from_a_process_that_was_stopped(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline(HELD))
    desk.ready.stage()
    stopped(job)
    refused = desk.do("resume", 1)
    assert refused.code == 2
    assert f"{desk.user} (process {job.process.pid}) works on it" in refused.err
    assert "orchestrate-tui resume 1 --take-over --reason TEXT" in refused.err
    taking = desk.start("resume", 1, "--take-over", "--reason", "its laptop sleeps")
    with closing(History(desk.database)) as history:
        while "takeover" not in [event.kind for event in history.events(1)]:
            assert taking.process.poll() is None
    job.signal(signal.SIGCONT)
    ended = job.end()
    assert ended.code == 3
    assert f"orchestrate-tui: Run 1 was taken over by {desk.user} at " in ended.err
    assert ended.err.endswith(": its laptop sleeps. This process has let go of it\n")
    desk.gate.open()
    result = taking.end()
    assert (result.code, result.err) == (0, "")
    assert desk.notes() == ["next"]


def test_who_was_stopped_in_a_rollback_and_lost_it_says_so(desk: Desk) -> None:
    stages = "  - {name: build, agent: fine, task: t, rollback: {agent: hold, task: t}}\n"
    desk.do("run", desk.pipeline(stages))
    rollback = ("--from", "build", "--to", "build", "--reason", "bad", "--yes")
    job = desk.start("rollback", 1, *rollback)
    desk.ready.stage()
    stopped(job)
    taking = desk.start("resume", 1, "--take-over", "--reason", "its laptop sleeps")
    with closing(History(desk.database)) as history:
        while "takeover" not in [event.kind for event in history.events(1)]:
            assert taking.process.poll() is None
    job.signal(signal.SIGCONT)
    ended = job.end()
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.endswith(": its laptop sleeps. This process has let go of it\n")
    desk.gate.open()
    assert taking.end().code == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--take-over"], "Taking a run over needs a reason"),
        (["--take-over", "--reason", " "], "Taking a run over needs a reason"),
        (["--reason", "so"], "--reason is for --take-over"),
    ],
)
def test_a_run_is_taken_over_only_with_a_reason(
    desk: Desk, words: list[str], complaint: str
) -> None:
    desk.do("run", desk.pipeline("  - {name: a, agent: fine, task: t}\n"))
    refused = desk.do("resume", 1, *words)
    assert refused.code == 2
    assert complaint in refused.err


def test_nobody_says_two_things_of_a_lost_stage(desk: Desk) -> None:
    desk.do("run", desk.pipeline("  - {name: a, agent: fine, task: t}\n"))
    refused = desk.do("resume", 1, "--stage", "a", "--as", "done", "--stage", "a", "--as", "failed")
    assert (refused.code, refused.out) == (2, "")
    assert "--stage a is there twice" in refused.err


def test_a_run_that_has_ended_is_not_taken_over(desk: Desk) -> None:
    desk.do("run", desk.pipeline("  - {name: a, agent: fine, task: t}\n"))
    refused = desk.do("resume", 1, "--take-over", "--reason", "so")
    assert refused.code == 2
    assert "only an interrupted one is resumed" in refused.err


def within(desk: Desk, script: str, *, grace: str) -> Path:
    """A pipeline whose only stage runs another one, whose only stage runs a script."""
    desk.write("script.sh", script)
    desk.write(
        "within.yaml",
        "name: within\nagents: {a: {command: [sh, script.sh]}}\n"
        "stages:\n  - {name: s, agent: a, task: t}\n",
    )
    command = f"{sys.executable} -m orchestrate_tui run within.yaml --db within.db"
    return desk.write(
        "around.yaml",
        f"name: around\nagents: {{run: {{shell: '{command}', grace: {grace}}}}}\n"
        "stages:\n  - {name: run, agent: run, task: t}\n",
    )


def test_a_cancelled_stage_that_runs_a_pipeline_cancels_that(desk: Desk) -> None:
    script = 'echo "s $$" >ready; exec tail -f /dev/null'
    job = desk.start("run", within(desk, script, grace="20s"))
    _, pid = desk.ready.stage()
    job.signal(signal.SIGTERM)
    assert job.end().code == 130
    assert not runs(pid)
    (run,) = desk.do("runs", "--json", "--db", "within.db").json()
    assert run["status"] == "cancelled"


def test_of_a_pipeline_that_a_stage_runs_nothing_is_left_after_the_grace_of_the_stage(
    desk: Desk,
) -> None:
    script = "trap '' TERM; echo \"s $$\" >ready; while :; do sleep 1; done"
    job = desk.start("run", within(desk, script, grace="1s"))
    _, pid = desk.ready.stage()
    job.signal(signal.SIGTERM)
    assert job.end().code == 130
    assert not runs(pid)
