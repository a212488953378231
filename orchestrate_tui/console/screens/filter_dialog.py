"""Which runs the list shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, OptionList
from textual.widgets.option_list import Option

from orchestrate_tui.console.marks import run_mark
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import joined, toned
from orchestrate_tui.console.widgets.field import Field
from orchestrate_tui.domain.status import RunStatus

if TYPE_CHECKING:
    from orchestrate_tui.console.run_pages import Fetch
    from orchestrate_tui.store.history import History

_STATUSES: tuple[RunStatus | None, ...] = (None, *RunStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What a run has to be; None asks for nothing."""

    pipeline: str | None = None
    status: RunStatus | None = None

    def __bool__(self) -> bool:
        return self.pipeline is not None or self.status is not None

    def __str__(self) -> str:
        status = run_mark(self.status).word if self.status else ""
        return " ".join(filter(None, (self.pipeline, status)))

    def fetch_from(self, history: History) -> Fetch:
        """What the list of runs reads its pages with."""
        return lambda before, limit: history.runs(
            before=before, limit=limit, pipeline=self.pipeline, status=self.status
        )


class FilterDialog(Dialog[RunFilter]):
    """Asks for a pipeline and a status; answers with the new filter."""

    DEFAULT_CSS = """
    FilterDialog OptionList { height: 7; width: 30; }
    FilterDialog #status { height: auto; }
    FilterDialog #status > Label { width: 16; color: $text-muted; }
    """

    def __init__(self, present: RunFilter) -> None:
        super().__init__()
        self._present = present

    def compose(self) -> ComposeResult:
        """A field for each condition."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content("Show only")
            yield Field("Pipeline", "its whole name; any", value=self._present.pipeline or "")
            with Horizontal(id="status"):
                yield Label("Status")
                yield OptionList(*map(_option, _STATUSES))
            with Horizontal(classes="buttons"):
                yield Button("Show all", id="all", compact=True)
                yield Button("Show these", id="these", compact=True)

    def on_mount(self) -> None:
        """Start with what is set at present."""
        self.query_one(OptionList).highlighted = _STATUSES.index(self._present.status)

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    @on(Button.Pressed, "#these")
    def _show_these(self) -> None:
        pipeline = self.query_one(Input).value.strip() or None
        status = _STATUSES[self.query_one(OptionList).highlighted or 0]
        self.dismiss(RunFilter(pipeline=pipeline, status=status))

    @on(Button.Pressed, "#all")
    def _show_all(self) -> None:
        self.dismiss(RunFilter())


def _option(status: RunStatus | None) -> Option:
    if status is None:
        return Option("any")
    mark = run_mark(status)
    return Option(joined([toned(mark.glyph, mark.tone), Content(mark.word)], " "))
