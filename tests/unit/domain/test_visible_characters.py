"""No character from outside stays unseen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.domain.text import (
    MANY,
    MOST_MARKS,
    harmless,
    takes_no_cell,
    visible,
    visible_in_parts,
)


@pytest.mark.parametrize("text", ["", "deploy[prod] ~ $x", "größer → 日本語 ✓", "a\u00a0b"])
def test_text_that_can_be_seen_stays(text: str) -> None:
    assert visible(text) == text == harmless(text)


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Việt Nam कि", "Việt Nam कि"),
        ("e" + "\u0301" * 5 + "!", "e" + "\u0301" * 4 + "<U+0301>!"),
        ("\u0301 is not", "<U+0301> is not"),
        ("\u1161\u11a8", "<U+1161><U+11A8>"),
        ("👍\U0001f3fd done", "👍<U+1F3FD> done"),
    ],
)
def test_a_tower_of_marks_is_cut_and_a_mark_needs_a_character(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_any_number_of_different_characters_is_shown() -> None:
    private = [chr(0xE000 + number) for number in range(MANY + 1)]
    assert visible("".join(private)) == "".join(map(visible, private))


@pytest.mark.parametrize("text", ["plain", "a\x00\nb", "e\u0301\n\x1b[1mx\u202e", "\n\n"])
def test_parts_are_shown_together_as_each_by_itself(text: str) -> None:
    assert visible_in_parts(text, "\n") == "\n".join(map(visible, text.split("\n")))


@pytest.mark.parametrize("text", ["\u0301", "a\n\u0301", "\x1b[1m\u0301", "e" + "\u0301" * 5])
def test_marks_that_stand_on_nothing_or_pile_up_are_left_to_a_closer_look(text: str) -> None:
    assert visible_in_parts(text, "\n\x1b") is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\u200bb\x1b[1m", "ab[1m"),
        ("a\ue000b", "a\ufffdb"),
        ("e" + "\u0301" * 5 + "!", "e" + "\u0301" * 4 + "!"),
    ],
)
def test_what_is_laid_out_keeps_its_cells_and_loses_what_takes_none(text: str, kept: str) -> None:
    assert harmless(text) == kept


INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
NASTY = st.text() | st.text(
    st.sampled_from("ae \n\x1b\x9b\u0301\u0327\u20dd\u202e\u200b\ufe0f\ud800")
)


def has_tower(text: str) -> bool:
    return any(
        all(map(takes_no_cell, text[end - MOST_MARKS : end + 1]))
        for end in range(MOST_MARKS, len(text))
    )


@given(NASTY)
def test_nothing_invisible_is_left_and_nothing_changes_twice(text: str) -> None:
    shown = visible(text)
    assert not INVISIBLE & set(map(unicodedata.category, shown))
    assert visible(shown) == shown
    assert not has_tower(shown)


@given(st.text(st.characters(categories=("L", "N", "P", "S"), max_codepoint=0x2FF)))
def test_what_can_be_seen_is_kept_as_it_is(text: str) -> None:
    assert visible(text) == text == harmless(text)


@given(NASTY)
def test_what_is_laid_out_loses_only_what_cannot_be_seen(text: str) -> None:
    kept = harmless(text)
    assert not INVISIBLE & set(map(unicodedata.category, kept))
    assert harmless(kept) == kept
    assert not has_tower(kept)
    assert len(kept) <= len(text)
