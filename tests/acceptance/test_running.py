"""`run`: exit codes, what it prints and where, and what it refuses."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.acceptance.desk import Desk

FINE = "  - {name: build, agent: note, task: t}\n  - {name: ship, agent: note, task: t}\n"
BROKEN = "  - {name: build, agent: broken, task: t}\n  - {name: ship, agent: note, task: t}\n"


def test_a_run_prints_its_id_and_succeeds_with_0(desk: Desk) -> None:
    result = desk.do("run", desk.pipeline(FINE))
    assert result.code == 0
    assert result.out == "Run 1 of shop started\nRun 1 succeeded\n"
    assert result.err == ""
    assert desk.notes() == ["build", "ship"]


def test_a_failed_run_ends_with_1_and_says_why(desk: Desk) -> None:
    result = desk.do("run", desk.pipeline(BROKEN))
    assert result.code == 1
    assert result.out.splitlines()[-1] == "Run 1 failed: stage 'build' failed: exit code 7"
    assert desk.stages() == {"build": "failed", "ship": "skipped"}


def test_the_script_and_the_module_are_the_same_command(desk: Desk) -> None:
    script = [
        sys.executable,
        "-c",
        "from orchestrate_tui.cli import main; raise SystemExit(main())",
    ]
    words = ["run", desk.pipeline(BROKEN)]
    result = subprocess.run(
        [*script, *words], cwd=desk.folder, env=desk.environment, capture_output=True, check=False
    )
    assert result.returncode == desk.do(*words).code == 1


def test_json_is_one_object_on_standard_output_and_nothing_else(desk: Desk) -> None:
    file = desk.pipeline(
        FINE + "  - {name: lost, agent: nobody, task: '${b}', when: {branch: x}}\n"
    )
    result = desk.do("run", file, "--simulate", "--json", "--var", "a=1", "--event", "push")
    run = result.json()
    assert result.code == 0
    assert result.err.count("warning: ") == result.err.count("unknown variable '${b}'") == 1
    assert run["id"] == 1
    assert run["pipeline"] == "shop"
    assert run["status"] == "succeeded"
    assert run["simulated"] is True
    assert run["trigger_event"] == "push"
    assert run["variables"] == {"a": "1"}
    assert run["rollbacks"] == []
    assert [stage["status"] for stage in run["stages"]] == ["succeeded", "succeeded", "skipped"]


def test_a_failed_run_prints_json_too(desk: Desk) -> None:
    result = desk.do("run", desk.pipeline(BROKEN), "--json")
    assert result.code == 1
    assert result.json()["stages"][0]["exit_code"] == 7
    assert result.json()["reason"] == "stage 'build' failed: exit code 7"


def test_progress_is_shown_on_a_terminal(desk: Desk) -> None:
    terminal = desk.terminal("run", desk.pipeline(FINE))
    assert terminal.end() == 0
    for words in ("Run 1 of shop started", "build running", "ship succeeded", "run 1 succeeded"):
        assert words in terminal.text


def test_stages_side_by_side_run_at_the_same_time(desk: Desk) -> None:
    file = desk.pipeline(
        "  - {name: a, agent: hold, task: t, parallel_with: b}\n"
        "  - {name: b, agent: hold, task: t}\n"
        "  - {name: c, agent: hold, task: t, depends_on: []}\n"
        "  - {name: after-c, agent: hold, task: t, depends_on: c}\n"
    )
    job = desk.start("run", file)
    assert {desk.ready.stage()[0] for _ in range(3)} == {"a", "b", "c"}
    desk.gate.open(4)
    assert desk.ready.stage()[0] == "after-c"
    assert job.end().code == 0


def test_variables_branch_labels_and_paths_decide_what_runs(desk: Desk) -> None:
    file = desk.pipeline(
        "  - {name: on-main, agent: note, task: t, when: {branch: main}}\n"
        "  - {name: labelled, agent: note, task: t, when: {labels: [a, b]}}\n"
        "  - {name: sources, agent: note, task: t, when: {paths: 'src/**'}}\n"
        "  - {name: north, agent: note, task: t, when: {variable: {region: 'NO'}}}\n"
    )
    desk.do("run", file, "--branch", "main", "--label", "b", "--changed", "src/a/b.c")
    assert desk.notes() == ["on-main", "labelled", "sources"]
    desk.write("notes", "")
    desk.do("run", file, "--var", "region=NO", "--changed", "")
    assert desk.notes() == ["north"]
    desk.write("notes", "")
    desk.do("run", file)
    assert desk.notes() == ["sources"]


def test_a_value_may_hold_anything_an_argument_can(desk: Desk) -> None:
    value = "a=b c\n\x1b[31m'\"$(id)"
    result = desk.do("run", desk.pipeline(FINE), "--json", "--var", f"text={value}")
    assert result.json()["variables"] == {"text": value}


REFUSED = {
    "an agent that nobody defines": (
        "  - {name: a, agent: fine, task: t}\n  - {name: b, agent: nobody, task: t}\n",
        "nobody",
        "Stage 'b' uses agent 'nobody', which nobody defines",
    ),
    "a variable that nobody sets": (
        "  - {name: a, agent: fine, task: 'to ${nowhere}'}\n",
        "'to ${nowhere}'",
        "unknown variable '${nowhere}'",
    ),
    "an approver who is nobody": (
        "  - {name: a, agent: fine, task: t, requires_approval: true, approvers: [no-such-user]}\n",
        "[no-such-user]",
        "approver 'no-such-user' of stage 'a' is nobody here",
    ),
    "a quorum that cannot be reached": (
        """
  - {name: a, agent: fine, task: t, requires_approval: true, approvers: [root],
     approval: {quorum: 2}}
""",
        "2}",
        "Stage 'a' needs 2 approvals",
    ),
}


@pytest.mark.parametrize(("stages", "where", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_start_is_refused_before_anything_does(
    desk: Desk, stages: str, where: str, words: str
) -> None:
    result = desk.do("run", desk.pipeline(stages))
    assert (result.code, result.out) == (2, "")
    before, _, _ = (desk.folder / "shop.yaml").read_text().partition(where)
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    assert f"\nshop.yaml:{line}:{column}: {words}" in result.err
    assert result.err.endswith("Nothing was started\n")
    assert not desk.database.exists()


def test_every_obstacle_is_told_at_once(desk: Desk) -> None:
    result = desk.do("run", desk.pipeline(REFUSED["an agent that nobody defines"][0] + REFUSED[
        "an approver who is nobody"][0].replace("name: a", "name: c")))  # fmt: skip
    assert "nobody defines" in result.err
    assert "is nobody here" in result.err


@pytest.mark.parametrize("words", ["novalue", "=x", "PATH=/tmp", "LD_PRELOAD=x"])
def test_a_variable_that_cannot_be_set_is_refused(desk: Desk, words: str) -> None:
    result = desk.do("run", desk.pipeline(FINE), "--var", words)
    assert result.code == 2
    assert "--var" in result.err
    assert desk.notes() == []


def test_a_file_with_problems_starts_nothing(desk: Desk) -> None:
    desk.write("bad.yaml", "name: x\nstages:\n  - {name: a, agent: b}\n")
    result = desk.do("run", "bad.yaml")
    assert result.code == 2
    assert "bad.yaml:3:5: Stage 'a' must specify a task" in result.err


def test_an_output_that_nobody_reads_does_not_end_the_run(desk: Desk) -> None:
    file = desk.pipeline("  - {name: a, agent: hold, task: t}\n" + BROKEN)
    job = desk.start("run", file)
    assert job.out_line() == "Run 1 of shop started"
    desk.ready.stage()
    assert job.process.stdout
    job.process.stdout.close()
    job.process.stdout = None
    desk.gate.open()
    result = job.end()
    assert result.code == 1
    assert result.err == ""
    assert desk.stages()["build"] == "failed"
