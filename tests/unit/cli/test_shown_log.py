"""A log as `logs` prints it."""

from __future__ import annotations

import re
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.cli.logs import _Printer, shown_log
from orchestrate_tui.cli.streams import guarded


def printed(*blocks: bytes, coloured: bool = True, keeps_tabs: bool = False) -> str:
    return "".join(shown_log(blocks, coloured=coloured, keeps_tabs=keeps_tabs))


def test_colours_end_with_their_line() -> None:
    assert printed(b"\x1b[31mred\nplain\n") == "\x1b[0;31mred\x1b[0m\nplain\n"


def test_nothing_else_of_a_sequence_passes() -> None:
    given = b"\x1b[8mx\x1b[2J\x1b]52;c;eA==\x07\x1b[5;31my\r\n"
    assert printed(given) == "x␛[2J␛]52;c;eA==␇\x1b[0;31my\x1b[0m\n"


def test_tabs_stay_for_programs_and_are_spaces_for_people() -> None:
    assert printed(b"a\tb\n", keeps_tabs=True) == "a\tb\n"
    assert printed(b"a\tb\n", keeps_tabs=False) == "a       b\n"


PARTS = [b"\x1b[", b"31", b";1", b"m", b"\x1b", b"\n", b"\r", b"x", "\xfc".encode(), b"\xff", b"\t"]
SIGNS = ["\u0301", "\u0301" * 5, "\u26a0\ufe0f", "\ufe0f", "\u202e", "\U0001f3fb"]
ALL_PARTS = [*PARTS, *map(str.encode, SIGNS), b"\x1b[8m", b"\x1b[K", b"\x1b[1;32mx" * 257]
SETTINGS = st.fixed_dictionaries({"coloured": st.booleans(), "keeps_tabs": st.booleans()})


class PartByPart(_Printer):
    """Takes no short cut."""

    def _at_once(self, text: str) -> str | None:
        return None if text else ""


@given(st.lists(st.sampled_from(ALL_PARTS), max_size=30).map(b"".join), SETTINGS)
def test_whole_lines_are_shown_as_part_by_part(log: bytes, settings: dict[str, bool]) -> None:
    text = log.decode(errors="backslashreplace") + "\n"
    assert _Printer(**settings).shown(text) == PartByPart(**settings).shown(text)


@pytest.mark.parametrize(
    ("line", "most"),
    [
        ("2026-11-22T12:00:01 step 17 compiled in 13 ms\n", 0.3),
        ("\tstep\t17 compiled\r\n", 0.8),
        ("✓ größe 17 … 完了\n", 2.5),
        ("\x1b[32mINFO\x1b[0m step 17 \x1b[1;34mmodule_3\x1b[0m compiled\n", 4.5),
        ("\x1b[01m\x1b[Ksrc/m.c:7:\x1b[m\x1b[K \x1b[01;35m\x1b[Kwarning:\x1b[m\x1b[K unused\n", 6),
    ],
)
def test_to_show_a_log_takes_at_most_a_few_times_as_long_as_to_find_its_characters(
    line: str, most: float
) -> None:
    text = line * (200_000 // len(line))
    block = text.encode()
    floor = quickest(lambda: re.findall(r"(?s).", text))
    assert quickest(lambda: guarded(printed(block))) / floor < most


def quickest(work: Callable[[], object]) -> float:
    """The processor time of the best of a few tries."""

    def seconds() -> float:
        before = process_time()
        work()
        return process_time() - before

    return min(seconds() for _ in range(5))


def test_what_a_taken_out_colour_leaves_together_is_no_colour() -> None:
    assert "\x1b" not in printed(b"\x1b\x1b[1m[31mx\n", coloured=False)


@given(st.lists(st.sampled_from(PARTS), max_size=30).map(b"".join), st.data())
def test_it_does_not_matter_how_a_log_is_cut_into_blocks(log: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=5)))
    blocks = [log[a:b] for a, b in zip([0, *cuts], [*cuts, len(log)], strict=True)]
    assert shown_text(printed(*blocks)) == shown_text(printed(log))


def shown_text(text: str) -> list[tuple[str, str]]:
    """Each character with the colour it has."""
    colour, shown = "0", []
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        if part.startswith("\x1b["):
            colour = part
        else:
            shown += [(one, "0" if colour == "\x1b[0m" else colour) for one in part]
    return shown


@given(st.binary())
def test_only_line_ends_and_colours_are_left(log: bytes) -> None:
    rest = re.sub(r"\x1b\[[0-9;]*m|\n", "", printed(log))
    assert all(one.isprintable() or unicodedata.category(one) == "Zs" for one in rest)
    assert "\x1b" not in printed(log, coloured=False)


def test_a_log_of_any_size_takes_the_memory_of_a_block() -> None:
    def endless_line() -> Iterator[bytes]:
        for _ in range(60):
            yield b"\x1b[31mx" * 10_000

    tracemalloc.start()
    for _ in shown_log(endless_line(), coloured=True, keeps_tabs=False):
        pass
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
