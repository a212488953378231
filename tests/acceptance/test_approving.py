"""Approvals, cancellations and their refusals from a second process."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import signal
from pathlib import Path

import pytest

from tests.acceptance.desk import EXAMPLES, Desk

GATED = """\
  - {{name: build, agent: note, task: t}}
  - {{name: ship, agent: note, task: t, requires_approval: true, approvers: {approvers}{more}}}
"""
OTHER = next(user.pw_name for user in pwd.getpwall() if user.pw_uid != os.getuid())
WAITS = "Stage 'ship' waits for an approval: orchestrate-tui approve 1 ship"


def gated(desk: Desk, *approvers: str, more: str = "") -> str:
    return desk.pipeline(GATED.format(approvers=list(approvers), more=more))


def test_an_approval_from_a_second_process_lets_the_stage_start(desk: Desk) -> None:
    job = desk.start("run", gated(desk, desk.user))
    assert job.err_line() == WAITS
    assert desk.stages() == {"build": "succeeded", "ship": "waiting_approval"}
    approved = desk.do("approve", 1, "ship", "--comment", "looks good")
    assert (approved.code, approved.out) == (0, "Approved stage 'ship' of run 1\n")
    assert job.end().code == 0
    assert desk.notes() == ["build", "ship"]


def test_who_decided_and_why_can_be_read_back(desk: Desk) -> None:
    job = desk.start("run", gated(desk, desk.user))
    job.err_line()
    desk.do("approve", 1, "ship", "--comment", "looks good")
    job.end()
    (approval,) = desk.json("show", 1)["approvals"]
    assert (approval["stage_name"], approval["decision"]) == ("ship", "approved")
    assert (approval["entry"], approval["actor"]) == (desk.user, desk.user)
    assert (approval["comment"], approval["decided_at"][-1]) == ("looks good", "Z")
    assert "looks good" in desk.do("show", 1).out


def test_a_command_that_is_suggested_works_as_it_stands(desk: Desk) -> None:
    elsewhere = desk.folder / "another state" / "o.db"
    named = ("--db", "another state/o.db")
    text = Path(desk.folder, gated(desk, desk.user)).read_text()
    desk.write("gated.yaml", text.replace("ship", "ship it"))
    job = desk.start("run", "gated.yaml", *named)
    command = job.err_line().partition(": orchestrate-tui ")[2]
    assert command == f"approve 1 'ship it' --db '{elsewhere}'"
    refused = desk.do("approve", 1, "build", *named)
    assert refused.err.endswith(f"orchestrate-tui show 1 --db '{elsewhere}'\n")
    assert desk.do(*shlex.split(command)).code == 0
    assert job.end().code == 0


def test_a_rejection_halts_the_run(desk: Desk) -> None:
    job = desk.start("run", gated(desk, desk.user, more=", on_failure: continue"))
    job.err_line()
    rejected = desk.do("reject", 1, "ship", "--comment", "not on a Friday", "--json")
    assert (rejected.code, rejected.err) == (0, "")
    assert rejected.json() == {"outcome": "Rejected stage 'ship' of run 1"}
    assert job.end().code == 1
    ship = desk.json("show", 1)["stages"][1]
    assert ship["status"] == "rejected"
    assert ship["reason"] == f"rejected by {desk.user}: not on a Friday"


def test_of_two_who_decide_while_the_executor_is_stopped_one_wins_when_it_goes_on(
    desk: Desk,
) -> None:
    job = desk.start("run", gated(desk, desk.user))
    job.err_line()
    job.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, job.process.pid, os.WSTOPPED)
    deciding = [desk.start(word, 1, "ship") for word in ("approve", "reject")]
    for decider in deciding:
        assert decider.err_line() == "orchestrate-tui: There is no answer yet, it is waited for"
    job.signal(signal.SIGCONT)
    won, lost = sorted((decider.end() for decider in deciding), key=lambda ended: ended.code)
    assert (won.code, lost.code) == (0, 2)
    (approval,) = desk.json("show", 1)["approvals"]
    assert won.out == f"{approval['decision'].capitalize()} stage 'ship' of run 1\n"
    assert f"{approval['decision']} by {desk.user} at " in lost.err
    assert job.end().code == {"approved": 0, "rejected": 1}[approval["decision"]]


def test_who_is_no_approver_is_refused_and_told_who_is(desk: Desk) -> None:
    job = desk.start("run", gated(desk, OTHER))
    job.err_line()
    for word in ("approve", "reject"):
        refused = desk.do(word, 1, "ship")
        assert (refused.code, refused.out) == (2, "")
        assert f"You ({desk.user}) may not decide on stage 'ship'" in refused.err
        assert f"Its approvers are: {OTHER}" in refused.err
    assert desk.do("cancel", 1).code == 0
    assert job.end().code == 130


def test_no_option_and_no_variable_changes_who_acts(desk: Desk) -> None:
    job = desk.start("run", gated(desk, OTHER))
    job.err_line()
    refused = desk.do("approve", 1, "ship", USER=OTHER, LOGNAME=OTHER, SUDO_USER=OTHER)
    assert (refused.code, refused.out) == (2, "")
    desk.do("cancel", 1)
    job.end()


@pytest.mark.parametrize("member", ["user", "group"])
def test_a_role_of_the_configuration_stands_for_users_and_groups(desk: Desk, member: str) -> None:
    group = grp.getgrgid(pwd.getpwuid(os.getuid()).pw_gid).gr_name
    meant = desk.user if member == "user" else f"@{group}"
    (desk.config / "config.yaml").write_text(f"roles:\n  team-lead: ['{OTHER}', '{meant}']\n")
    job = desk.start("run", gated(desk, "team-lead"))
    job.err_line()
    assert desk.do("approve", 1, "ship").code == 0
    assert job.end().code == 0


def test_a_role_that_is_somebody_else_is_refused_by_its_name(desk: Desk) -> None:
    (desk.config / "config.yaml").write_text(f"roles:\n  team-lead: ['{OTHER}']\n")
    job = desk.start("run", gated(desk, "team-lead"))
    job.err_line()
    assert "Its approvers are: team-lead" in desk.do("approve", 1, "ship").err
    desk.do("cancel", 1)
    job.end()


def test_a_group_without_the_user_is_refused(desk: Desk) -> None:
    me = pwd.getpwuid(os.getuid())
    mine = {group.gr_gid for group in grp.getgrall() if desk.user in group.gr_mem} | {me.pw_gid}
    primary = {user.pw_gid for user in pwd.getpwall() if user.pw_uid != me.pw_uid} - mine
    foreign = f"@{grp.getgrgid(min(primary)).gr_name}"
    job = desk.start("run", gated(desk, foreign))
    job.err_line()
    assert foreign in desk.do("approve", 1, "ship").err
    desk.do("cancel", 1)
    job.end()


def test_each_entry_needs_its_approval_and_a_person_counts_once_per_entry(desk: Desk) -> None:
    (desk.config / "config.yaml").write_text(f"roles: {{lead: {desk.user}, ops: {desk.user}}}\n")
    job = desk.start("run", gated(desk, "lead", "ops"))
    job.err_line()
    assert desk.do("approve", 1, "ship").out == "Approved stage 'ship' of run 1; 1 more to go\n"
    assert desk.do("approve", 1, "ship").out == "Approved stage 'ship' of run 1\n"
    assert job.end().code == 0


def test_a_quorum_needs_no_more_than_it_says(desk: Desk) -> None:
    job = desk.start("run", gated(desk, OTHER, desk.user, more=", approval: {quorum: 1}"))
    job.err_line()
    assert desk.do("approve", 1, "ship").code == 0
    assert job.end().code == 0


def test_a_stage_that_waits_for_nobody_cannot_be_approved(desk: Desk) -> None:
    job = desk.start("run", gated(desk, desk.user))
    job.err_line()
    refused = desk.do("approve", 1, "build")
    assert refused.code == 2
    assert "Stage 'build' of run 1 is not waiting for an approval" in refused.err
    desk.do("approve", 1, "ship")
    job.end()
    late = desk.do("reject", 1, "ship")
    assert late.code == 2
    assert "Run 1 has ended" in late.err


def test_a_run_that_waits_is_cancelled_from_a_second_process(desk: Desk) -> None:
    job = desk.start("run", gated(desk, desk.user))
    job.err_line()
    cancelled = desk.do("cancel", 1)
    ending = {"Run 1 is being cancelled\n", "Run 1 is cancelled\n"}
    assert (cancelled.code, cancelled.out in ending) == (0, True)
    result = job.end()
    assert result.code == 130
    assert f"Run 1 cancelled: cancelled by {desk.user}" in result.out


def test_an_approval_that_expires_halts_the_run(desk: Desk) -> None:
    result = desk.do("run", gated(desk, desk.user, more=", approval: {timeout: 50ms}"))
    assert result.code == 1
    assert desk.json("show", 1)["stages"][1]["reason"] == "the approval expired"


def test_the_established_example_runs_simulated_with_anybody_s_approvals(desk: Desk) -> None:
    job = desk.start("run", EXAMPLES / "pipeline-rollback.yaml", "--simulate", "--json")
    while "waits for an approval" not in job.err_line():
        pass
    for left in ("; 1 more to go", ""):
        approved = desk.do("approve", 1, "deploy-production")
        assert approved.out == f"Approved stage 'deploy-production' of run 1{left}\n"
    result = job.end()
    assert result.code == 0
    run = result.json()
    assert run["simulated"] is True
    assert [stage["stage_name"] for stage in sorted(run["stages"], key=_started_at)] == [
        "build",
        "deploy-staging",
        "smoke-test-staging",
        "integration-test",
        "deploy-production",
        "smoke-test-production",
        "health-check",
    ]
    assert {stage["status"] for stage in run["stages"]} == {"succeeded"}


def _started_at(stage: dict[str, str]) -> str:
    return stage["started_at"]
