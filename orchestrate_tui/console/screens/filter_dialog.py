"""Which runs the list shows."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, OptionList
from textual.widgets.option_list import Option

from orchestrate_tui.console.marks import run_mark
from orchestrate_tui.console.run_filter import RunFilter
from orchestrate_tui.console.screens.dialog import Dialog
from orchestrate_tui.console.styled import joined, toned
from orchestrate_tui.console.widgets.field import Field
from orchestrate_tui.domain.status import RunStatus

_STATUSES: tuple[RunStatus | None, ...] = (None, *RunStatus)


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
            frame.border_subtitle = Content("Tab next · Enter show these · Esc close")
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
