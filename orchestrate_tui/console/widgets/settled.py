"""For widgets whose size is found before it is theirs."""

from __future__ import annotations

from textual.geometry import Size
from textual.widget import Widget


class Settled(Widget):
    """Takes another size without having the whole screen arranged once more for it.

    Textual does that for what a size may change around it, which here is nothing.
    """

    def _size_updated(
        self,
        size: Size,
        virtual_size: Size,
        container_size: Size,
        layout: bool = True,  # noqa: ARG002, FBT001, FBT002  (Textual's way)
    ) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)
