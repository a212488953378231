"""`runs`, `show`, `rollbacks` and `logs`: what happened, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.desk import Desk

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
STAGES = """\
  - {name: build, agent: note, task: t, environment: staging}
  - {name: deploy, agent: loud, task: t, rollback: {agent: loud, task: take it back}}
  - {name: check, agent: broken, task: t, on_failure: rollback, rollback_to: deploy,
     retry: {attempts: 2, delay: 1ms}}
  - {name: later, agent: fine, task: t}
"""
LOUD = r"""
  loud:
    shell: |
      printf '\033]0;title\007\033[31mred \342\200\256 \377\n'
      echo "$ORCHESTRATE_TASK"
"""


def failed_run(desk: Desk) -> None:
    """Run 1: its third stage fails twice, and the second one is rolled back."""
    file = desk.pipeline(STAGES, agents=LOUD)
    assert desk.do("run", file, "--branch", "main", "--var", "version=1.10").code == 1


def run_named(desk: Desk, name: str, stage: str = "fine") -> None:
    desk.write(
        f"{name}.yaml",
        f"name: {name}\nagents: {{fine: {{shell: 'true'}}, broken: {{shell: 'false'}}}}\n"
        f"stages: [{{name: a, agent: {stage}, task: t}}]\n",
    )
    desk.do("run", f"{name}.yaml")


def ids(runs: list[dict[str, Any]]) -> list[int]:
    return [run["id"] for run in runs]


def moments(value: Any) -> Iterator[tuple[str, Any]]:
    """Every value under a key that ends in `_at`."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in children:
        if str(key).endswith("_at"):
            yield str(key), child
        elif isinstance(child, dict | list):
            yield from moments(child)


def test_runs_are_listed_newest_first_and_narrowed(desk: Desk) -> None:
    run_named(desk, "shop")
    run_named(desk, "bank", "broken")
    run_named(desk, "shop")
    assert ids(desk.json("runs")) == [3, 2, 1]
    assert ids(desk.json("runs", "--pipeline", "shop")) == [3, 1]
    assert ids(desk.json("runs", "--status", "failed")) == [2]
    assert ids(desk.json("runs", "--limit", 2)) == [3, 2]
    assert ids(desk.json("runs", "--pipeline", "shop", "--status", "failed")) == []
    listed = desk.do("runs").out.splitlines()
    heads = ["RUN", "STATUS", "ROLLBACK", "STARTED", "TOOK", "BY", "PIPELINE"]
    assert listed[0].split() == heads
    assert [line.split()[0] for line in listed[1:]] == ["3", "2", "1"]
    assert listed[2].split()[1:3] == ["✗", "failed"]


def test_runs_can_be_asked_for_since_a_time(desk: Desk) -> None:
    run_named(desk, "shop")
    created = desk.json("runs")[0]["created_at"]
    for since in ("2h", "1d", "2020-01-31", "2020-01-31T12:00", "2020-01-31T12:00:00Z", created):
        assert ids(desk.json("runs", "--since", since)) == [1]
    for since in ("2999-01-01", "2999-01-01T00:00:00+02:00", "0s"):
        assert ids(desk.json("runs", "--since", since)) == []


def test_a_run_has_the_fields_of_the_schema(desk: Desk) -> None:
    failed_run(desk)
    run = desk.json("show", 1)
    assert desk.json("runs") == [run]
    expected = {
        "id": 1,
        "pipeline": "shop",
        "status": "failed",
        "simulated": False,
        "trigger_event": "manual",
        "branch": "main",
        "variables": {"version": "1.10"},
        "reason": "stage 'check' failed: exit code 7",
        "actor": desk.user,
    }
    assert expected.items() <= run.items()
    assert run.keys() >= {"created_at", "started_at", "completed_at", "stages", "rollbacks"}


def test_a_stage_has_the_fields_of_the_schema(desk: Desk) -> None:
    failed_run(desk)
    build, deploy, check, later = desk.json("show", 1)["stages"]
    assert {
        "stage_name": "build", "status": "succeeded", "attempt": 1, "agent": "note",
        "environment": "staging", "reason": "", "exit_code": 0,
    }.items() <= build.items()  # fmt: skip
    assert (deploy["status"], deploy["rolled_back_by"]) == ("rolled_back", 1)
    assert (check["attempt"], check["exit_code"], check["reason"]) == (2, 7, "exit code 7")
    assert {"status": "skipped", "attempt": 0, "exit_code": None, "started_at": None,
            "completed_at": later["completed_at"]}.items() <= later.items()  # fmt: skip
    assert "stage 'check' failed" in later["reason"]


def test_a_rollback_has_the_columns_of_the_schema(desk: Desk) -> None:
    failed_run(desk)
    (rollback,) = desk.json("rollbacks")
    assert desk.json("rollbacks", 1) == desk.json("show", 1)["rollbacks"] == [rollback]
    assert {
        "id": 1,
        "run_id": 1,
        "failed_stage_name": "check",
        "rollback_to_stage": "deploy",
        "trigger_type": "automatic",
        "status": "succeeded",
        "components": [],
        "retry_of": None,
        "reason": "stage 'check' failed: exit code 7",
    }.items() <= rollback.items()
    assert rollback["error_message"] in {None, ""}
    assert rollback.keys() >= {"started_at", "completed_at", "created_at"}
    assert rollback["actor"] is None  # nobody asked for it
    (step,) = rollback["steps"]
    assert {
        "stage_name": "deploy", "agent": "loud", "task": "take it back", "status": "succeeded",
    }.items() <= step.items()  # fmt: skip


def test_times_have_one_form_everywhere(desk: Desk) -> None:
    failed_run(desk)
    found = [*moments(desk.json("show", 1)), *moments(desk.json("rollbacks"))]
    assert len(found) > 15
    assert [pair for pair in found if pair[1] is not None and not MOMENT.fullmatch(pair[1])] == []


def test_a_run_is_shown_with_its_stages_and_rollbacks(desk: Desk) -> None:
    failed_run(desk)
    shown = desk.do("show", 1)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("✗ Run 1 of shop: failed: stage 'check' failed: exit code 7\n")
    assert "branch main" in shown.out
    assert "version = 1.10" in shown.out
    rows = {line.split()[0]: line for line in shown.out.splitlines() if line.strip()}
    assert "↶  rolled back" in rows["deploy"]
    assert [line for line in shown.out.splitlines() if "check → deploy" in line], shown.out


def test_a_run_says_with_what_it_was_started(desk: Desk) -> None:
    file = desk.pipeline("  - {name: a, agent: fine, task: t}\n")
    desk.write(
        file, "variables: {region: north, size: '1'}\n" + Path(desk.folder, file).read_text()
    )
    desk.do("run", file, "--var", "size=2", "--label", "hot", "--label", "late", "--changed", "")
    desk.do("run", file, "--changed", "a.py", "--changed", "b.py")
    assert desk.json("show", 1)["variables"] == {"region": "north", "size": "2"}
    shown = desk.do("show", 1).out.splitlines()[2:6]
    assert shown == ["  size = 2", "  labels hot, late", "  changed nothing", ""]
    assert "  changed a.py, b.py" in desk.do("show", 2).out


def test_a_simulated_run_says_so_wherever_it_is_shown(desk: Desk) -> None:
    desk.do("run", desk.pipeline("  - {name: a, agent: x, task: t}\n"), "--simulate")
    assert "Run 1 of shop (simulated)" in desk.do("show", 1).out
    assert "shop (simulated)" in desk.do("runs").out
    assert desk.json("show", 1)["simulated"] is True


def test_rollbacks_are_listed_newest_first_up_to_a_limit(desk: Desk) -> None:
    failed_run(desk)
    desk.do("run", "shop.yaml")
    assert ids(desk.json("rollbacks")) == [2, 1]
    assert ids(desk.json("rollbacks", "--limit", 1)) == [2]
    assert ids(desk.json("rollbacks", 1)) == [1]
    listed = desk.do("rollbacks").out.splitlines()
    assert [line.split()[0] for line in listed] == ["ROLLBACK", "2", "1"]


def test_a_log_shows_what_would_move_the_cursor_in_a_pipe_too(desk: Desk) -> None:
    failed_run(desk)
    log = desk.do("logs", 1, "deploy")
    assert (log.code, log.err) == (0, "")
    assert log.out == "␛]0;title␇red <U+202E> \\xff\nt\n"


def test_a_raw_log_is_piped_byte_for_byte(desk: Desk) -> None:
    failed_run(desk)
    log = desk.do("logs", 1, "deploy", "--raw")
    expected = b"\x1b]0;title\x07\x1b[31mred \xe2\x80\xae \xff\nt\n"
    assert log.out.encode(errors="surrogateescape") == expected
    terminal = desk.terminal("logs", 1, "deploy", "--raw")
    assert terminal.end() == 2
    assert "could steer the terminal" in terminal.text


def test_a_log_on_a_terminal_keeps_its_colours_line_by_line(desk: Desk) -> None:
    failed_run(desk)
    terminal = desk.terminal("logs", 1, "deploy")
    assert terminal.end() == 0
    assert terminal.text == "␛]0;title␇\x1b[0;31mred <U+202E> \\xff\x1b[0m\nt\n"
    assert desk.do("logs", 1, "deploy", "--color", "always").out == terminal.text


def test_a_log_has_no_colours_where_nobody_wants_them(desk: Desk) -> None:
    failed_run(desk)
    plain = desk.do("logs", 1, "deploy").out
    for words, environment in ((("--color", "never"), {}), ((), {"NO_COLOR": "1"})):
        terminal = desk.terminal("logs", 1, "deploy", *words, **environment)
        assert terminal.end() == 0
        assert terminal.text == plain


def test_the_log_of_an_attempt_and_of_an_undo_can_be_asked_for(desk: Desk) -> None:
    failed_run(desk)
    assert desk.do("logs", 1, "deploy", "--rollback", 1).out.endswith("take it back\n")
    log = desk.json("logs", 1, "check", "--attempt", 1)
    assert log["attempt"] == 1
    assert Path(log["path"]).name == "check.1.log"
    assert desk.json("logs", 1, "check")["attempt"] == 2
    assert desk.json("logs", 1, "deploy", "--rollback", 1)["text"].endswith("take it back\n")


def test_what_has_no_log_is_said_so(desk: Desk) -> None:
    failed_run(desk)
    assert desk.do("logs", 1, "build").err in {"", "Stage 'build' of run 1 wrote nothing\n"}
    assert desk.do("logs", 1, "later").err == "Stage 'later' of run 1 did not run\n"
    assert desk.json("logs", 1, "later")["text"] == ""


def test_control_characters_of_an_operator_are_shown_as_signs(desk: Desk) -> None:
    run_named(desk, "shop")
    desk.pipeline("  - {name: deploy, agent: fine, task: t, rollback: {agent: undo, task: t}}\n")
    reason = "it \x1b[31mburns\x1b[0m\nRun 99 succeeded \u202e"
    desk.do("run", "shop.yaml", "--event", "push\x1b[2J", "--var", "a=\x9b31m")
    desk.do("rollback", 2, "--from", "deploy", "--to", "deploy", "--reason", reason, "--yes")
    for words in (["show", 2], ["rollbacks"], ["runs"]):
        out = desk.do(*words).out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)
        assert "\nRun 99" not in out
    assert "␛[31mburns␛[0m␊Run 99 succeeded <U+202E>" in desk.do("show", 2).out
    result = desk.do("show", 2, "--json")
    assert result.out.isascii()
    assert result.json()["rollbacks"][0]["reason"] == reason


@pytest.mark.parametrize("command", [["runs"], ["rollbacks"], ["show", "1"]], ids=" ".join)
def test_colour_is_for_terminals_alone(desk: Desk, command: list[str]) -> None:
    failed_run(desk)
    assert "\x1b" not in desk.do(*command).out
    terminal = desk.terminal(*command, NO_COLOR="1")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.text
