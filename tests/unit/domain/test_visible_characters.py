"""No character from outside stays unseen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.domain.text import visible


@pytest.mark.parametrize("text", ["", "deploy[prod] ~ $x", "größer → 日本語 ✓", "a\u00a0b"])
def test_text_that_can_be_seen_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "␛[2J"),
        ("a\tb\r\n", "a␉b␍␊"),
        ("\x00", "␀"),
        ("\x7f", "␡"),
        ("\x9b2J", "<U+009B>2J"),
        ("safe\u202egnp", "safe<U+202E>gnp"),
        ("a\u200bb", "a<U+200B>b"),
        ("a\u2028b", "a<U+2028>b"),
        ("\ud800", "<U+D800>"),
        ("\ue000", "<U+E000>"),
        ("\U000e0041", "<U+E0041>"),
        ("\ufe0f", "<U+FE0F>"),
    ],
)
def test_what_steers_a_terminal_or_hides_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "character",
    list("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180d\u180f\u3164\uffa0\U000e0100\U000e01ef"),
)
def test_letters_and_marks_that_draw_nothing_are_shown(character: str) -> None:
    assert visible(f"a{character}b") == f"a<U+{ord(character):04X}>b"


@given(st.text())
def test_nothing_invisible_is_left_and_nothing_changes_twice(text: str) -> None:
    shown = visible(text)
    assert not {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} & set(map(unicodedata.category, shown))
    assert visible(shown) == shown
