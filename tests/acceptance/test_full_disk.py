"""A disk that fills up while a run is under way: it is told, waited for, and gone on from."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate_tui.cli.console import _see_out
from orchestrate_tui.cli.executors import own_executor
from orchestrate_tui.cli.interrupts import Interrupts
from orchestrate_tui.cli.places import database_option
from orchestrate_tui.errors import Unrecorded
from orchestrate_tui.spec.loading import load_pipeline
from orchestrate_tui.store.database import StoreFiles
from tests.acceptance.desk import CTRL_C, PATIENCE_S, Desk, wait_for_end
from tests.small_disk import fill, small_disk

STAGES = """
  - {name: first, agent: hold, task: t}
  - {name: second, agent: note, task: t}
  - {name: third, agent: hold, task: t}
"""
FLOOD = """
name: flood
agents: {flood: {shell: head -c 3000000 /dev/zero}, note: {shell: echo it >>notes}}
"""
FOREVER = "  - {name: serve, agent: forever, task: t}\n  - {name: next, agent: note, task: t}\n"
SAID = "orchestrate-tui: The disk is full: {} cannot be written. Nothing new starts, and what"


@pytest.fixture
def disk(desk: Desk) -> Iterator[Path]:
    """The small disk on which the desk's database lies."""
    with small_disk(desk.database.parent) as folder:
        yield folder


def test_a_run_waits_for_room_says_so_once_and_goes_on_by_itself(desk: Desk, disk: Path) -> None:
    job = desk.start("run", desk.pipeline(STAGES))
    desk.ready.stage()
    filler = fill(disk, desk.database)
    desk.gate.open()
    assert job.err_line().startswith(SAID.format(desk.database))
    assert desk.notes() == []
    assert desk.do("who").err == f"The disk is full: {desk.database} cannot be written\n"
    filler.unlink()
    assert "There is room on the disk again" in job.err_line()
    assert desk.ready.stage()[0] == "third"
    assert desk.do("who").err == ""
    desk.gate.open()
    ended = job.end()
    assert (ended.code, ended.err) == (0, "")
    assert desk.notes() == ["second"]
    assert desk.do("doctor").code == 0


def test_a_run_that_fails_where_its_log_has_no_room_says_so_with_that_exit_code(
    desk: Desk,
) -> None:
    desk.database.parent.mkdir(mode=0o700, exist_ok=True)
    stages = "  - {name: flood, agent: flood, task: t}\n  - {name: next, agent: note, task: t}\n"
    desk.write("flood.yaml", f"{FLOOD}stages:\n{stages}")
    with small_disk(StoreFiles(desk.database).runs):
        said = desk.do("run", "flood.yaml")
        assert (said.code, desk.notes()) == (4, [])
        assert "exit code 1, while the disk had no room for its log" in said.out
        assert desk.json("show", 1)["status"] == "failed"
        assert desk.do("doctor").code == 0


def test_a_timeout_acts_while_the_disk_is_full(desk: Desk, disk: Path) -> None:
    stages = (
        "  - {name: wait, agent: hold, task: t}\n"
        "  - {name: serve, agent: forever, task: t, depends_on: [], timeout: 4s}\n"
    )
    job = desk.start("run", desk.pipeline(stages))
    pids = dict(desk.ready.stage() for _ in range(2))
    filler = fill(disk, desk.database)
    desk.gate.open()
    job.err_line()
    wait_for_end(pids["serve"])
    assert desk.stages() == {"wait": "running", "serve": "running"}
    filler.unlink()
    assert job.end().code == 1
    assert desk.stages() == {"wait": "succeeded", "serve": "failed"}


def test_who_ends_a_run_that_cannot_be_recorded_gets_an_exit_code_of_its_own(
    desk: Desk, disk: Path
) -> None:
    stages = STAGES + "  - {name: serve, agent: forever, task: t, depends_on: []}\n"
    job = desk.start("run", desk.pipeline(stages))
    pids = dict(desk.ready.stage() for _ in range(2))
    filler = fill(disk, desk.database)
    desk.gate.open()
    job.err_line()
    job.signal(signal.SIGINT)
    ended = job.end()
    assert ended.code == 4
    assert "what happened since is not recorded. Free some space" in ended.err
    wait_for_end(pids["serve"])
    filler.unlink()
    assert desk.json("show", 1)["status"] == "interrupted"


def test_ctrl_c_asks_before_it_ends_what_cannot_be_recorded(desk: Desk, disk: Path) -> None:
    terminal = desk.terminal("run", desk.pipeline(STAGES))
    desk.ready.stage()
    fill(disk, desk.database)
    desk.gate.open()
    terminal.until("The disk is full")
    terminal.type(CTRL_C)
    terminal.until("End run 1 unrecorded? [y/N] ")
    terminal.type("n\n")
    terminal.until("Run 1 goes on")
    terminal.type(CTRL_C)
    terminal.until("[y/N] ")
    terminal.type("y\n")
    assert terminal.end() == 4


def test_cancel_of_another_process_ends_what_runs_and_is_recorded_later(
    desk: Desk, disk: Path
) -> None:
    job = desk.start("run", desk.pipeline(FOREVER))
    _, pid = desk.ready.stage()
    filler = fill(disk, desk.database)
    said = desk.do("cancel", 1)
    assert said.code == 4
    assert "The executor of run 1 ends what runs of it; that is recorded once" in said.err
    wait_for_end(pid)
    assert desk.json("show", 1)["status"] == "running"
    filler.unlink()
    assert job.end().code == 130
    assert desk.json("show", 1)["reason"] == f"cancelled by {desk.user}"


def test_a_decision_of_another_process_waits_in_the_executor_for_room(
    desk: Desk, disk: Path
) -> None:
    waits = f"requires_approval: true, approvers: [{desk.user}]"
    stages = f"  - {{name: ship, agent: note, task: t, {waits}}}\n"
    job = desk.start("run", desk.pipeline(stages))
    assert "waits for an approval" in job.err_line()
    filler = fill(disk, desk.database)
    said = desk.do("approve", 1, "ship")
    assert said.code == 4
    assert f"knows that {desk.user} says approve of stage 'ship'; that is recorded" in said.err
    assert desk.notes() == []
    filler.unlink()
    assert job.end().code == 0
    (approval,) = desk.json("show", 1)["approvals"]
    assert (approval["actor"], approval["decision"]) == (desk.user, "approved")


UNDONE = "  - {name: ship, agent: %s, task: t, %srollback: {agent: forever, task: back}}\n"


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_halt_of_another_process_stops_the_rollback_and_is_recorded_later(
    desk: Desk, disk: Path, *, by_hand: bool
) -> None:
    agent, how = ("fine", "") if by_hand else ("broken", "on_failure: rollback, ")
    job = desk.start("run", desk.pipeline(UNDONE % (agent, how)))
    if by_hand:
        assert job.end().code == 0
        asked = ("--from", "ship", "--to", "ship", "--reason", "r", "--yes")
        job = desk.start("rollback", 1, *asked)
    _, pid = desk.ready.stage()
    filler = fill(disk, desk.database)
    said = desk.do("rollback-step", 1, "halt", "--reason", "enough")
    assert said.code == 4
    assert "that is recorded once there is room" in said.err
    wait_for_end(pid)
    assert job.err_line().startswith(SAID.format(desk.database))
    assert desk.json("rollbacks")[0]["status"] == "running"
    filler.unlink()
    assert job.end().code == 1
    because = f"step 'ship' failed: halted by {desk.user}: enough"
    assert desk.json("rollbacks")[0]["error_message"] == because


def test_what_is_asked_of_a_rollback_on_a_full_disk_is_refused_in_a_sentence(
    desk: Desk, disk: Path
) -> None:
    stages = UNDONE.replace("forever", "broken") % ("fine", "")
    assert desk.do("run", desk.pipeline(stages)).code == 0
    asked = ("rollback", 1, "--from", "ship", "--to", "ship", "--reason", "r", "--yes", "--wait")
    filler = fill(disk, desk.database)
    said = desk.do(*asked)
    assert (said.code, desk.json("rollbacks")) == (2, [])
    assert "full. " in said.err
    filler.unlink()
    job = desk.start(*asked)
    assert "waits for you" in job.err_line()
    filler = fill(disk, desk.database)
    for action in ("retry", "skip", "done"):
        said = desk.do("rollback-step", 1, action, "--reason", "r")
        assert said.code == 2
        assert "full. " in said.err
    filler.unlink()
    assert desk.do("rollback-step", 1, "halt", "--reason", "r").code == 0
    assert job.end().code == 1


def test_a_console_that_is_open_reaches_the_executor_of_another_process(
    desk: Desk, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", desk.environment["XDG_CONFIG_HOME"])
    job = desk.start("run", desk.pipeline(FOREVER))
    _, pid = desk.ready.stage()
    with own_executor(desk.database) as control:
        filler = fill(disk, desk.database)
        with pytest.raises(Unrecorded, match="ends what runs of it"):
            control.cancel(1).result(PATIENCE_S)
        wait_for_end(pid)
        filler.unlink()
        assert job.end().code == 130


def test_where_no_executor_works_the_full_disk_is_what_is_told(desk: Desk, disk: Path) -> None:
    job = desk.start("run", desk.pipeline(FOREVER))
    desk.ready.stage()
    job.close()
    fill(disk, desk.database)
    said = desk.do("cancel", 1)
    assert said.code == 2
    assert "disk is full" in said.err
    assert "listens" not in said.err


def test_a_run_does_not_begin_on_a_full_disk(desk: Desk, disk: Path) -> None:
    assert desk.do("run", desk.pipeline("  - {name: s, agent: fine, task: t}\n")).code == 0
    filler = fill(disk, desk.database)
    refused = desk.do("run", "shop.yaml")
    assert refused.code == 2
    assert refused.err.endswith(
        "the disk is full. Free some space, and look meanwhile with: orchestrate-tui --read-only\n"
    )
    refused = desk.do("--db", desk.database, "run", "shop.yaml", ORCHESTRATE_DB="")
    assert refused.err.endswith(f"orchestrate-tui --read-only --db {desk.database}\n")
    assert len(desk.json("runs")) == 1
    filler.unlink()
    assert desk.do("run", "shop.yaml").code == 0


def test_what_happened_can_be_read_while_the_disk_is_full(desk: Desk, disk: Path) -> None:
    desk.start("run", desk.pipeline(FOREVER))
    desk.ready.stage()
    fill(disk, desk.database)
    assert [run["status"] for run in desk.json("runs")] == ["running"]
    assert desk.stages() == {"serve": "running", "next": "pending"}


def test_a_cancellation_that_cannot_be_recorded_ends_what_runs_all_the_same(
    desk: Desk, disk: Path
) -> None:
    job = desk.start("run", desk.pipeline(FOREVER))
    _, pid = desk.ready.stage()
    fill(disk, desk.database)
    job.signal(signal.SIGTERM)
    assert job.end().code == 4
    wait_for_end(pid)


def test_who_ends_what_a_console_left_running_unrecorded_is_told_how_it_goes_on(
    desk: Desk,
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", desk.environment["XDG_CONFIG_HOME"])
    loaded = load_pipeline(desk.folder / desk.pipeline(STAGES))
    with own_executor(desk.database) as control, Interrupts() as interrupts:
        begun = control.begin_run(loaded, workdir=desk.folder)
        desk.ready.stage()
        fill(disk, desk.database)
        desk.gate.open()
        while not control.is_stuck:  # nobody tells
            assert not begun.end.done()
        signal.raise_signal(signal.SIGINT)
        assert _see_out(control, interrupts, desk.database) == 4
        with pytest.raises(Unrecorded):
            begun.end.result(PATIENCE_S)
    option = database_option(desk.database)
    assert f"Run 1 ends unrecorded; go on later with: orchestrate-tui resume 1{option}\n" in (
        capsys.readouterr().err
    )
