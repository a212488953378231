from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.console.diagram.edges import DOWN, GLYPHS, LEFT, RIGHT, UP, Edges
from orchestrate_tui.console.diagram.layout import BOXED, COMPACT, Form, Layout, lay_out
from orchestrate_tui.console.diagram.steering import STEPS
from orchestrate_tui.console.graph_text import render_graph
from orchestrate_tui.domain.graph import StageGraph

SIDES = {glyph: sides for sides, glyph in GLYPHS.items()}
STEP = {UP: (0, -1), DOWN: (0, 1), RIGHT: (1, 0), LEFT: (-1, 0)}
BACK = {UP: DOWN, DOWN: UP, RIGHT: LEFT, LEFT: RIGHT}


def graph_of(**dependencies: str) -> StageGraph:
    return StageGraph(
        tuple(dependencies), {name: tuple(text.split()) for name, text in dependencies.items()}
    )


def picture(form: Form, **dependencies: str) -> str:
    graph = graph_of(**dependencies)
    return "\n".join(render_graph(graph, {name: f"● {name}" for name in graph.names}, form))


def reached(lines: list[str], layout: Layout, name: str) -> set[str]:
    """The stages that a reader comes to who follows the line of `name` and never turns left."""
    arrows = {(box.x - 1, box.row): box.name for box in layout.boxes.values() if box.entered}
    box = layout.boxes[name]
    waiting, seen, found = [(box.x + box.width, box.row, RIGHT)], set(), set()
    while waiting:
        x, y, heading = waiting.pop()
        if (x, y) in arrows:
            found.add(arrows[x, y])
            continue
        if (x, y, heading) in seen:
            continue
        seen.add((x, y, heading))
        for side in exits(lines[y][x], heading):
            dx, dy = STEP[side]
            waiting.append((x + dx, y + dy, side))
    return found


def exits(glyph: str, heading: int) -> list[int]:
    sides = SIDES[glyph]
    if not sides & BACK[heading]:
        assert glyph == "│", f"a line runs into {glyph}"
        return [heading]
    return [side for side in (UP, DOWN, RIGHT) if sides & side and side != BACK[heading]]


@st.composite
def graphs(draw: st.DrawFn) -> StageGraph:
    names = [f"s{number}" for number in range(draw(st.integers(1, 14)))]
    dependencies: dict[str, tuple[str, ...]] = {}
    for position, name in enumerate(names):
        above = names[:position]
        chosen = draw(st.sets(st.sampled_from(above), max_size=4)) if above else set()
        dependencies[name] = tuple(sorted(chosen, key=above.index))
    return StageGraph(tuple(names), dependencies)


forms = st.sampled_from([BOXED, COMPACT])


@given(graphs(), forms)
def test_following_a_line_leads_to_exactly_the_stages_that_wait(
    graph: StageGraph, form: Form
) -> None:
    lines = render_graph(graph, form=form)
    layout = lay_out(graph, {name: len(name) for name in graph.names}, form)
    full = [line.ljust(layout.width) for line in lines]
    for name in graph.names:
        expected = set(graph.dependants[name])
        if expected:
            assert reached(full, layout, name) == expected
        else:
            box = layout.boxes[name]
            assert full[box.row][box.x + box.width :][:1] in {"", " "}


@given(graphs(), forms)
def test_boxes_never_overlap_and_stand_right_of_what_they_wait_for(
    graph: StageGraph, form: Form
) -> None:
    layout = lay_out(graph, {name: len(name) for name in graph.names}, form)
    for layer in layout.layers:
        for above, below in pairwise(layout.boxes[name] for name in layer):
            assert above.y + above.height <= below.y
    for name, dependencies in graph.dependencies.items():
        for other in dependencies:
            before, box = layout.boxes[other], layout.boxes[name]
            assert before.x + before.width < box.x
    for box in layout.boxes.values():
        assert box.y >= 0
        assert box.y + box.height <= layout.height
        assert box.x + box.width <= layout.width


@given(
    spans=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), max_size=9),
    start=st.integers(0, 60),
    width=st.integers(0, 30),
)
def test_a_part_of_a_row_shows_the_lines_that_the_whole_row_does(
    spans: list[tuple[int, int]], start: int, width: int
) -> None:
    edges = Edges.of([(0, first, first + length) for first, length in spans], ())
    assert edges.text(0, start, start + width) == edges.text(0, 0, 90)[start : start + width]
    drawn = {x for first, length in spans for x in range(first, first + length)}
    assert {x for x, cell in enumerate(edges.text(0, 0, 90)) if cell == "─"} == drawn


def test_a_chain_is_one_straight_line() -> None:
    assert picture(COMPACT, a="", b="a", c="b") == " ● a ─▶ ● b ─▶ ● c"


def test_a_diamond_keeps_its_first_branch_straight() -> None:
    expected = """\
╭─────╮    ╭─────╮    ╭─────╮
│ ● a ├─┬─▶│ ● b ├─┬─▶│ ● d │
╰─────╯ │  ╰─────╯ │  ╰─────╯
        │  ╭─────╮ │
        ╰─▶│ ● c ├─╯
           ╰─────╯"""
    assert picture(BOXED, a="", b="a", c="a", d="b c") == expected


def test_a_fan_of_stages_that_meet_again_shares_one_line() -> None:
    expected = """\
      ╭▶ ● b ─╮
 ● a ─┼▶ ● c ─┼▶ ● f
      ├▶ ● d ─┤
      ╰▶ ● e ─╯"""
    assert picture(COMPACT, a="", b="a", c="a", d="a", e="a", f="b c d e") == expected


def test_groups_that_wait_for_each_other_as_a_whole_share_one_line() -> None:
    expected = """\
 ● a ─┬▶ ● c
 ● b ─┴▶ ● d"""
    assert picture(COMPACT, a="", b="", c="a b", d="a b") == expected


def test_a_delivery_pipeline_is_drawn_without_a_crossing() -> None:
    expected = """\
                                   ╭▶ ● load ─┬▶ ● prod ─▶ ● check
 ● build ─┬▶ ● staging ─▶ ● smoke ─┴──────────┤
          ╰▶ ● scan ──────────────────────────╯"""
    drawn = picture(
        COMPACT,
        build="",
        staging="build",
        scan="build",
        smoke="staging",
        load="smoke",
        prod="load smoke scan",
        check="prod",
    )
    assert drawn == expected


def test_a_line_crosses_another_over_a_bridge() -> None:
    expected = """\
               ╭─────╮
        ╭─┬───▶│ ● u │
        │ │    ╰─────╯
╭─────╮ │ │    ╭─────╮
│ ● a ├─┴─│─┬─▶│ ● t │
╰─────╯ ╭─╯ │  ╰─────╯
╭─────╮ │   │  ╭─────╮
│ ● b ├─┴─┬─│─▶│ ● v │
╰─────╯ ╭─╯ │  ╰─────╯
╭─────╮ │   │
│ ● c ├─┴───╯
╰─────╯"""
    assert picture(BOXED, a="", b="", c="", t="a c", u="a b", v="b c") == expected


def test_control_characters_in_a_name_are_drawn_as_visible_ones() -> None:
    graph = StageGraph(("a\x1b[2J",), {"a\x1b[2J": ()})
    assert render_graph(graph, form=COMPACT) == [" a␛[2J"]


def test_wide_characters_take_two_cells() -> None:
    graph = StageGraph(("構築", "b"), {"構築": (), "b": ("構築",)})
    assert render_graph(graph)[0] == "╭──────╮   ╭───╮"


def test_a_graph_without_stages_has_no_lines() -> None:
    assert render_graph(StageGraph((), {})) == []


@pytest.mark.parametrize("form", [BOXED, COMPACT])
def test_a_thousand_stages_in_a_row_are_laid_out(form: Form) -> None:
    names = tuple(f"s{number}" for number in range(1000))
    graph = StageGraph(names, {n: names[i - 1 : i] if i else () for i, n in enumerate(names)})
    layout = lay_out(graph, {name: len(name) for name in names}, form)
    assert len(layout.boxes) == 1000
    assert layout.height == form.height


def walk(graph: StageGraph, start: str, *directions: str) -> list[str]:
    layout = lay_out(graph, {name: len(name) for name in graph.names}, COMPACT)
    places, name = [], start
    for direction in directions:
        name = STEPS[direction](layout, graph, name)
        places.append(name)
    return places


def test_steps_to_the_right_and_left_follow_the_lines() -> None:
    graph = graph_of(a="", b="a", c="a", d="c")
    assert walk(graph, "a", "right", "right", "left", "left") == ["b", "d", "c", "a"]
    assert walk(graph, "d", "right") == ["d"]


def test_steps_up_and_down_reach_every_stage() -> None:
    graph = graph_of(a="", b="a", c="a", d="c")
    assert walk(graph, "a", "below", "below", "above", "above") == ["c", "c", "b", "b"]
