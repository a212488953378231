"""One log on the whole screen, with a search."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from orchestrate_tui.console.rhythm import LOOKS_PER_SECOND
from orchestrate_tui.console.widgets.key_line import KeyLine
from orchestrate_tui.console.widgets.log_view import LogView


class LogScreen(Screen[None]):
    """Follows one file until it is left."""

    LOG: ClassVar[type[LogView]] = LogView
    CSS_PATH = "log_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,L", "leave", "Back"),
        Binding("slash", "search", "Search"),
        Binding("n", "next(True)", "Next"),
        Binding("N", "next(False)", "Previous", key_display="N"),
        Binding("f", "follow", "Follow"),
    ]

    def __init__(self, path: Path, title: Content, empty_text: str = "") -> None:
        super().__init__()
        self._path = path
        self._heading = title
        self._empty_text = empty_text

    def compose(self) -> ComposeResult:
        """The title, the log, the search field when it is asked for."""
        yield Static(self._heading, id="heading")
        yield self.LOG(id="log")
        yield Input(placeholder="search for", id="wanted", compact=True)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to follow."""
        log = self.query_one(LogView)
        self.query_one(Input).display = False
        self.show_log()
        log.focus()
        self.set_interval(1 / LOOKS_PER_SECOND, self.catch_up)

    def show_log(self) -> None:
        """Show the file."""
        self.query_one(LogView).follow_file(self._path, self._empty_text)

    def catch_up(self) -> None:
        """Take over what was written since."""
        self.query_one(LogView).catch_up()

    def action_leave(self) -> None:
        """Close the search, or go back."""
        wanted = self.query_one(Input)
        if wanted.has_focus:
            wanted.display = False
            self.query_one(LogView).focus()
        else:
            self.dismiss()

    def action_search(self) -> None:
        """Ask what to search for."""
        wanted = self.query_one(Input)
        wanted.display = True
        wanted.focus()

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        self.query_one(LogView).scroll_end(animate=False)

    @on(Input.Submitted)
    def _search(self) -> None:
        self.query_one(LogView).focus()
        self.action_next(forward=True)

    @work(exclusive=True, group="search")
    async def action_next(self, forward: bool) -> None:  # noqa: FBT001  (a binding passes it so)
        """Go to the next or the previous place."""
        wanted = self.query_one(Input).value
        if wanted and not await self.query_one(LogView).search(wanted, forward=forward):
            self.notify("Not found", severity="warning")
