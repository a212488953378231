"""`snapshot:` as it is written, and what is refused of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrate_tui.domain.pipeline import Snapshot
from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec.loading import load_pipeline
from tests.unit.spec.conftest import HEAD, Load, Problems


def test_paths_and_values_are_read(load_stages: Load) -> None:
    loaded = load_stages(
        "- {name: s, agent: a, task: t, snapshot: {paths: conf, values: {was: readlink x}}}\n"
    )
    expected = Snapshot(paths=("conf",), values=(("was", "readlink x"),))
    assert loaded.pipeline.stages[0].snapshot == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{paths: []}", "'snapshot' keeps nothing"),
        ("{paths: [/etc/x]}", "the path '/etc/x' does not lie in the stage's folder"),
        ("{paths: [a/../../b]}", "the path 'a/../../b' does not lie in the stage's folder"),
        ("{values: {a: x, A: y}}", "'A' and 'a' would be one environment variable"),
        ("{values: {a-b: x}}", "must be letters, digits and '_'"),
        ("{path: x}", "unknown key 'path' in 'snapshot'"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    problems_in_stages: Problems, written: str, message: str
) -> None:
    found = problems_in_stages(f"- {{name: s, agent: a, task: t, snapshot: {written}}}\n")
    assert any(message in problem for problem in found), found


BESIDE = """
- {{name: s, agent: a, task: t, workdir: w, snapshot: {{paths: ["{one}"]}}}}
- {{name: t, agent: a, task: t, depends_on: {waits}, workdir: w, snapshot: {{paths: ["{other}"]}}}}
"""


@pytest.mark.parametrize(
    ("one", "other"),
    [("conf", "conf/x"), ("*.db", "app.*"), ("a/**", "a/b/c"), ("**/x", "a/b"), (".", "y")],
)
def test_stages_that_may_run_together_cannot_keep_the_same(
    problems_in_stages: Problems, load_stages: Load, one: str, other: str
) -> None:
    (found,) = problems_in_stages(BESIDE.format(one=one, other=other, waits="[]"))
    assert "is in the snapshot of stage 's' too, which may run at the same time" in found
    load_stages(BESIDE.format(one=one, other=other, waits="[s]"))


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), ("a/x", "a/y"), ("*.db", "*.txt"), ("a?", "b*"), ("${x}/a", "${y}/a")],
)
def test_different_paths_may_be_kept_together(load_stages: Load, one: str, other: str) -> None:
    load_stages(BESIDE.format(one=one, other=other, waits="[]"))


def write(folder: Path, stages: str) -> None:
    (folder / "pipeline.yaml").write_text(f"{HEAD}stages:\n{stages}")


def load_in(folder: Path) -> None:
    load_pipeline(folder / "pipeline.yaml", user_agents=folder / "none", folder=folder)


@pytest.mark.parametrize(
    ("one", "other"),
    [("b", "a/current/x"), ("a/current/x", "b"), ("a/current/*.db", "b/app.*"), ("b/x", "y/**")],
)
def test_a_link_to_what_another_stage_keeps_is_followed(
    tmp_path: Path, one: str, other: str
) -> None:
    work = tmp_path / "w"
    (work / "a").mkdir(parents=True)
    (work / "b").mkdir()
    write(tmp_path, BESIDE.format(one=one, other=other, waits="[]"))
    load_in(tmp_path)
    (work / "a" / "current").symlink_to("../b")
    (work / "y").symlink_to("b")
    with pytest.raises(PipelineFileError) as refused:
        load_in(tmp_path)
    (problem,) = refused.value.problems
    assert problem.line == 7
    assert f"'w/{other}' is, by a link, in the snapshot of stage 's' too" in str(problem)


def test_a_link_itself_is_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "current").symlink_to("b")
    write(tmp_path, BESIDE.format(one="current", other="b", waits="[]"))
    load_in(tmp_path)


def test_a_folder_that_is_a_link_is_the_folder_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    keeps = "agent: a, task: t, depends_on: [], snapshot: {paths: x}"
    stages = "".join(f"- {{name: {one}, workdir: {one}, {keeps}}}\n" for one in ("link", "real"))
    write(tmp_path, stages)
    with pytest.raises(PipelineFileError, match="'real/x' is, by a link, in"):
        load_in(tmp_path)


@pytest.mark.parametrize("text", ["", "snapshot: {values: {was: x}}, "])
def test_a_value_that_is_not_kept_is_refused(problems_in_stages: Problems, text: str) -> None:
    stages = f'- {{name: s, agent: a, task: t, {text}rollback: {{task: "${{snapshot.wass}}"}}}}\n'
    (found,) = problems_in_stages(stages)
    assert "'${snapshot.wass}': stage 's' keeps no such value" in found


def test_a_value_is_known_only_while_its_stage_is_undone(problems_in_stages: Problems) -> None:
    stages = '- {name: s, agent: a, task: "${snapshot.x}", snapshot: {values: {x: y}}}\n'
    (found,) = problems_in_stages(stages)
    assert "stage 's' knows it only while it is undone" in found
