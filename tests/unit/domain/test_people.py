"""How people at a database are told: who, where, and what they can do."""

from __future__ import annotations

import pytest

from orchestrate_tui.domain.presence import Mode, Person

EPOCHS = frozenset({1})


@pytest.mark.parametrize(
    ("person", "mode"),
    [
        (Person(pid=1, epochs=EPOCHS), Mode.CONSOLE),
        (Person(pid=1), Mode.READ_ONLY),
        (Person(pid=1, is_console=False, epochs=EPOCHS), Mode.COMMAND),
    ],
)
def test_a_console_can_act_only_with_an_executor(person: Person, mode: Mode) -> None:
    assert person.mode is mode


@pytest.mark.parametrize(
    ("person", "place"),
    [
        (Person(pid=1, terminal="pts/3", is_remote=True), "pts/3 ssh"),
        (Person(pid=1, terminal="pts/3"), "pts/3"),
        (Person(pid=1, is_remote=True), "ssh"),
        (Person(pid=1), ""),
    ],
)
def test_a_place_is_a_terminal_and_whether_it_is_reached_over_ssh(
    person: Person, place: str
) -> None:
    assert person.place == place


def test_who_cannot_be_seen_is_somebody() -> None:
    assert (Person(pid=1, user="kim").name, Person(pid=1).name) == ("kim", "somebody")
