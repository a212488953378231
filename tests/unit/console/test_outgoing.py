"""What may leave the console for the terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.console.outgoing import guarded

FRAME = "\x1b[?2026h\x1b[3;1H\x1b[1;38;2;10;20;30;48;2;0;0;0m│ größer 構築\x1b[0m\n\x1b[?2026l"


def test_what_draws_the_screen_passes() -> None:
    assert guarded(FRAME) == FRAME


@pytest.mark.parametrize(
    "mode",
    ["\x1b[?1049h", "\x1b[?25l", "\x1b[?2026$p", "\x1b[>29u", "\x1b[<u", "\x1b[?1003l", "\x07"],
)
def test_what_sets_the_terminal_up_passes(mode: str) -> None:
    assert guarded(mode) == mode


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\x1b]0;title\x07b", "a␛]0;title␇b"),
        ("a\x1b]8;;http://x\x1b\\b", "a␛]8;;http://x␛\\b"),
        ("\x1b[2J", "␛[2J"),
        ("\x1b[5A\x1b[6n\x1b[c\x1b[21t", "␛[5A␛[6n␛[c␛[21t"),
        ("\x1bc\x1bP1q\x1b_x", "␛c␛P1q␛_x"),
        ("\x1b[?3h\x1b[?5h", "␛[?3h␛[?5h"),
        ("\x9b2J\u202ea\u200b\U000e0041\r\x7f", "<U+009B>2J<U+202E>a<U+200B><U+E0041>␍␡"),
        ("\ud800", "<U+D800>"),
        ("\x1b", "␛"),
    ],
)
def test_what_would_do_more_is_seen_instead(text: str, written: str) -> None:
    assert guarded(text) == written


@pytest.mark.parametrize("command", ["\x1b]52;c;eA==\x07", "\x1b]22;pointer\x07"])
def test_neither_clipboard_nor_pointer_is_ever_set(command: str) -> None:
    assert guarded(command) == ""


@given(
    st.text(st.sampled_from("\x1b[]?;0123456789mHhJAc\x07\x9b\u202ex")).map(lambda text: f"x{text}")
)
def test_every_sequence_that_passes_colours_or_places(text: str) -> None:
    rest = re.sub(r"\x1b\[([0-9;]*m|[0-9]+;[0-9]+H|\?[0-9]+h)", "", guarded(text))
    assert not set(rest) & set("\x1b\x07\x9b\u202e")
