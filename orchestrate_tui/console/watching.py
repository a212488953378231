"""The console for people who may only look, on a terminal that may be far away.

Nothing here writes, opens or starts anything: an action that is not named below is not carried
out, whatever asks for it (a key, the command palette, a click, markup in a text), and what
Textual could do with the viewer's machine or this one does nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from textual import actions
from textual.app import App
from textual.dom import DOMNode

from orchestrate_tui.collection import collect_seldom
from orchestrate_tui.console.app import OrchestrateApp
from orchestrate_tui.console.driver import ConsoleDriver, TerminalLost
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.store.attendance import Attendance

if TYPE_CHECKING:
    from pathlib import Path

    from textual.message import Message

    from orchestrate_tui.console import ports
    from orchestrate_tui.store.history import History

ENDED_AFTER_S = 2
"""How long the console may take to end before the kernel ends it."""

_OUR_ACTIONS = frozenset({
    *("command_palette", "filter", "follow", "full_log", "help", "leave", "next", "quit"),
    *("only_this_run", "open", "pane", "put_away", "search", "switch_form", "zoom"),
    *("go", "go_beside", "go_to", "move", "move_page", "move_to", "readiness", "releases"),
})  # fmt: skip
_MOVING = frozenset({
    *("focus_next", "focus_previous", "first", "last", "page_down", "page_up"),
    *("page_left", "page_right", "scroll_down", "scroll_end", "scroll_home", "scroll_left"),
    *("scroll_right", "scroll_up", "command_list", "cursor_down", "cursor_up", "escape"),
})  # fmt: skip
_FILLING_IN = frozenset({
    *("cursor_left", "cursor_left_word", "cursor_right", "cursor_right_word", "end", "home"),
    *("delete_left", "delete_left_all", "delete_left_word", "delete_right", "delete_right_all"),
    *("delete_right_word", "select_all", "press", "select", "submit"),
})  # fmt: skip
WATCHING_ACTIONS = _OUR_ACTIONS | _MOVING | _FILLING_IN
"""The only actions there are: of our own screens, to move about, to fill in a filter."""


class WatchingDriver(ConsoleDriver):
    """A terminal driver that cannot be suspended, and whose end ends the process."""

    def __init__(self, app: App[Any], **settings: Any) -> None:
        super().__init__(app, **settings)  # which takes SIGTSTP for itself
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)

    @property
    def can_suspend(self) -> bool:
        """Never: there would be nothing to come back to."""
        return False

    def send_message(self, message: Message) -> None:
        """Pass a message on; see to it that a lost terminal is the end."""
        if isinstance(message, TerminalLost):
            signal.alarm(ENDED_AFTER_S)
        super().send_message(message)


class WatchingApp(OrchestrateApp):
    """Shows a history without a way to change anything, or to reach beyond the screen."""

    ALLOW_SELECT = False

    def __init__(
        self,
        history: History,
        *,
        run_id: int | None = None,
        attendance: ports.Attendance | None = None,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(history, run_id=run_id, attendance=attendance, clock=clock)
        self.driver_class = WatchingDriver
        self.animation_level = "none"

    async def run_action(
        self,
        action: str | actions.ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Carry out an action that is allowed here; whether it was."""
        _, name, _ = actions.parse(action) if isinstance(action, str) else action
        if name not in WATCHING_ACTIONS:
            return False
        return await super().run_action(action, default_namespace, namespaces)

    def copy_to_clipboard(self, text: str) -> None:
        """Leave the clipboard of the viewer's machine alone."""

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Open nothing: a browser would run on this machine."""

    def save_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> str:
        """Save nothing."""
        del filename, path, time_format
        return ""

    def deliver_text(self, path_or_file: str | Path | IO[str], **settings: Any) -> None:
        """Save nothing."""

    def deliver_binary(self, path_or_file: str | Path | IO[bytes], **settings: Any) -> None:
        """Save nothing."""


def run_watching_console(history: History) -> int:
    """Show the console until it is left or its terminal is gone; the exit code.

    A hang-up ends the process in the kernel, whatever it is doing. SIGTERM gives the terminal
    back first, if that takes no longer than two seconds.
    """
    attendance = Attendance(history.files)
    attendance.look_ahead()
    app = WatchingApp(history, attendance=attendance)

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.alarm(ENDED_AFTER_S)
        app.hang_up()

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, end)
    collect_seldom()
    app.run()
    return app.return_code or 0
