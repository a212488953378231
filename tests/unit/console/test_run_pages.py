from __future__ import annotations

from datetime import UTC, datetime

from orchestrate_tui.console.run_pages import PAGE_ROWS, PAGES_KEPT, RunPages
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.domain.status import RunStatus

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Archive:
    """Runs with the ids 1 to `newest`; it counts how many are read."""

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self.read = 0

    def fetch(self, before: int | None, limit: int) -> tuple[Run, ...]:
        first = self.newest if before is None else before - 1
        ids = range(first, max(first - limit, 0), -1)
        self.read += len(ids)
        return tuple(map(run, ids))


def run(run_id: int) -> Run:
    return Run(
        id=run_id,
        pipeline="ship",
        status=RunStatus.SUCCEEDED,
        simulated=False,
        trigger=TriggerContext(),
        actor="alice",
        definition_hash="",
        created_at=NOON,
    )


def ids(pages: RunPages, *rows: int) -> list[int | None]:
    runs = [pages.row(row) for row in rows]
    return [one.id if one else None for one in runs]


def walked(pages: RunPages) -> list[int]:
    """All ids from the top to the end, as somebody scrolls who never stops."""
    found, row = [], 0
    while (one := pages.row(row)) is not None:
        found.append(one.id)
        row += 1
    return found


def test_only_the_newest_page_is_read_at_first() -> None:
    archive = Archive(1_000_000)
    pages = RunPages(archive.fetch)
    assert pages.count == archive.read == PAGE_ROWS
    assert ids(pages, 0, 1) == [1_000_000, 999_999]


def test_scrolling_reaches_every_run_once() -> None:
    assert walked(RunPages(Archive(1_234).fetch)) == list(range(1_234, 0, -1))
    assert walked(RunPages(Archive(PAGE_ROWS).fetch)) == list(range(PAGE_ROWS, 0, -1))
    assert walked(RunPages(Archive(0).fetch)) == []


def test_new_runs_push_the_others_down() -> None:
    archive = Archive(500)
    pages = RunPages(archive.fetch)
    assert walked(pages) == list(range(500, 0, -1))
    archive.newest = 503
    assert pages.refresh() == 3
    assert walked(pages) == list(range(503, 0, -1))
    archive.newest = 803
    assert pages.refresh() == 300
    assert walked(pages) == list(range(803, 0, -1))


def test_a_page_that_was_forgotten_is_read_again() -> None:
    archive = Archive(PAGE_ROWS * (PAGES_KEPT + 20))
    pages = RunPages(archive.fetch)
    walked(pages)
    assert len(pages._pages) == PAGES_KEPT
    assert ids(pages, PAGE_ROWS) == [archive.newest - PAGE_ROWS]


def test_a_run_is_found_by_its_id_in_the_pages_that_are_known() -> None:
    pages = RunPages(Archive(300).fetch)
    assert pages.index_of(299) == 1
    assert pages.index_of(42) is None
    walked(pages)
    assert pages.index_of(42) == 258


def test_the_first_runs_of_an_empty_history_appear() -> None:
    archive = Archive(0)
    pages = RunPages(archive.fetch)
    archive.newest = 2
    assert pages.refresh() == 2
    assert ids(pages, 0, 1, 2) == [2, 1, None]


def test_an_older_run_that_comes_to_fit_the_filter_appears_in_its_place() -> None:
    fitting = [9, 7]

    def fetch(before: int | None, limit: int) -> tuple[Run, ...]:
        ids = [one for one in sorted(fitting, reverse=True) if before is None or one < before]
        return tuple(map(run, ids[:limit]))

    pages = RunPages(fetch)
    fitting.append(5)
    assert pages.refresh() == 0
    assert walked(pages) == [9, 7, 5]
