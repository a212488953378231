"""What the graph of stages is drawn on: it has graphs laid out, large ones beside the screen."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator

from textual import work
from textual.geometry import Size

from orchestrate_tui.collection import collect_again, load_in_peace
from orchestrate_tui.console.diagram.layout import COMPACT, Box, Form
from orchestrate_tui.console.diagram.scan import Scan
from orchestrate_tui.console.drawings import Drawings
from orchestrate_tui.console.widgets.line_view import LineView, Piece
from orchestrate_tui.domain.pipeline import Pipeline

MOST_KNOWN = 32
"""Of how many pipelines the drawings are kept."""

SLOW_S = 0.25
"""When a layout takes longer, that is said."""

NO_PIPELINE = Pipeline(name="", stages=())
_LAYING_OUT = "lay out"


class GraphCanvas(LineView):
    """Has the graph of a pipeline in the form that suits the room there is.

    `is_drawn` says whether `scan` is the drawing of that graph; until then the screen keeps what it
    shows, unless that takes too long. `form` None leaves the choice of it to the room.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.drawings = Drawings(NO_PIPELINE)
        self.scan = self.drawings.make(COMPACT, 0, 0)
        self.form: Form | None = None
        self.is_drawn = True
        self._room = Size()
        self._known: OrderedDict[int, Drawings] = OrderedDict()

    def take_pipeline(self, pipeline: Pipeline) -> None:
        """Draw another pipeline from the next `draw` on; the drawings of the last ones are kept."""
        number = id(pipeline)
        if number not in self._known:
            self._known[number] = Drawings(pipeline)  # which keeps it, and with it the number
        self._known.move_to_end(number)
        self.drawings = self._known[number]
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        self.form = None

    def reveal(self) -> None:
        """Bring into view what matters most; called when the drawing is another one."""

    def box(self, name: str | None) -> Box | None:
        """Where a stage stands; None until it is known."""
        return self.scan.layout.boxes.get(name or "") if self.is_drawn else None

    def draw(self) -> None:
        """Draw the graph, now or when it is laid out."""
        self._room = self.size
        wanted = (self.form, *self._room)
        scan = self.drawings.made(*wanted)
        self.workers.cancel_group(self, _LAYING_OUT)
        if scan is None:
            self.is_drawn = False
            self._lay_out(self.drawings, *wanted)
        else:
            self._take_over(scan)

    @work(exclusive=True, group=_LAYING_OUT)
    async def _lay_out(self, drawings: Drawings, form: Form | None, *room: int) -> None:
        """Lay the graph out in a thread, because that may take seconds."""
        slow = self.set_timer(SLOW_S, self.refresh)
        try:
            scan = await asyncio.to_thread(_made_in_peace, drawings, form, *room)
        finally:
            slow.stop()
        self._take_over(scan)

    def _take_over(self, scan: Scan) -> None:
        self.scan, self.is_drawn = scan, True
        self.virtual_size = Size(scan.layout.width, scan.layout.height)
        self.reveal()  # where there is no room yet, what follows will be in view beside it
        self.refresh_changed()
        self.call_after_refresh(self.reveal)  # a scrollbar may have come meanwhile

    def waiting_pieces(self, y: int) -> Iterator[Piece]:
        """A visible line of what is shown while the layout takes long."""
        stages = len(self.drawings.pipeline.stages)
        yield f" Laying {stages:,} stages out …" if y == 0 else "", self.look("line--faint")

    def _size_updated(
        self,
        size: Size,
        virtual_size: Size,
        container_size: Size,
        layout: bool = True,  # noqa: FBT001, FBT002  (Textual's way)
    ) -> bool:
        """Another size may suit another form; the next picture shows it already."""
        is_new = super()._size_updated(size, virtual_size, container_size, layout)
        if self.size != self._room:
            self.draw()
        return is_new


def _made_in_peace(drawings: Drawings, form: Form | None, width: int, height: int) -> Scan:
    """The drawing; a large one is no garbage, and to look for some in it holds everybody up."""
    load_in_peace()
    try:
        return drawings.make(form, width, height)
    finally:
        collect_again()
