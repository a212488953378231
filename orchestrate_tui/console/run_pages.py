"""Runs, newest first, in pages that are read when they are looked at and forgotten again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from orchestrate_tui.domain.run import Run

PAGE_ROWS = 100
PAGES_KEPT = 50

Fetch = Callable[[int | None, int], tuple[Run, ...]]
"""The runs before an id (None: the newest), at most so many, newest first."""


class RunPages:
    """The rows that are known so far; looking at the last ones makes more known.

    The first page grows with new runs. Only one number for each further page is kept: the id
    that it starts after.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._starts: list[int] = []
        self._pages: OrderedDict[int, tuple[Run, ...]] = OrderedDict()
        self._head: tuple[Run, ...] = ()
        self._last_rows = 0
        self._is_complete = False
        self.start_over()

    def start_over(self) -> None:
        """Know only the newest page."""
        self._starts.clear()
        self._pages.clear()
        self._head = self._fetch(None, PAGE_ROWS)
        self._is_complete = len(self._head) < PAGE_ROWS

    def refresh(self) -> int:
        """Read everything again that is looked at; the number of new runs before the rest."""
        newest = self._head[0].id if self._head else 0
        self._pages.clear()
        if self._starts:
            self._head = self._until(self._starts[0])
        else:
            self._head = self._fetch(None, PAGE_ROWS)
            self._is_complete = len(self._head) < PAGE_ROWS
        return sum(run.id > newest for run in self._head)

    def _until(self, oldest: int) -> tuple[Run, ...]:
        """The newest runs down to an id."""
        rows = more = self._fetch(None, PAGE_ROWS)
        while more and more[-1].id > oldest:
            more = self._fetch(more[-1].id, PAGE_ROWS)
            rows += more
        return tuple(run for run in rows if run.id >= oldest)

    @property
    def count(self) -> int:
        """The rows that are known."""
        if not self._starts:
            return len(self._head)
        return len(self._head) + (len(self._starts) - 1) * PAGE_ROWS + self._last_rows

    def row(self, index: int) -> Run | None:
        """The run in a row; None beyond the end. Near the end more rows become known."""
        if index >= self.count - PAGE_ROWS // 2:
            self._know_more()
        if index >= self.count:
            return None
        if index < len(self._head):
            return self._head[index]
        page, row = divmod(index - len(self._head), PAGE_ROWS)
        runs = self._page(page)
        return runs[row] if row < len(runs) else None

    def index_of(self, run_id: int) -> int | None:
        """The row of a run, if it is in a page that is kept."""
        pages = ((page * PAGE_ROWS + len(self._head), runs) for page, runs in self._pages.items())
        for first, runs in ((0, self._head), *pages):
            if runs and runs[-1].id <= run_id <= runs[0].id:
                found = (first + row for row, run in enumerate(runs) if run.id == run_id)
                return next(found, None)
        return None

    def _know_more(self) -> None:
        if self._is_complete:
            return
        last = self._page(len(self._starts) - 1) if self._starts else self._head
        if not last:
            return
        rows = self._fetch(last[-1].id, PAGE_ROWS)
        self._is_complete = len(rows) < PAGE_ROWS
        if rows:
            self._keep(len(self._starts), rows)
            self._starts.append(last[-1].id)
            self._last_rows = len(rows)

    def _page(self, page: int) -> tuple[Run, ...]:
        if page not in self._pages:
            self._keep(page, self._fetch(self._starts[page], PAGE_ROWS))
        self._pages.move_to_end(page)
        return self._pages[page]

    def _keep(self, page: int, rows: tuple[Run, ...]) -> None:
        self._pages[page] = rows
        if len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)
