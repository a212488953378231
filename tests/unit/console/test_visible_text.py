from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import get_character_cell_size

from orchestrate_tui.console.text import MOST_SHOWN, cell_width, fitted, shortened, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("\x1b[2J", "␛[2J"),
        ("a\tb\r\n", "a␉b␍␊"),
        ("\x7f", "␡"),
        ("\x9b2J", "<U+009B>2J"),
        ("admin\u202enimda", "admin<U+202E>nimda"),
        ("a\u200bb", "a<U+200B>b"),
        ("構築 ✓ é", "構築 ✓ é"),
    ],
)
def test_what_would_move_hide_or_reorder_text_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_visible_text_holds_no_control_or_format_character(text: str) -> None:
    assert not {unicodedata.category(one) for one in visible(text)} & {"Cc", "Cf", "Cs", "Zl"}


@given(st.text(), st.integers(0, 30))
def test_fitted_text_takes_exactly_its_cells(text: str, width: int) -> None:
    assert cell_width(fitted(visible(text), width)) == width


def test_of_a_very_long_text_the_beginning_is_shown() -> None:
    assert visible("x" * MOST_SHOWN) == "x" * MOST_SHOWN
    assert visible("\x1b" * 1_000_000) == "␛" * MOST_SHOWN + "… (1,000,000 characters)"


def test_every_visible_character_is_as_wide_here_as_for_the_library_that_draws_it() -> None:
    characters = map(chr, range(0x20000))
    seen = [one for one in characters if visible(f"a{one}") == f"a{one}"]
    assert [one for one in seen if cell_width(one) != get_character_cell_size(one)] == []


def test_text_that_is_too_long_ends_in_an_ellipsis() -> None:
    assert shortened("deploy-staging", 8) == "deploy-…"
    assert shortened("構築構築", 6) == "構築…"
