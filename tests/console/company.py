"""People who are said to be at a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from orchestrate_tui.domain.presence import Person

ANNA = Person(pid=4711, user="anna", terminal="pts/3", epochs=frozenset({1}))
BEN = Person(pid=4800, user="ben", terminal="pts/5", is_remote=True, epochs=frozenset({2}))
VIEWER = Person(pid=4901, user="viewer", is_remote=True)
JOB = Person(pid=5001, user="ci", is_console=False, epochs=frozenset({3}))

LONG_S = 20
"""Much longer than anything waits that does not wait for a gate."""


@dataclass
class There:
    """Those who are said to be there."""

    persons: tuple[Person, ...] = ()
    said: str = ""

    def people(self) -> tuple[Person, ...]:
        return self.persons

    def trouble(self) -> str:
        return self.said


@dataclass
class Slow(There):
    """Those who are said to be there, but only while the gate is open; it is at first."""

    gate: Event = field(default_factory=Event)
    asked: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def people(self) -> tuple[Person, ...]:
        self.asked += 1
        assert self.gate.wait(LONG_S)
        return self.persons
