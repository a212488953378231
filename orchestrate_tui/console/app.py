"""The console as a Textual app: screens over the history, and a way out that stops nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import Console
from rich.text import Text
from textual import on, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.filter import LineFilter, NoColor
from textual.screen import Screen
from textual.worker import WorkerFailed

from orchestrate_tui.collection import collect_again, collect_seldom
from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.bridge import Bridge
from orchestrate_tui.console.driver import ConsoleDriver, TerminalLost, TerminalRecovered
from orchestrate_tui.console.durations import Clock
from orchestrate_tui.console.latch import Latch, LatchedControl
from orchestrate_tui.console.leaving import CANCEL, LEAVE
from orchestrate_tui.console.line_filter import SafeText
from orchestrate_tui.console.opening import Opening, opened
from orchestrate_tui.console.screens import dialogs
from orchestrate_tui.console.screens.main_screen import MainScreen
from orchestrate_tui.console.styled import plain
from orchestrate_tui.console.text import visible
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.protection import confirmation
from orchestrate_tui.errors import OrchestrateError, Refused, Unrecorded
from orchestrate_tui.store.attendance import Attendance

if TYPE_CHECKING:
    from orchestrate_tui.console import ports
    from orchestrate_tui.console.ports import WholeControl
    from orchestrate_tui.store.history import History

LEAVING = (signal.SIGHUP, signal.SIGTERM)
"""Signals that mean: leave it running."""

IDLE = "idle"
"""How the app is left while nothing runs; with something running: "leave" or "cancel"."""


COLOURLESS_THEME = "ansi-dark"
"""Tells what has the focus by reversed text, which needs no colour."""


class OrchestrateApp(App[str]):
    """Shows a history; with a `control` it can change things, without one it is read-only.

    One that is still to be opened is opened when the first frame is shown.
    """

    TITLE = "Orchestrate"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["app.tcss", "screens/main_screen.tcss"]
    NOTIFICATION_TIMEOUT = 4
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", tooltip="All keys and signs"),
        Binding("q", "quit", "Quit", tooltip="Leave the console"),
        Binding("ctrl+q,ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("colon", "command_palette", "Commands", show=False),
        Binding("ctrl+p", "command_palette", "Commands", show=False, priority=True),
    ]

    def __init__(
        self,
        history: History,
        control: WholeControl | Opening[WholeControl] | None = None,
        *,
        files: Sequence[Path] = (),
        run_id: int | None = None,
        named_database: Path | None = None,
        attendance: ports.Attendance | None = None,
        latch: Latch | None = None,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(driver_class=ConsoleDriver)
        self.error_console = Console(
            markup=False, highlight=False, emoji=False, stderr=True, color_system=None
        )
        self._history = history
        self._control: LatchedControl | None = None
        if control is not None:
            opening = control if isinstance(control, Opening) else opened(control)
            self._control = LatchedControl(opening, latch or Latch(), history)
        self._files = tuple(files)
        self._first_run_id = run_id
        self._named_database = named_database
        self._attendance = attendance
        self._clock = clock
        self._safe_text = SafeText()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._is_hung_up = False
        self._is_asking = False
        if self.no_color:
            self.theme = COLOURLESS_THEME
        if "SSH_CONNECTION" in os.environ:  # every frame of a gliding list would travel
            self.animation_level = "none"

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own filters, and after them the one that lets no control character out.

        NO_COLOR means none at all; Textual would show greys.
        """
        own = (NoColor(),) if self.no_color else super().get_line_filters()
        return (*own, self._safe_text)

    def get_default_screen(self) -> MainScreen:
        """The main screen is the first one, and in the form for its terminal from the start."""
        screen = self._main_screen()
        screen.suit(self.size)
        return screen

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """The screens that are seen behind the one on top: none where that lets nothing through.

        Textual takes the next one to be seen all the same, and paints what changes there.
        """
        hides_all = self._screen_stack and self._screen_stack[-1].styles.background.a == 1
        return [] if hides_all else super()._background_screens

    def on_mount(self) -> None:
        """Load the rest after the first frame, and obey a hang-up that came before."""
        self._own_loop = asyncio.get_running_loop()
        self.call_after_refresh(self.call_later, self._load_the_rest)
        if self._is_hung_up:
            self.leave()

    @work()
    async def _load_the_rest(self) -> None:
        """Open the executor, now that the first frame is shown, and load every dialog."""
        if self._control is not None and not self._control.opening.is_open:
            try:
                control = await outcome(self._control.opening.begin())
            except OrchestrateError:
                self.exit()  # whoever runs the app asks for the executor too, and is told
                return
            self._bridge.listen(control.subscribe())
        await asyncio.to_thread(dialogs.load, is_read_only=self._control is None)
        collect_again()

    def hang_up(self) -> None:
        """End the console as soon as possible; made to be called in a signal handler."""
        self._is_hung_up = True
        if self._own_loop is not None and not self._own_loop.is_closed():
            self._own_loop.call_soon_threadsafe(self.leave)

    @on(TerminalLost)
    def leave(self) -> None:
        """End the console and leave running what runs."""
        self.exit(LEAVE)

    @on(TerminalRecovered)
    def _draw_anew(self) -> None:
        self.screen.refresh(layout=True)

    def _main_screen(self) -> MainScreen:
        """The main screen, with or without keys that change things."""
        is_open = self._control is not None and self._control.opening.is_open
        subscription = self._control.subscribe() if self._control and is_open else None
        self._bridge = Bridge(self._history, subscription)
        if self._control is None:
            return MainScreen(
                self._history,
                self._bridge,
                run_id=self._first_run_id,
                attendance=self._attendance,
                clock=self._clock,
            )
        from orchestrate_tui.console.screens.operator_screen import (  # noqa: PLC0415  (not for all)
            OperatorScreen,
        )

        return OperatorScreen(
            self._history,
            self._bridge,
            self._control,
            files=self._files,
            run_id=self._first_run_id,
            named_database=self._named_database,
            attendance=self._attendance,
            clock=self._clock,
        )

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette offers: what our keys do at present, and nothing that writes files."""
        for node, binding, is_enabled, _ in screen.active_bindings.values():
            if binding.tooltip and is_enabled and node in {screen, self}:
                run = partial(self.run_action, binding.action, node)
                yield SystemCommand(binding.tooltip, f"Key {self.get_key_display(binding)}", run)
        yield SystemCommand("Theme", "Choose other colours", self.action_change_theme)

    def action_command_palette(self) -> None:
        """Offer what can be done."""
        if not isinstance(self.screen, dialogs.Commands):
            self.push_screen(dialogs.Commands(id="--command-palette"))

    def search_themes(self) -> None:
        """Offer the colours."""
        names = sorted(self.available_themes)
        themes = [(name, partial(setattr, self, "theme", name)) for name in names]
        self.push_screen(dialogs.choice(self.screen, themes, "Search for themes…"))

    def action_help(self) -> None:
        """Show every key."""
        self.push_screen(dialogs.HelpScreen(is_read_only=self._control is None))

    async def action_quit(self) -> None:
        """Quit; while something runs, ask what becomes of it."""
        active = self._control.active() if self._control else ()
        if not active:
            self.exit(IDLE)
        elif not self._is_asking:
            self._is_asking = True
            self.push_screen(dialogs.quit_question(active), partial(self._quit_answered, active))

    def _quit_answered(self, asked: Sequence[int], answer: str | None) -> None:
        self._is_asking = False
        if answer == LEAVE:
            self.leave()
        elif answer == CANCEL and self._control is not None:
            self._confirm_cancelling(self._control, asked)

    def _confirm_cancelling(self, control: LatchedControl, asked: Sequence[int]) -> None:
        """Have the names of protected environments typed before runs on them are cancelled."""
        touched = control.touched(asked)
        try:
            control.latch.check(touched)
        except Refused as refusal:  # nothing is cancelled before all of it may be
            self.notify(visible(str(refusal)), severity="error", markup=False)
            return
        if touched:
            question = dialogs.cancel_question(asked, confirmation(touched))
            self.push_screen(question, partial(self._cancelling_confirmed, asked))
        else:
            self._cancel_and_exit(asked)

    def _cancelling_confirmed(self, asked: Sequence[int], answer: str | None) -> None:
        if answer == CANCEL:
            self._cancel_and_exit(asked)

    @work(exclusive=True, group="cancel")
    async def _cancel_and_exit(self, asked: Sequence[int]) -> None:
        """Have these runs cancelled, and go; what may not be cancelled keeps the console here."""
        control = self._control
        if control is None:
            return
        if control.is_stuck:
            try:
                control.lose_patience()
            except Refused as refusal:
                self.notify(visible(str(refusal)), severity="error", markup=False)
            else:
                self.exit(CANCEL, return_code=Unrecorded.exit_code)
            return
        refusals = []
        for run_id in sorted({*asked} & {*control.active()}):
            try:
                await outcome(control.cancel(run_id))
            except OrchestrateError as error:
                refusals.append(str(error))
        if refusals:
            self.notify(visible("\n".join(refusals)), severity="error", markup=False)
        elif {*control.active()} - {*asked}:  # somebody else has started one meanwhile
            await self.action_quit()
        else:
            self.exit(CANCEL)

    def _handle_exception(self, error: Exception) -> None:
        """End with the sentence of an error that an operator can meet; others are defects."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if self._exit and isinstance(cause, NoMatches):
            return  # the palette still asks for widgets that the end has removed
        if isinstance(cause, OrchestrateError) and not self.is_headless:
            self.exit(return_code=cause.exit_code, message=plain(str(cause)))
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """End after a defect, without the values of variables: they may be secrets."""
        from rich.traceback import Traceback  # noqa: PLC0415  (which takes long, and brings Pygments)

        story = self.error_console.render_lines(Traceback(show_locals=False), pad=False)
        lines = ["".join(segment.text for segment in line) for line in story]
        self._exit_renderables.append(Text("\n".join(map(visible, lines))))
        self._close_messages_no_wait()

    async def _broker_event(self, *_event: object, **_options: object) -> bool:
        """No text is a link: a click on one runs nothing, whatever its markup says."""
        return False


def run_console(
    history: History,
    control: WholeControl | Opening[WholeControl],
    *,
    files: Sequence[Path] = (),
    run_id: int | None = None,
    named_database: Path | None = None,
    latch: Latch | None = None,
) -> int:
    """Show the console until it is left; the exit code, 0 unless it broke.

    `named_database` is what a command has to name to mean this history, None for nothing.
    A hang-up or SIGTERM ends the console only. Both stay harmless afterwards when something was
    left running: a shell that ends repeats them to its children.
    """
    with Attendance(history.files) as attendance:
        attendance.look_ahead()
        app = OrchestrateApp(
            history,
            control,
            files=files,
            run_id=run_id,
            named_database=named_database,
            attendance=attendance,
            latch=latch,
        )
        before = {
            number: signal.signal(number, lambda _number, _frame: app.hang_up())
            for number in LEAVING
        }
        collect_seldom()
        app.run()
    if app.return_value != LEAVE:
        for number, handler in before.items():
            signal.signal(number, handler)
    return app.return_code or 0
