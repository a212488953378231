"""People who are said to be at a database."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrate_tui.domain.presence import Person

ANNA = Person(pid=4711, user="anna", terminal="pts/3", epochs=frozenset({1}))
BEN = Person(pid=4800, user="ben", terminal="pts/5", is_remote=True, epochs=frozenset({2}))
VIEWER = Person(pid=4901, user="viewer", is_remote=True)
JOB = Person(pid=5001, user="ci", is_console=False, epochs=frozenset({3}))


@dataclass
class There:
    """Those who are said to be there."""

    persons: tuple[Person, ...] = ()
    said: str = ""

    def people(self) -> tuple[Person, ...]:
        return self.persons

    def trouble(self) -> str:
        return self.said
