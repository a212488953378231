"""Somebody has seen how a run went wrong: once, and the next one is told who."""

from __future__ import annotations

from functools import partial

import pytest

from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import NotFound, Refused
from orchestrate_tui.store.acknowledgements import acknowledge
from orchestrate_tui.store.history import History
from tests.store.scenery import NOON, Store


def acknowledged(store: Store, run_id: int, actor: str, comment: str = "") -> None:
    note = partial(acknowledge, run_id=run_id, actor=actor, comment=comment, at=NOON)
    store.database.write(note)


def failed(store: Store, status: RunStatus = RunStatus.FAILED) -> int:
    run_id = store.started_run()
    store.change_run(run_id, RunStatus.RUNNING, status)
    return run_id


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.INTERRUPTED])
def test_who_acknowledges_is_kept_and_recorded(
    store: Store, history: History, status: RunStatus
) -> None:
    run_id = failed(store, status)
    assert history.run(run_id).acknowledged_by is None
    acknowledged(store, run_id, "ann", "on it")
    run, event = history.run(run_id), history.events(run_id)[-1]
    assert (run.acknowledged_by, run.acknowledged_at) == ("ann", NOON)
    assert run.acknowledgement == "on it"
    assert run.status is status
    assert (event.kind, event.actor, event.detail) == ("acknowledgement", "ann", "on it")


def test_the_second_is_told_who_was_first(store: Store, history: History) -> None:
    run_id = failed(store)
    acknowledged(store, run_id, "ann")
    with pytest.raises(Refused, match="acknowledged by ann at 2026-05-04 12:00:00 UTC"):
        acknowledged(store, run_id, "ben")
    assert history.run(run_id).acknowledged_by == "ann"


def test_a_run_that_goes_on_may_go_wrong_again(store: Store, history: History) -> None:
    run_id = failed(store, RunStatus.INTERRUPTED)
    acknowledged(store, run_id, "ann", "on it")
    store.change_run(run_id, RunStatus.INTERRUPTED, RunStatus.RUNNING)
    store.change_run(run_id, RunStatus.RUNNING, RunStatus.FAILED)
    assert history.run(run_id).acknowledgement == ""
    acknowledged(store, run_id, "ben")
    assert history.run(run_id).acknowledged_by == "ben"


@pytest.mark.parametrize(
    ("status", "how"),
    [(RunStatus.SUCCEEDED, "succeeded"), (RunStatus.CANCELLED, "was cancelled")],
)
def test_what_went_as_it_was_wanted_needs_nobody(store: Store, status: RunStatus, how: str) -> None:
    with pytest.raises(Refused, match=f"Run 1 {how}: there is nothing to acknowledge"):
        acknowledged(store, failed(store, status), "ann")


def test_an_unknown_run_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="There is no run 7"):
        acknowledged(store, 7, "ann")
