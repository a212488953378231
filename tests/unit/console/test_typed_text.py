"""What a terminal may send, whatever it means by it."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import Key, MouseDown, Paste, Resize
from textual.geometry import Size
from textual.message import Message

from orchestrate_tui.console.driver import UNKNOWN_SIZE, ConsoleDriver
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


@pytest.mark.parametrize("size", [1, 2, 3, 5, 99])
def test_nothing_that_is_pasted_is_a_key(size: int) -> None:
    typed = "a\x1b[200~x\x1b(0qR\x1b\x1b[B\x1b[20\x1b[201~b\x1b[2~\x1b[200~ok\x1b[201~c"
    parser = TypedText()
    pieces = (typed[at : at + size] for at in range(0, len(typed), size))
    found = [message for piece in pieces for message in parser.feed(piece)]
    keys = [message.key for message in found if isinstance(message, Key)]
    assert keys == ["a", "b", "insert", "c"]
    pasted = [message.text for message in found if isinstance(message, Paste)]
    assert pasted == ["x(0qR[B[20", "ok"]


@pytest.mark.parametrize("at", range(1, 16))
def test_no_pause_within_a_paste_makes_keys_of_it(at: int) -> None:
    typed = "\x1b[200~R\r\x1b[201~b"
    parser = TypedText()
    found = list(parser.feed(typed[:at]))
    parser._timeout_time = None if parser._timeout_time is None else 0.0  # it is long over
    found += [*parser.tick(), *parser.feed(typed[at:])]
    assert [message.text for message in found if isinstance(message, Paste)] == ["R\r"]
    keys = [message.key for message in found if isinstance(message, Key)]
    assert not {"R", "enter", "tilde"} & set(keys)
    assert keys[-1] == "b"


def test_a_key_before_a_paste_is_a_key() -> None:
    for pieces in (["\x1b\x1b[200~x\x1b[201~"], ["\x1b", "\x1b[200~x\x1b[201~"]):
        parser = TypedText()
        key, paste = [message for piece in pieces for message in parser.feed(piece)]
        assert isinstance(key, Key)
        assert key.key == "escape"
        assert isinstance(paste, Paste)
        assert paste.text == "x"


def test_a_read_without_a_whole_character_is_not_the_end_of_all_input() -> None:
    parser = TypedText()
    assert list(parser.feed("")) == []
    assert [message.key for message in parser.feed("x") if isinstance(message, Key)] == ["x"]


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


def test_a_terminal_that_knows_no_size_is_drawn_on_like_a_small_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    driver = object.__new__(ConsoleDriver)
    assert driver._get_terminal_size() == UNKNOWN_SIZE
