"""What all dialogs share: a frame, Escape and Cancel, buttons that the arrow keys reach."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import ClassVar, TypeVar

from textual import on
from textual.await_complete import AwaitComplete
from textual.await_remove import AwaitRemove
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Button

from orchestrate_tui.console.drafts import Drafts
from orchestrate_tui.console.widgets.armed_button import ArmedButton

T = TypeVar("T")

REMOVED_AFTER_S = 0.25
"""After which the widgets of a dialog that was closed are taken away."""


class Dialog(ModalScreen[T]):
    """A screen over the main one that answers with a `T`, or with None when it is left."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 60%;
    }

    Dialog > .frame {
        width: 90%;
        max-width: 100;
        height: auto;
        max-height: 100%;
        padding: 0 1;
        background: $surface;
        border: round $primary;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
    }

    Dialog .buttons {
        height: 1;
        margin-top: 1;
        align-horizontal: right;
    }

    Dialog .buttons Button {
        margin-left: 2;
        min-width: 12;
    }

    Dialog .buttons Button:focus {
        text-style: bold reverse;
    }

    Dialog .note {
        color: $text-muted;
    }

    Dialog Input {
        width: 1fr;
        background: $boost;
    }

    Dialog Input:focus {
        background: $primary-muted;
    }

    Dialog OptionList {
        height: 5;
        border: none;
        padding: 0;
        background: $boost;
        scrollbar-size: 1 1;
    }

    Dialog OptionList:focus {
        border: none;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", priority=True),
        Binding("left", "go_beside(-1)", "Previous button", show=False),
        Binding("right", "go_beside(1)", "Next button", show=False),
    ]

    _is_closed = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys that go from button to button to whatever else has the focus."""
        if action == "go_beside":
            return isinstance(self.focused, Button)
        return super().check_action(action, parameters)

    def action_go_beside(self, step: int) -> None:
        """Go to the button that stands so many to the right, if there is one."""
        buttons = [one for one in self.query(Button) if one.focusable]
        if isinstance(self.focused, Button):
            place = buttons.index(self.focused) + step
            buttons[max(0, min(place, len(buttons) - 1))].focus()

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close with an answer; a second one would close the screen below.

        What is still awaited here is not told any more: there would be nothing to tell it in.
        """
        if not self.is_current:
            return AwaitComplete()
        self._is_closed = True
        self.workers.cancel_node(self)
        for timer in tuple(self._timers):
            timer.stop()
        self.give_up()
        one_picture = ExitStack()
        one_picture.enter_context(self.app.batch_update())
        closing = super().dismiss(result)
        self.app.call_later(self.app.call_next, one_picture.close)  # after what the answer leads to
        return closing

    def remove(self) -> AwaitRemove:
        """Have its widgets go some time after it was closed: nobody waits for that to be drawn."""
        # with a parent Textual would arrange and draw the whole screen below once more
        self.app.set_timer(REMOVED_AFTER_S, partial(self.app._prune, self))  # noqa: SLF001
        return AwaitRemove([])

    def on_unmount(self) -> None:
        """Give up what is under way also when the console is left with this open."""
        if not self._is_closed:
            self.give_up()

    def give_up(self) -> None:
        """Give up what nobody waits for any more; called once, when this is closed."""

    def keep_draft(self, drafts: Drafts, purpose: str, text: str) -> None:
        """Keep what was typed for the next such dialog; "" forgets what was kept."""
        drafts.pop(purpose, None)
        if text:
            drafts[purpose] = text
            self.notify("What you typed is kept for the next time", markup=False)

    @on(ArmedButton.PressedTooSoon)
    def _tell_too_soon(self) -> None:
        self.notify("That was typed before this was shown: look, then press again", markup=False)

    async def caught_up(self) -> None:
        """Return once what was typed so far has taken effect, also what others are asked for."""

    @on(Button.Pressed, "#cancel")
    def action_leave(self) -> None:
        """Go back without an answer."""
        self.dismiss(None)
