"""What a terminal may send, whatever it means by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import Key, MouseDown, Paste, Resize
from textual.geometry import Size
from textual.message import Message

from orchestrate_tui.console.driver import ConsoleDriver
from orchestrate_tui.console.typed import LARGEST, TypedText, drawn, fitting

NO_PIXELS = "\x1b[48;24;80;0;0t"
SENSELESS = [
    *("\x1b[1114112u", "\x1b[99999999999999999999u", "\x1b[1;1;1114112u"),
    *("\x1b[:u", "\x1b[97;1:3;:u", "\x1b[97:65;2u", "\x1b[7:C", "\x1b[71:105;41::R"),
    *(
        f"{NO_PIXELS}\x1b[<0;3;3M",
        "\x1b[48;0;0;0;0t\x1b[<0;3;3m",
        "\x1b[<0;-1;99999999999999999999M",
    ),
]


def parsed(text: str) -> list[Message]:
    return list(TypedText().feed(text))


@pytest.mark.parametrize("sequence", SENSELESS)
def test_what_makes_no_sense_does_not_keep_away_what_comes_after_it(sequence: str) -> None:
    *_, last = parsed(f"{sequence}x")
    assert isinstance(last, Key)
    assert last.key == "x"


BODIES = st.text(alphabet="0123456789;:<?$\x1b[", max_size=40)
FINALS = st.sampled_from("ABCDEFHIMOPQRSZmtuy~")


@given(st.lists(st.builds(lambda body, final: f"\x1b[{body}{final}", BODIES, FINALS)))
def test_no_sequence_ends_the_thread_that_reads_the_keys(sequences: list[str]) -> None:
    parsed("".join(sequences))


def test_what_makes_sense_is_understood() -> None:
    key, click, paste = parsed("\x1b[122;5u\x1b[<0;3;4M\x1b[200~text\x1b[201~\x1b[<0;3;4m")[:3]
    assert isinstance(key, Key)
    assert key.key == "ctrl+z"
    assert isinstance(click, MouseDown)
    assert (click.x, click.y) == (2, 3)
    assert isinstance(paste, Paste)
    assert paste.text == "text"


def test_a_window_of_any_size_is_drawn_on_as_far_as_a_screen_goes() -> None:
    assert drawn((80, 24)) == Size(80, 24)
    assert drawn((65535, 24)) == Size(LARGEST.width, 24)
    (told,) = parsed("\x1b[48;60000;90000;1;1t")
    fitted = fitting(told)
    assert isinstance(fitted, Resize)
    assert fitted.size == fitted.virtual_size == LARGEST
    (usual,) = parsed("\x1b[48;24;80;480;640t")
    assert fitting(usual) is usual


def test_the_kernels_size_of_the_window_is_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "65535")
    monkeypatch.setenv("LINES", "65535")
    driver = object.__new__(ConsoleDriver)
    assert driver._get_terminal_size() == LARGEST
