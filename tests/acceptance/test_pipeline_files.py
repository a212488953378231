"""`validate`, `graph`, `schema`, `init` and `doctor`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from jsonschema import Draft202012Validator

from tests.acceptance.desk import EXAMPLES, Desk

BAD = """\
name: ""
stages:
  - name: build
    task: t
  - name: deploy
    agent: fine
    task: t
    depends_on: [biuld]
    requires_approval: true
  - name: check
    agent: fine
    task: t
    rollback_to: check
"""


def test_a_file_that_is_fine_is_said_so(desk: Desk) -> None:
    result = desk.do("validate", desk.pipeline("  - {name: a, agent: fine, task: t}\n"))
    assert (result.code, result.err) == (0, "")
    assert result.out == "shop.yaml: shop: 1 stage, fine\n"


def test_warnings_are_told_and_are_no_error(desk: Desk) -> None:
    result = desk.do("validate", EXAMPLES / "pipeline-rollback.yaml")
    assert result.code == 0
    assert "pipeline-rollback.yaml:19:12: warning: Stage 'build' uses agent" in result.err
    assert "7 stages, fine" in result.out


def test_every_problem_is_told_with_its_line_and_column(desk: Desk) -> None:
    desk.write("bad.yaml", BAD)
    result = desk.do("validate", "bad.yaml")
    assert (result.code, result.out) == (1, "")
    messages = dict(line.split(": ", 1) for line in result.err.splitlines())
    assert messages["bad.yaml:1:7"] == "Pipeline name cannot be empty"
    assert messages["bad.yaml:3:5"] == "Stage 'build' must specify an agent"
    assert "Stage 'deploy' depends on non-existent stage 'biuld'" in messages["bad.yaml:8:18"]
    assert "build" in messages["bad.yaml:8:18"].split("(")[1]
    assert "Stage 'deploy' requires approval but has no approvers" in result.err
    assert "Stage 'check' has rollback_to but on_failure is not 'rollback'" in result.err


def test_warnings_are_told_with_the_errors(desk: Desk) -> None:
    desk.write(
        "both.yaml",
        """
name: p
agents: {a: {command: ['true']}}
stages:
  - {name: one, agent: nobody, task: t}
  - {name: two, agent: a, task: "${what}", depends_on: [onee]}
  - {name: three, agent: a, task: t, depends_on: [four], on_failure: rollback, rollback_to: one}
  - {name: four, agent: a, task: t, depends_on: [three]}
  - {name: five, task: t, on_failure: rollback, rollback_to: six}
""",
    )
    result = desk.do("validate", "both.yaml")
    told = [line.removeprefix("both.yaml:") for line in result.err.splitlines()]
    assert result.code == 1
    assert [line.partition(" (")[0] for line in told] == [
        "5:24: warning: Stage 'one' uses agent 'nobody', which nobody defines",
        "6:33: warning: unknown variable '${what}'",
        "6:57: Stage 'two' depends on non-existent stage 'onee'",
        "7:51: Circular dependency detected involving stage 'three'",
        "7:93: warning: Stage 'one' is a rollback target but has nothing to undo it",
        "9:5: Stage 'five' must specify an agent",
        "9:62: Stage 'five' rollback_to non-existent stage 'six'",
    ]


def test_json_lists_files_with_their_problems(desk: Desk) -> None:
    desk.write("bad.yaml", BAD)
    result = desk.do("validate", "bad.yaml", desk.pipeline("  - {name: a, agent: x, task: t}\n"),
                     "--json")  # fmt: skip
    assert (result.code, result.err) == (1, "")
    bad, good = result.json()
    assert (bad["file"], bad["valid"], bad["pipeline"]) == ("bad.yaml", False, None)
    assert bad["problems"][0] == {
        "file": "bad.yaml",
        "line": 1,
        "column": 7,
        "severity": "error",
        "message": "Pipeline name cannot be empty",
        "hint": "",
    }
    assert (good["valid"], good["pipeline"], good["order"]) == (True, "shop", ["a"])
    assert [problem["severity"] for problem in good["problems"]] == ["warning"]


def test_one_bad_file_among_good_ones_is_enough_for_1(desk: Desk) -> None:
    good = desk.pipeline("  - {name: a, agent: fine, task: t}\n")
    result = desk.do("validate", good, "missing.yaml", good)
    assert result.code == 1
    assert result.out.count("fine\n") == 2
    assert "missing.yaml: there is no such file" in result.err


def test_a_graph_of_a_bad_file_tells_the_same_problems(desk: Desk) -> None:
    desk.write("bad.yaml", BAD)
    drawn = desk.do("graph", "bad.yaml")
    assert (drawn.code, drawn.out) == (1, "")
    assert drawn.err == desk.do("validate", "bad.yaml").err


def test_control_characters_of_a_file_are_shown_as_signs(desk: Desk) -> None:
    desk.write("evil.yaml", 'name: x\nstages:\n  - {name: "a\\e[31m", agent: "\\u202e", task: t}\n')
    for command in ("validate", "graph", "run"):
        err = desk.do(command, "evil.yaml").err
        assert "'a␛[31m'" in err
        assert err.replace("␛", "").replace("\n", "").isprintable()


def test_a_graph_shows_every_stage_and_what_it_waits_for(desk: Desk) -> None:
    file = desk.pipeline(
        "  - {name: build, agent: fine, task: t}\n"
        "  - {name: unit, agent: fine, task: t, depends_on: build}\n"
        "  - {name: lint, agent: fine, task: t, depends_on: build}\n"
        "  - {name: ship, agent: fine, task: t}\n"
    )
    drawn = desk.do("graph", file)
    assert (drawn.code, drawn.err) == (0, "")
    assert all(name in drawn.out for name in ("build", "unit", "lint", "ship", "▶"))
    graph = desk.json("graph", file)
    assert graph["order"] == ["build", "unit", "lint", "ship"]
    assert graph["stages"] == {
        "build": [],
        "unit": ["build"],
        "lint": ["build"],
        "ship": ["unit", "lint"],
    }


def test_the_schema_accepts_the_examples_in_the_schema_of_this_program(desk: Desk) -> None:
    schema = desk.do("schema").json()
    Draft202012Validator.check_schema(schema)
    assert schema == json.loads((EXAMPLES / "pipeline.schema.json").read_text())
    assert desk.json("schema") == schema


@pytest.mark.parametrize("template", ["ci", "cd", "release", "security"])
def test_a_template_is_written_valid_and_runs_simulated(desk: Desk, template: str) -> None:
    result = desk.do("init", template)
    assert (result.code, result.err) == (0, "")
    assert "Wrote pipeline.yaml" in result.out
    assert desk.do("validate", "pipeline.yaml").code == 0
    assert desk.do("run", "pipeline.yaml", "--simulate").code == 0


def test_a_template_goes_where_it_is_told_with_the_schema_beside_it(desk: Desk) -> None:
    assert desk.do("init", "cd", "deep/er/cd.yaml").code == 0
    assert (desk.folder / "deep/er/pipeline.schema.json").exists()
    (desk.folder / "folder").mkdir()
    assert desk.do("init", "ci", "folder").code == 0
    assert (desk.folder / "folder/pipeline.yaml").exists()
    said = desk.do("init", "ci", "my shop.yaml").out
    assert said.endswith("Check it with: orchestrate-tui validate 'my shop.yaml'\n")


def test_nothing_is_overwritten(desk: Desk) -> None:
    desk.write("pipeline.yaml", "mine")
    desk.write("pipeline.schema.json", "mine too")
    (desk.folder / "lost.yaml").symlink_to("nowhere.yaml")
    for words in (["ci"], ["ci", "pipeline.yaml"], ["ci", "lost.yaml"]):
        result = desk.do("init", *words)
        assert (result.code, result.out) == (2, "")
        assert "exists" in result.err
    assert desk.do("init", "ci", "other.yaml").code == 0
    assert (desk.folder / "pipeline.yaml").read_text() == "mine"
    assert (desk.folder / "pipeline.schema.json").read_text() == "mine too"
    assert not (desk.folder / "nowhere.yaml").exists()


def test_a_template_that_cannot_be_written_is_told_in_one_line(desk: Desk) -> None:
    desk.write("file", "")
    for path in ("file/pipeline.yaml", "/proc/pipeline.yaml"):
        result = desk.do("init", "ci", path)
        assert result.code == 2
        assert result.err.count("\n") == 1
        assert f"Cannot write {path}: " in result.err


def test_the_doctor_finds_a_new_machine_fine(desk: Desk) -> None:
    result = desk.do("doctor")
    assert (result.code, result.err) == (0, "")
    assert "✗" not in result.out
    assert not desk.database.parent.exists()


def test_the_doctor_looks_at_the_database_and_at_what_was_left(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline("  - {name: a, agent: hold, task: t}\n"))
    desk.ready.stage()
    job.process.kill()
    job.end()
    result = desk.do("doctor")
    assert result.code == 0
    assert "store.db is sound, its schema is current" in result.out
    assert "interrupted: 1; go on with: orchestrate-tui resume RUN" in result.out
    findings = desk.json("doctor")
    assert {finding["fine"] for finding in findings} == {True}
    assert [finding["check"] for finding in findings][:2] == ["versions", "configuration"]
    desk.gate.open()  # for the stage that was left


def test_the_doctor_names_more_interrupted_runs_than_a_page_has(desk: Desk) -> None:
    assert desk.do("run", desk.pipeline("  - {name: a, agent: fine, task: t}\n")).code == 0
    with closing(sqlite3.connect(desk.database)) as connection, connection:
        connection.execute("CREATE TEMP TABLE copies AS SELECT * FROM runs")
        for number in range(2, 63):
            connection.execute("UPDATE copies SET id = ?, status = 'interrupted'", (number,))
            connection.execute("INSERT INTO runs SELECT * FROM copies")
    numbers = ", ".join(map(str, range(2, 63)))
    assert f"interrupted: {numbers}; go on" in desk.do("doctor").out


def test_the_doctor_tells_what_is_wrong(desk: Desk) -> None:
    (desk.config / "config.yaml").write_text("roles: [a\n")
    result = desk.do("doctor")
    assert result.code == 1
    assert "✗ configuration: " in result.out
    assert "config.yaml:" in result.out
