"""A list of names, each of which is ticked or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.styled import joined, plain, toned
from orchestrate_tui.console.widgets.tick import OFF, ON


class TickList(OptionList):
    """Space turns the name under the cursor; Enter goes on, as in other lists of a dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "turn", "Tick", show=False),
    ]

    class Turned(Message):
        """Other names are ticked now."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._names: tuple[str, ...] = ()
        self._off: set[str] = set()

    @property
    def ticked(self) -> tuple[str, ...]:
        """The names that are ticked, in their order."""
        return tuple(name for name in self._names if name not in self._off)

    def offer(self, names: Iterable[str], gone: Collection[str] = ()) -> None:
        """Offer names, ticked unless they were turned off before; `gone` cannot be ticked."""
        self._names = tuple(name for name in names if name not in gone)
        self.clear_options()
        self.add_options([Option(self._prompt(name)) for name in self._names])
        self.add_options(
            [Option(plain(f"    {name} undone"), disabled=True) for name in sorted(gone)]
        )
        self.highlighted = 0 if self._names else None

    def action_turn(self) -> None:
        """Turn the name under the cursor."""
        if self.highlighted is not None and self.highlighted < len(self._names):
            name = self._names[self.highlighted]
            self._off ^= {name}
            self.replace_option_prompt_at_index(self.highlighted, self._prompt(name))
            self.post_message(self.Turned())

    def _prompt(self, name: str) -> Content:
        is_off = name in self._off
        box = toned(f"▐{OFF if is_off else ON}▌", Tone.QUIET if is_off else Tone.ACTIVE)
        return joined([box, plain(name)], " ")
