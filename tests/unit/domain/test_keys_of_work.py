"""The keys that tell the work of one run, part, undo and attempt from all other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrate_tui.domain.keys import attempt_key, run_key, work_key

AT = datetime(2026, 5, 4, 12, 0, 5, 17, tzinfo=UTC)
RUN = run_key(7, AT)


def test_the_key_of_a_run_names_it_and_when_it_was_made() -> None:
    assert RUN == "20260504T120005000017-7-"


def test_no_key_of_a_run_begins_like_that_of_another() -> None:
    """In another database a run may have the same number."""
    others = [run_key(number, AT) for number in (1, 70, 77)]
    others.append(run_key(7, AT + timedelta(microseconds=1)))
    assert not any(other.startswith(RUN) or RUN.startswith(other) for other in others)


def test_a_stage_and_each_undo_of_it_have_keys_of_their_own() -> None:
    assert work_key(RUN, "deploy[web]") == f"{RUN}deploy[web]"
    assert work_key(RUN, "deploy[web]", 3) == f"{RUN}deploy[web]-rollback-3"


def test_attempts_are_told_apart_and_share_the_key_of_their_work() -> None:
    work = work_key(RUN, "deploy")
    first, second = attempt_key(work, 1), attempt_key(work, 2)
    assert (first, second) == (f"{work}.1", f"{work}.2")
