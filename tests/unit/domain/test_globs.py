"""Globs of branches and paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.domain.globs import matches


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("main", "main"),
        ("*", "main"),
        ("*", ""),
        ("release/*", "release/1.2"),
        ("src/*.py", "src/app.py"),
        ("src/*/test_*.py", "src/unit/test_app.py"),
        ("v?", "v1"),
        ("**", "a/b/c"),
        ("**", ""),
        ("src/**", "src/a"),
        ("src/**", "src/a/b/c.py"),
        ("**/*.md", "README.md"),
        ("**/*.md", "docs/guide/README.md"),
        ("src/**/app.py", "src/app.py"),
        ("src/**/app.py", "src/a/b/app.py"),
        ("src/**/**/app.py", "src/app.py"),
        ("a**/b", "a/b"),
        ("a**/b", "axx/y/b"),
        ("***/b", "a/b"),
        ("a**b", "a/x/b"),
        ("v[0-9]", "v7"),
        ("v[!0-9]", "vx"),
        ("v[^0-9]", "vx"),
        ("[]]", "]"),
        ("[!]]", "x"),
        ("[]a]", "a"),
        ("[[]x", "[x"),
        ("[\\d]", "d"),
        ("[\\d]", "\\"),
        ("[a^]", "^"),
        ("[a-]", "-"),
        ("a.b", "a.b"),
        ("a+(b)|c", "a+(b)|c"),
        ("a\nb*", "a\nb\nc"),
    ],
)
def test_a_pattern_matches(pattern: str, text: str) -> None:
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("main", "Main"),
        ("main", "main2"),
        ("main", "a/main"),
        ("main", "main\n"),
        ("", "a"),
        ("*", "a/b"),
        ("release/*", "release/1/2"),
        ("src/*", "src"),
        ("v?", "v"),
        ("v?", "v/"),
        ("src/**", "src"),
        ("src/**", "source/a"),
        ("**/*.md", "docs/README.txt"),
        ("**/app.py", "myapp.py"),
        ("src/**/app.py", "src/myapp.py"),
        ("a**/b", "ab"),
        ("v[0-9]", "v10"),
        ("v[!0-9]", "v7"),
        ("v[!0-9]", "v/"),
        ("v[.-0]", "v/"),
        ("[]a]", "b"),
        ("[\\d]", "7"),
        ("a.b", "axb"),
    ],
)
def test_a_pattern_does_not_match(pattern: str, text: str) -> None:
    assert not matches(pattern, text)


@pytest.mark.parametrize("pattern", ["[", "[]", "[!]", "[^]", "a[", "[a/b]", "[z-a]", "x[z-a]"])
def test_brackets_that_are_no_set_mean_themselves(pattern: str) -> None:
    assert matches(pattern, pattern)
    assert not matches(pattern, "a")


@pytest.mark.parametrize("body", ["a--b", "+--", "---", "a&&b", "a||b", "a~~b", "[:alpha:", "--"])
def test_what_regular_expressions_may_once_mean_is_plain_text_in_a_set(body: str) -> None:
    assert all(matches(f"[{body}]", character) for character in body)


def test_many_folders_against_a_deep_path_are_decided_at_once() -> None:
    assert not matches("**/" * 40 + "x", "a/" * 200 + "y")


def test_many_stars_in_a_row_are_decided_at_once() -> None:
    assert not matches("*" * 41 + "x", "a" * 200)


@pytest.mark.parametrize(
    "pattern", ["*a" * 11 + "*b", "**a*b" * 30, "**/*a*" * 20 + "b", "[ab]*" * 99]
)
def test_many_stars_between_letters_are_decided_at_once(pattern: str) -> None:
    assert not matches(pattern, "a" * 400 + "/x")


def plainly(pattern: str, text: str) -> bool:
    """The same for `*` and `**` alone, by trying everything."""
    if not pattern:
        return not text
    if not pattern.startswith("*"):
        return text[:1] == pattern[0] and plainly(pattern[1:], text[1:])
    is_any = pattern.startswith("**")
    reach = len(text) if is_any else (text + "/").index("/")
    rest = pattern[2 if is_any else 1 :]
    return any(plainly(rest, text[end:]) for end in range(reach + 1))


@given(
    st.lists(st.sampled_from(["a", "b", "/b", "*", "*b", "**a"]), max_size=7).map("".join),
    st.text(alphabet="ab/", max_size=9),
)
def test_stars_match_whatever_trying_everything_finds(pattern: str, text: str) -> None:
    if "***" not in pattern and "**/" not in pattern:
        assert matches(pattern, text) == plainly(pattern, text)


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_pattern_raises_or_warns(pattern: str, text: str) -> None:
    matches(pattern, text)


@given(st.text(alphabet="[]!^-&|~\\/*?az.", max_size=12), st.text(alphabet="[]!^-/az", max_size=6))
def test_no_pattern_of_special_characters_raises_or_warns(pattern: str, text: str) -> None:
    matches(pattern, text)


@given(st.text(alphabet="ab/.", max_size=12))
def test_a_pattern_without_special_characters_matches_only_itself(text: str) -> None:
    assert matches(text, text)
    assert not matches(text, text + "a")


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=3), min_size=1, max_size=5))
def test_two_stars_and_a_slash_stand_for_any_number_of_whole_folders(parts: list[str]) -> None:
    path = "/".join(parts)
    assert all(matches("**/" + "/".join(parts[index:]), path) for index in range(len(parts)))
    assert not matches("**/" + path, "x" + path)
