from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrate_tui.console.log_file import BLOCK_BYTES, LogFile
from orchestrate_tui.console.log_text import LINE_BYTES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "build.1.log"


def opened(path: Path) -> LogFile:
    log = LogFile(path)
    while log.catch_up():
        pass
    return log


def test_a_log_that_does_not_exist_yet_has_no_lines(path: Path) -> None:
    log = opened(path)
    assert (log.exists, log.line_count, log.lines(0, 5)) == (False, 0, [])


def test_lines_that_are_written_later_are_found(path: Path) -> None:
    path.write_text("one\ntw")
    log = opened(path)
    assert log.lines(0, 5) == ["one", "tw"]
    with path.open("a") as file:
        file.write("o\nthree\n")
    assert log.catch_up()
    assert log.lines(0, 5) == ["one", "two", "three"]
    assert not log.catch_up()


def test_a_log_that_was_replaced_is_read_from_its_start(path: Path) -> None:
    path.write_text("one\ntwo\nthree\n")
    log = opened(path)
    path.unlink()
    path.write_text("new\n")
    assert log.catch_up()
    assert log.lines(0, 5) == ["new"]


def test_lines_are_found_across_blocks(path: Path) -> None:
    lines = [f"line {number} {'x' * (number % 97)}" for number in range(20_000)]
    path.write_text("\n".join(lines))
    log = opened(path)
    assert log.size_bytes > 10 * BLOCK_BYTES
    assert log.line_count == len(lines)
    for first in (0, 1, 1_333, 9_999, 19_998):
        assert log.lines(first, 3) == lines[first : first + 3]


@given(st.binary(max_size=300), st.integers(1, 50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_counts_lines_however_they_arrive(path: Path, data: bytes, step: int) -> None:
    path.unlink(missing_ok=True)
    log = LogFile(path)
    for end in range(0, len(data) + step, step):
        path.write_bytes(data[:end])
        log.catch_up()
    expected = data.split(b"\n")
    assert log.line_count == len(expected) - (expected[-1] == b"")
    assert len(log.lines(0, 1000)) == log.line_count


def test_a_line_without_end_is_cut_and_the_next_one_is_still_found(path: Path) -> None:
    path.write_bytes(b"x" * (3 * BLOCK_BYTES) + b"\nlast\n")
    log = opened(path)
    long, last = log.lines(0, 2)
    assert long.startswith("x" * LINE_BYTES)
    assert long.endswith("not shown)")
    assert last == "last"


def test_colours_are_left_out_and_other_sequences_are_shown(path: Path) -> None:
    path.write_bytes(b"\x1b[1;31mred\x1b[0m\ta \x1b]52;c;eA==\x07 \xff\r\n")
    assert opened(path).lines(0, 1) == ["red     a ␛]52;c;eA==␇ \\xff"]


def test_a_long_log_is_known_from_its_end_and_its_beginning_follows(path: Path) -> None:
    lines = [f"line {number} {'x' * (number % 97)}" for number in range(60_000)]
    path.write_text("\n".join(lines))
    log = LogFile(path)
    log.catch_up()
    unknown = first = len(lines) - log.line_count
    assert first > 0
    assert log.lines(0, 3) == lines[first : first + 3]
    assert log.lines(log.line_count - 3, 5) == lines[-3:]
    assert log.place(-1) == log.place(0) - 1
    assert log.place(log.line_count) == log.size_bytes == path.stat().st_size
    while log.unknown_bytes:
        log.catch_up(most_bytes=3 * BLOCK_BYTES)
        first = len(lines) - log.line_count
        assert log.lines(0, 3) == lines[first : first + 3]
    assert log.line_count == len(lines)
    assert log.prepended == unknown
    for number in (0, 1, 33_333, 59_999):
        assert log.line_at(log.place(number)) == number


def test_a_long_log_that_grows_keeps_its_numbers(path: Path) -> None:
    path.write_bytes(b"".join(b"%08d\n" % number for number in range(200_000)))
    log = LogFile(path)
    log.catch_up()
    first = int(log.lines(0, 1)[0])
    with path.open("ab") as file:
        file.write(b"more\n")
    while log.catch_up():
        pass
    assert log.prepended == first
    assert log.lines(200_000, 2) == ["more"]
    assert log.lines(first, 1) == [f"{first:08}"]


def test_lines_are_found_in_a_log_that_grew_across_blocks(path: Path) -> None:
    lines = [b"%d %s\n" % (number, b"x" * (number % 97)) for number in range(6_000)]
    log = LogFile(path)
    with path.open("ab") as file:
        for first in range(0, len(lines), 150):
            file.writelines(lines[first : first + 150])
            file.flush()
            log.catch_up()
    assert log.size_bytes > 4 * BLOCK_BYTES
    for number in (0, 1_333, 2_999, 5_998):
        assert log.raw_lines(number, 2) == lines[number : number + 2]


def test_a_line_longer_than_what_is_known_appears_with_its_beginning(path: Path) -> None:
    path.write_bytes(b"first\n" + b"x" * (40 * BLOCK_BYTES))
    log = LogFile(path)
    log.catch_up()
    assert log.line_count == 0
    while log.catch_up():
        pass
    assert log.line_count == 2
    assert log.lines(0, 1) == ["first"]


def test_a_log_that_cannot_be_read_says_why(path: Path) -> None:
    path.mkdir()
    log = opened(path)
    assert log.lines(0, 1) == []
    assert log.trouble == "The log cannot be read: Is a directory"
    path.rmdir()
    log.catch_up()
    assert log.trouble == ""


def test_of_a_log_that_was_cut_off_meanwhile_nothing_is_read(path: Path) -> None:
    path.write_text("line\n" * 1000)
    log = opened(path)
    path.write_text("line\n")
    assert log.lines(500, 3) == []
    assert log.place(500) == -1
