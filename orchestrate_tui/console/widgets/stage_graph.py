"""The stages of one run as boxes and lines; the arrow keys follow the lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Spacing
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from orchestrate_tui.console.diagram import steering
from orchestrate_tui.console.diagram.layout import BOXED, COMPACT, Box
from orchestrate_tui.console.diagram.scan import Scan, border
from orchestrate_tui.console.durations import NARROW, Clock
from orchestrate_tui.console.graph_boxes import LIGHT_CELLS
from orchestrate_tui.console.lights import LightsByName
from orchestrate_tui.console.marks import UNDONE_GLYPH, light_mark
from orchestrate_tui.console.stage_label import COUNTING, StageLabel, allowed_to_fail, label_of
from orchestrate_tui.console.text import fitted
from orchestrate_tui.console.widgets.graph_canvas import NO_PIPELINE, GraphCanvas
from orchestrate_tui.console.widgets.line_view import Piece
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.domain.run import StageRun

FRAMES_PER_SECOND = 2
MANY_CHANGES = 20
"""From so many changed boxes on, looking through all lines is cheaper."""

SURROUNDINGS = Spacing(0, 6, 0, 6)
"""What is kept in view beside the chosen stage."""


class StageGraphView(GraphCanvas):
    """Shows a pipeline's graph; `show` gives it a run, `update_stages` what became of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "go('left')", "Back", show=False),
        Binding("right,l", "go('right')", "Onwards", show=False),
        Binding("up,k", "go('above')", "Up", show=False),
        Binding("down,j", "go('below')", "Down", show=False),
        Binding("home,g", "go_to(0)", "First stage", show=False),
        Binding("end,G", "go_to(-1)", "Last stage", show=False),
        Binding("b", "switch_form", "Boxes", show=False),
        Binding("enter", "open", "Log", show=False),
    ]

    class StageChosen(Message):
        """The operator went to a stage."""

        def __init__(self, stage_name: str) -> None:
            super().__init__()
            self.stage_name = stage_name

    class StageOpened(Message):
        """The operator wants to see more of the chosen stage."""

    def __init__(self, *, id: str | None = None, clock: Clock = utc_now) -> None:  # noqa: A002
        super().__init__(id=id)
        self.chosen: str | None = None
        self._clock = clock
        self._may_fail: Mapping[str, bool] = {}
        self._stages: Mapping[str, StageRun] = {}
        self._undoing: frozenset[str] = frozenset()
        self._labels: dict[str, StageLabel] = {}
        self._lights: LightsByName = {}
        self._marked: str | None = None
        self._steps: list[str] = []
        self._tick = 0
        self._pulse: Timer | None = None

    def on_mount(self) -> None:
        """Prepare the animation; it only runs while something does."""
        self._pulse = self.set_interval(1 / FRAMES_PER_SECOND, self._beat, pause=True)

    def show(self, pipeline: Pipeline, stages: Sequence[StageRun], chosen: str | None) -> None:
        """Show another run, with a stage chosen."""
        self.take_pipeline(pipeline)
        self._may_fail = allowed_to_fail(pipeline)
        self._lights = {}
        self._steps = []
        self._stages, self._undoing = {stage.stage_name: stage for stage in stages}, frozenset()
        self._labels = {}
        self.chosen = self._marked = chosen if chosen in self._stages else None
        self.draw()
        self._pace()

    def clear(self) -> None:
        """Show no run."""
        self.take_pipeline(NO_PIPELINE)
        self._may_fail = {}
        self._stages, self._labels, self._steps = {}, {}, []
        self.chosen = self._marked = None
        self._undoing = frozenset()
        self.draw()
        self._pace()

    def update_stages(
        self, stages: Sequence[StageRun], undoing: frozenset[str] = frozenset()
    ) -> None:
        """Take over what became of the stages of the run that is shown; `undoing` some of them."""
        before, touched = self._stages, self._undoing ^ undoing
        self._stages, self._undoing = {stage.stage_name: stage for stage in stages}, undoing
        both = ((name, before.get(name), now) for name, now in self._stages.items())
        changed = {name for name, old, now in both if old is not now and old != now}
        self._relabel([*(changed | touched)])
        self._pace()

    def show_lights(self, lights: LightsByName) -> None:
        """Show which stages could be undone."""
        before, self._lights = self._lights, lights
        for name in {*before, *lights}:
            if before.get(name) is not lights.get(name):
                self._refresh_box(name)

    def _take_over(self, scan: Scan) -> None:
        """Go on as the keys said that came before it was known what lies where."""
        super()._take_over(scan)
        steps, self._steps = self._steps, []
        for direction in steps:
            self.action_go(direction)

    def choose(self, stage_name: str) -> None:
        """Put the selection on a stage and bring it into view."""
        self.chosen = stage_name
        self.show_chosen()

    def show_chosen(self) -> None:
        """Draw the selection where it is now, and bring it into view."""
        before, self._marked = self._marked, self.chosen
        for name in (before, self.chosen):
            if name is not None:
                self._refresh_box(name)
        self.reveal()

    def _label(self, name: str) -> StageLabel:
        return label_of(
            self._stages[name],
            may_fail=self._may_fail[name],
            now=self._clock(),
            is_being_undone=name in self._undoing,
        )

    def _counting(self) -> list[str]:
        """The stages whose mark or time goes on."""
        return [
            name
            for name, stage in self._stages.items()
            if stage.status in COUNTING or name in self._undoing
        ]

    def _relabel(self, names: Sequence[str]) -> None:
        """Draw those boxes anew whose label is in view and no longer the same."""
        seen = {name for name in names if name in self._labels and self._is_in_view(name)}
        for name in names:
            if name not in seen:
                self._labels.pop(name, None)
        labels = {name: self._label(name) for name in seen}
        changed = [name for name, label in labels.items() if label != self._labels[name]]
        self._labels.update(labels)
        if len(changed) > MANY_CHANGES and self.is_drawn:
            self.refresh_changed()
        else:
            for name in changed:
                self._refresh_box(name)

    def _is_in_view(self, name: str) -> bool:
        box = self.box(name)
        return box is not None and _region(box).overlaps(
            self.size.region.translate(self.scroll_offset)
        )

    def _pace(self) -> None:
        """Let the animation run exactly while some time goes on."""
        if self._pulse is not None:
            (self._pulse.resume if self._counting() else self._pulse.pause)()

    def _beat(self) -> None:
        self._tick += 1
        counting = self._counting()
        for name in counting:
            if self._drawn_label(name).mark.moves:
                self._refresh_box(name)
        if self._tick % FRAMES_PER_SECOND == 0:
            self._relabel(counting)

    def _refresh_box(self, name: str) -> None:
        box = self.box(name)
        if box is not None:
            self.refresh(_region(box).translate(-self.scroll_offset))

    def reveal(self) -> None:
        """Scroll the chosen stage and a little of its surroundings into view."""
        box = self.box(self.chosen)
        if box is not None:
            self.scroll_to_region(_region(box), spacing=SURROUNDINGS, animate=False, force=True)

    def action_go(self, direction: str) -> None:
        """Choose the next stage in a direction."""
        if self.chosen is None:
            self.action_go_to(0)
        elif not self.is_drawn:
            self._steps.append(direction)
        else:
            step = steering.STEPS[direction]
            self._choose(step(self.scan.layout, self.drawings.graph, self.chosen))

    def action_go_to(self, place: int) -> None:
        """Choose the first stage in the order of the file, or (-1) the last."""
        stages = self.drawings.pipeline.stages
        if stages:
            self._choose(stages[place].name)

    def action_switch_form(self) -> None:
        """Change between boxes and single rows."""
        self.form = COMPACT if self.scan.layout.form is BOXED else BOXED
        self.draw()

    def action_open(self) -> None:
        """Tell that more of the chosen stage is wanted."""
        if self.chosen is not None:
            self.post_message(self.StageOpened())

    def on_click(self, event: events.Click) -> None:
        """Choose the stage that was clicked."""
        place = event.get_content_offset(self)
        if place is None or not self.is_drawn:
            return
        box = self.scan.box_at(*(place + self.scroll_offset))
        if box is not None:
            self._choose(box.name)

    def _choose(self, name: str) -> None:
        """Tell to which stage the operator goes; who goes to where they are means to stay there.

        `show_chosen` draws it, so that one picture shows it and all there is of the stage.
        """
        self.chosen = name
        self.post_message(self.StageChosen(name))

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        row = y + self.scroll_offset.y
        return self.strip(self._pieces(row) if self.is_drawn else self.waiting_pieces(y))

    def _pieces(self, row: int) -> Iterator[Piece]:
        _, start, width, _ = self.picture
        faint = self.look("line--faint")
        for part in self.scan.row(row, start, start + width):
            if isinstance(part, str):
                yield part, faint
            else:
                yield from self._box_pieces(part, row - part.y)

    def _drawn_label(self, name: str) -> StageLabel:
        if name not in self._labels:
            self._labels[name] = self._label(name)
        return self._labels[name]

    def _box_pieces(self, box: Box, line: int) -> Iterator[Piece]:
        label = self._drawn_label(box.name)
        tone = self.look(f"tone--{label.mark.tone}")
        style = tone + self.ground("line--cursor") if box.name == self.chosen else tone
        text = f"{label.mark.frame(self._tick * self.may_move)} {label.name}"
        if box.height == 1:
            yield f" {text} {label.elapsed:>{NARROW}} ", style
            if box.name in self.drawings.at_stake:
                yield self._light(box.name, style)
        elif line == 0 and box.name in self._lights:
            light, ink = self._light(box.name, tone)
            yield "╭ ", tone
            yield light, ink
            yield border(box, line)[LIGHT_CELLS + 2 :], tone
        elif line == box.row - box.y:
            yield "│", tone
            yield f" {fitted(text, box.width - 4)} ", style
            yield "├" if box.left else "│", tone
        else:
            yield border(box, line, label.elapsed.strip()), tone

    def _light(self, name: str, style: Style) -> Piece:
        """Whether a stage could be undone, in `LIGHT_CELLS`; blank while that is not known."""
        light = self._lights.get(name)
        if light is None:
            return " " * LIGHT_CELLS, style
        mark = light_mark(light)
        is_chosen = name == self.chosen
        return f"{UNDONE_GLYPH}{mark.glyph} ", style if is_chosen else self.look(
            f"tone--{mark.tone}"
        )


def _region(box: Box) -> Region:
    return Region(box.x, box.y, box.width, box.height)
