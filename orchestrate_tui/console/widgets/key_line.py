"""The line at the bottom: the keys that do something now. Each can be clicked too.

Textual's own footer has a widget for each key and makes all of them anew when one changes, which
takes as long as everything else that a key press draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from textual import events
    from textual.screen import Screen

SCROLLED_CELLS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """One key; `tooltip` "" is none. It begins in column `start` and takes `width` cells."""

    key: str
    shown: str
    description: str
    tooltip: str
    start: int

    @property
    def width(self) -> int:
        return len(self.shown) + 1 + len(self.description)


class KeyLine(Widget, can_focus=False):
    """Tells the bindings that are to be shown, in their order."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "key-line--key",
        "key-line--description",
        "key-line--hover",
    }
    DEFAULT_CSS = """
    KeyLine {
        dock: bottom;
        height: 1;
        color: $footer-foreground;
        background: $footer-background;
        & > .key-line--key {
            color: $footer-key-foreground;
            background: $footer-key-background;
            text-style: bold;
        }
        & > .key-line--description {
            color: $footer-description-foreground;
            background: $footer-description-background;
        }
        & > .key-line--hover {
            color: $footer-key-foreground;
            background: $block-hover-background;
        }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._offers: tuple[_Offer, ...] = ()
        self._pointed: _Offer | None = None
        self._left = 0

    def on_mount(self) -> None:
        """Follow what the screen offers."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if screen.app.app_focus and self.is_attached and screen is self.screen:
            self.call_after_refresh(self.take_over)

    def take_over(self) -> None:
        """Show what the screen offers now."""
        if not self.is_attached:  # its screen has gone meanwhile
            return
        offers = tuple(self._found())
        if offers != self._offers:
            self._offers, self._pointed = offers, None
            self._scroll(0)

    def _found(self) -> Iterator[_Offer]:
        start, seen = 0, set()
        for _, binding, _, tooltip in self.screen.active_bindings.values():
            if not binding.show or binding.action in seen:
                continue
            seen.add(binding.action)
            offer = _Offer(
                key=binding.key,
                shown=self.app.get_key_display(binding),
                description=binding.description,
                tooltip=tooltip,
                start=start,
            )
            start += offer.width + 1
            yield offer

    def render_line(self, y: int) -> Strip:  # noqa: ARG002  (there is one)
        """The keys, each with what it does."""
        key = self.get_component_rich_style("key-line--key")
        description = self.get_component_rich_style("key-line--description")
        hover = self.get_component_rich_style("key-line--hover")
        empty = Style(bgcolor=self.rich_style.bgcolor)
        segments: list[Segment] = []
        for offer in self._offers:
            over = (hover, hover) if offer == self._pointed else (key, description)
            segments += (*self._segments(offer, *over), Segment(" ", empty))
        return Strip(segments).crop_extend(self._left, self._left + self.size.width, empty)

    def _segments(self, offer: _Offer, key: Style, description: Style) -> Iterator[Segment]:
        base = self.rich_style
        yield Segment(offer.shown, base + key)
        yield Segment(f" {offer.description}", base + description)

    def _at(self, x: int) -> _Offer | None:
        place = x + self._left
        found = (one for one in self._offers if one.start <= place < one.start + one.width)
        return next(found, None)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Do what the key does."""
        offer = self._at(event.x)
        if offer is not None:
            self.app.simulate_key(offer.key)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show which key the mouse points at, and what it is for."""
        self._point_at(self._at(event.x))

    def on_leave(self) -> None:
        """Show that the mouse points elsewhere."""
        self._point_at(None)

    def _point_at(self, offer: _Offer | None) -> None:
        if offer != self._pointed:
            self._pointed = offer
            self.tooltip = offer.tooltip or None if offer else None
            self.refresh()

    def on_mouse_scroll_down(self) -> None:
        """Show keys that there is no room for."""
        self._scroll(self._left + SCROLLED_CELLS)

    def on_mouse_scroll_up(self) -> None:
        """Show those before again."""
        self._scroll(self._left - SCROLLED_CELLS)

    def _scroll(self, left: int) -> None:
        end = self._offers[-1].start + self._offers[-1].width if self._offers else 0
        self._left = max(0, min(left, end - self.size.width))
        self.refresh()
