"""Which colours of a log are shown, and that nothing else of it steers the screen."""

from __future__ import annotations

import unicodedata
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.console.log_text import LINE_BYTES, MOST_CHANGES, pieces_of, plain_text_of
from orchestrate_tui.console.sgr import (
    LEAST_CONTRAST,
    PLAIN,
    Look,
    changed,
    contrast,
    legible,
    parameters,
    rgb,
)

INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
DARK, LIGHT = (18, 18, 18), (245, 245, 245)
HOSTILE_LINES = [
    b"\x1b[1;31m" * 200_000,
    b"\x1b[1mx" * 200_000,
    b"\x1b[38;2;1;2;3m" * 100_000,
    b"\x1b[" * 500_000,
    b"\x1b[0;0;0;0" * 100_000,
    b"\x1b]8;;" * 200_000,
    b"\x1b[" + b"9" * 1_000_000 + b"m",
    b"e" + "\u0301".encode() * 500_000,
]


def test_a_line_is_read_as_pieces_with_their_looks() -> None:
    assert pieces_of(b"a \x1b[1;31mred\x1b[22m\x1b[44m on blue\x1b[0m!\n") == [
        ("a ", PLAIN),
        ("red", Look(text=1, bold=True)),
        (" on blue", Look(text=1, ground=4)),
        ("!", PLAIN),
    ]


@pytest.mark.parametrize(
    ("codes", "look"),
    [
        ("", PLAIN),
        ("2;3;4;7", Look(dim=True, italic=True, underline=True, reverse=True)),
        ("97;100", Look(text=15, ground=8)),
        ("38;5;208;48;2;1;2;3", Look(text=208, ground=(1, 2, 3))),
        ("31;39;1;22", PLAIN),
        ("38;5;256", PLAIN),
        ("38;2;1;2", PLAIN),
        ("38", PLAIN),
        ("4:3;38:2::1:2:3", PLAIN),
        ("5;6;8;9;10;21;51;53;73", PLAIN),
    ],
)
def test_what_sets_no_colour_or_weight_does_not_count(codes: str, look: Look) -> None:
    assert changed(PLAIN, codes) == look


def test_hidden_text_is_seen() -> None:
    [(text, look)] = pieces_of(b"\x1b[8;5mhidden")
    assert (text, look) == ("hidden", PLAIN)


@pytest.mark.parametrize(
    "look",
    [
        Look(text=0),
        Look(text=15),
        Look(text=(19, 19, 19)),
        Look(text=1, ground=1),
        Look(text=(10, 20, 30), ground=(11, 21, 31)),
        Look(ground=0),
        Look(ground=15),
        Look(ground=245, reverse=True),
    ],
)
@pytest.mark.parametrize("screen", [DARK, LIGHT])
def test_text_in_the_colour_of_what_is_behind_it_is_seen(
    look: Look, screen: tuple[int, int, int]
) -> None:
    shown = legible(look, screen)
    behind = rgb(shown.ground) if shown.ground is not None else screen
    assert shown.text is None or contrast(rgb(shown.text), behind) >= LEAST_CONTRAST
    assert shown.ground is None or shown.text is not None


@pytest.mark.parametrize(
    ("look", "codes"),
    [
        (Look(text=2), "0;32"),
        (Look(text=0), "0"),
        (Look(text=15, bold=True), "0;1"),
        (Look(text=8), "0;2"),
        (Look(text=(1, 1, 1)), "0"),
        (Look(text=(200, 100, 50)), "0;38;2;200;100;50"),
        (Look(text=1, ground=1), "0;97;41"),
        (Look(ground=11), "0;30;103"),
    ],
)
def test_on_an_unknown_screen_a_colour_must_be_legible_on_any(look: Look, codes: str) -> None:
    assert parameters(legible(look, None)) == codes


COLOURS = st.none() | st.integers(0, 255) | st.tuples(*[st.integers(0, 255)] * 3)


@given(st.builds(Look, text=COLOURS, ground=COLOURS, bold=st.booleans(), dim=st.booleans()))
def test_the_written_parameters_lead_to_the_look(look: Look) -> None:
    assert changed(Look(underline=True, text=3), parameters(look)) == look


def test_tabs_become_spaces_across_colours() -> None:
    assert [text for text, _ in pieces_of(b"ab\x1b[31mc\td\x1b[0m\te")] == [
        "ab",
        "c     d",
        "       e",
    ]


def test_a_sign_is_shown_with_or_without_its_wish_for_colours() -> None:
    assert plain_text_of("\u26a0\ufe0f a\ufe0f".encode()) == "\u26a0 a<U+FE0F>"


@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                b"\x1b[",
                b"31",
                b";",
                b"m",
                b"\x1b",
                b"8",
                b"\x9b",
                "\x9b".encode(),
                b"x",
                b"\t",
                b"\r",
                "\u202e".encode(),
            ]
        )
    ).map(b"".join)
)
def test_pieces_say_the_same_as_the_plain_text_and_steer_nothing(line: bytes) -> None:
    pieces = pieces_of(line)
    text = "".join(text for text, _ in pieces)
    assert not INVISIBLE & set(map(unicodedata.category, text))
    assert text == plain_text_of(line)


@pytest.mark.parametrize("line", HOSTILE_LINES, ids=lambda line: repr(line[:6]))
def test_a_line_of_a_million_bytes_costs_no_more_than_its_start(line: bytes) -> None:
    begun = perf_counter()
    pieces = pieces_of(line[:LINE_BYTES])
    assert perf_counter() - begun < 2.0
    assert len(pieces) <= MOST_CHANGES + 2
    assert pieces[-1][0].endswith("not shown)")
