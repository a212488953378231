"""Which accounts may ask what of an executor, as its owner configured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrate_tui.domain.access import Right
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.people import People
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rights of users, @groups and roles; the owner has them all."""

    granted: Mapping[str, Sequence[Right]]
    people: People
    owner: str

    def rights_of(self, user: str) -> frozenset[Right]:
        """What a user may do here."""
        if user == self.owner:
            return frozenset(Right)
        found = {
            right
            for entry, rights in self.granted.items()
            if user in self.people.members(entry)
            for right in rights
        }
        return frozenset(found | {Right.VIEW} if found else found)

    def check(self, user: str, right: Right, deed: str) -> None:
        """Raise Refused unless the user has the right, which `deed` asks for."""
        if right not in self.rights_of(user):
            raise Refused(
                f"You ({user}) may not {deed} here: the right '{right}' is missing",
                next_step=f"{self.owner} grants it under 'access' in their configuration",
            )
