"""Which stages may keep paths at the same time, and how kept values reach an undo."""

from __future__ import annotations

from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import Snapshot, Stage
from orchestrate_tui.domain.snapshot import rivals_of, snapshot_variables

KEPT = Snapshot(paths=("conf",))


def keeping(name: str, *others: str, snapshot: Snapshot | None = KEPT) -> Stage:
    return Stage(name=name, agent="a", task="t", depends_on=others, snapshot=snapshot)


def test_rivals_are_those_that_neither_wait_for_each_other_nor_keep_nothing() -> None:
    stages = (
        keeping("a"),
        keeping("b", "a"),
        keeping("c", "a"),
        keeping("d", "a", snapshot=None),
        keeping("e", "a", snapshot=Snapshot(values=(("v", "true"),))),
        keeping("f", "b"),
    )
    assert rivals_of(stages, StageGraph.of(stages)) == {
        "a": frozenset(),
        "b": {"c"},
        "c": {"b", "f"},
        "f": {"c"},
    }


def test_who_keeps_alone_has_no_rivals() -> None:
    stages = (keeping("a"), keeping("b", snapshot=None))
    assert rivals_of(stages, StageGraph.of(stages)) == {}


def test_an_undo_has_what_was_kept_in_its_environment() -> None:
    assert snapshot_variables({"previous": "v1"}) == {"ORCHESTRATE_SNAPSHOT_PREVIOUS": "v1"}
