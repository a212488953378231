from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrate_tui.console import log_search
from orchestrate_tui.console.log_file import LogFile
from orchestrate_tui.console.log_search import WINDOW_BYTES, LogSearch
from orchestrate_tui.console.log_text import LINE_BYTES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "build.1.log"


def found(path: Path, text: str, start: int, *, forward: bool = True) -> int | None:
    """The line that is found from a line on."""
    log = LogFile(path)
    while log.catch_up():
        pass
    place = LogSearch(path, text).find(log.place(start), log.size_bytes, forward=forward)
    return None if place is None else log.line_at(place)


def test_the_nearest_line_is_found_in_both_directions(path: Path) -> None:
    path.write_text("".join(f"{n} {'ERROR' if n in (3, 1500) else 'ok'}\n" for n in range(2000)))
    assert found(path, "error", 4) == 1500
    assert found(path, "error", 1500) == 1500
    assert found(path, "error", 1499, forward=False) == 3
    assert found(path, "error", 3, forward=False) == 3
    assert found(path, "error", 1501) is None
    assert found(path, "error", 2, forward=False) is None
    assert found(path, "error", 5000) is None
    assert found(path, "error", -1, forward=False) is None


def test_lines_are_found_in_every_window_of_a_long_log(path: Path) -> None:
    lines = [b"x" * (number % 90) + b" line %d." % number for number in range(100_000)]
    path.write_bytes(b"\n".join(lines))
    assert path.stat().st_size > 4 * WINDOW_BYTES
    for number in (0, 23_111, 52_222, 99_999):
        assert found(path, f"LINE {number}.", 0) == number
        assert found(path, f"LINE {number}.", 99_999, forward=False) == number


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"an \x1b[31merr\x1b[0mor", "error"),
        (b"a\tb", "a       b"),
        ("Straße".encode(), "STRASSE"),
        (b"ring \x07 it", "␇"),
        (b"raw \xff", r"\xff"),
        (b"ends so\r", "so"),
        ("rtl \u202e".encode(), "u+202e"),
    ],
)
def test_what_is_shown_is_what_is_searched(path: Path, line: bytes, text: str) -> None:
    path.write_bytes(b"other\n" + line + b"\nother\n")
    assert found(path, text, 0) == 1


def test_what_is_cut_off_is_not_found(path: Path) -> None:
    path.write_bytes(b"x" * LINE_BYTES + b" hidden\nlast hidden\n")
    assert found(path, "hidden", 0) == 1


@given(
    parts=st.lists(st.sampled_from([b"a", b"ab", b"\n", b"\n", b"A\x1b[1mB", b"\t", "é".encode()])),
    text=st.sampled_from(["a", "b", "ab", "é", "zz"]),
    start=st.integers(0, 30),
    forward=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_finds_what_looking_at_every_line_finds(
    path: Path, *, parts: list[bytes], text: str, start: int, forward: bool
) -> None:
    path.write_bytes(b"".join(parts))
    log = LogFile(path)
    log.catch_up()
    lines = log.lines(0, 100)
    start = min(start, max(len(lines) - 1, 0))
    numbers = range(start, len(lines)) if forward else range(start if lines else -1, -1, -1)
    expected = next((number for number in numbers if text in lines[number].casefold()), None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_search, "WINDOW_BYTES", 5)
        assert found(path, text, start, forward=forward) == expected


def test_a_search_that_is_stopped_finds_nothing(path: Path) -> None:
    path.write_text("here\n")
    search = LogSearch(path, "here")
    search.stop()
    assert search.find(0, 5, forward=True) is None
