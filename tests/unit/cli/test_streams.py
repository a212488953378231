"""What commands may print."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrate_tui.cli.streams import guarded


@pytest.mark.parametrize(
    "text", ["", "plain\n", "größer → ✓\n", "\x1b[32m✓\x1b[0m fine\n", "\x1b[1;38;5;208mx\x1b[0m"]
)
def test_lines_and_colours_are_printed(text: str) -> None:
    assert guarded(text) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a\tb\r\n", "a␉b␍\n"),
        ("\x1b[8mhidden\x1b[5m", "␛[8mhidden␛[5m"),
        ("\x1b[1;8m", "␛[1;8m"),
        ("\x1b[38;2;1;2mx", "␛[38;2;1;2mx"),
        ("\x1b]0;title\x07\x9b2J\u202e\ud800", "␛]0;title␇<U+009B>2J<U+202E><U+D800>"),
    ],
)
def test_everything_else_is_printed_as_signs(text: str, printed: str) -> None:
    assert guarded(text) == printed


DEFECT = """
from orchestrate_tui.cli.streams import prepare_streams
prepare_streams()
prepare_streams()
print("to \\x1b[2Jall", "\\ttabs", sep="")
raise KeyError("\\x1b]0;title\\x07")
"""


def test_even_the_traceback_of_a_defect_is_harmless() -> None:
    broken = f"class Odd(Exception): pass\n{DEFECT}".replace("KeyError", "Odd")
    done = subprocess.run([sys.executable, "-c", broken], capture_output=True, check=False)
    assert done.stdout.decode() == "to ␛[2Jall␉tabs\n"
    assert "Odd: ␛]0;title␇" in done.stderr.decode()
    assert not {0x1B, 0x07} & {*done.stdout, *done.stderr}
