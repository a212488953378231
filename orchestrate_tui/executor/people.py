"""Who acts, and who may approve: always users of the operating system."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrate_tui.domain.moments import spoken
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.run import ApprovalRecord
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.accounts import current_user


class People:
    """What the approvers of a pipeline mean on this machine.

    An entry is a user, `@group` for a Unix group, or a role that the configuration maps to those.
    """

    def __init__(self, roles: Mapping[str, Sequence[str]] | None = None) -> None:
        self._roles = roles or {}

    def members(self, entry: str) -> frozenset[str]:
        """The users that an entry stands for; empty when it resolves to nobody."""
        meant = self._roles.get(entry, (entry,))
        return frozenset(user for one in meant for user in _users(one))

    def entry_for(self, stage: Stage, user: str, decided: Iterable[ApprovalRecord]) -> str:
        """The first undecided entry of the stage that `user` may decide.

        Raises Refused when there is none.
        """
        approvers = stage.approval.approvers if stage.approval else ()
        taken = {approval.entry: approval for approval in decided}
        mine = [entry for entry in approvers if user in self.members(entry)]
        free = [entry for entry in mine if entry not in taken]
        if free:
            return free[0]
        if any(taken[entry].actor == user for entry in mine):
            raise Refused(f"You ({user}) have already decided on stage '{stage.name}'")
        if mine:
            raise Refused(
                f"'{mine[0]}' was decided for stage '{stage.name}' before: {told(taken[mine[0]])}"
            )
        raise Refused(
            f"You ({user}) may not decide on stage '{stage.name}'",
            next_step=f"Its approvers are: {', '.join(approvers)}",
        )

    def obstacles(self, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
        """For every stage that could never be approved its name and the reason."""
        for stage in pipeline.stages:
            approval = stage.approval
            if approval is None:
                continue
            for entry in approval.approvers:
                if not self.members(entry):
                    yield stage.name, f"approver '{entry}' of stage '{stage.name}' is nobody here"
            if approval.needed > len(approval.approvers):
                needs = f"needs {approval.needed} approvals"
                yield stage.name, f"stage '{stage.name}' {needs} of {len(approval.approvers)}"


class Anybody(People):
    """The rule of a simulated run: everybody may decide for every entry."""

    def members(self, entry: str) -> frozenset[str]:  # noqa: ARG002  (the same for all)
        """Whoever asks."""
        return frozenset({current_user()})

    def entry_for(self, stage: Stage, user: str, decided: Iterable[ApprovalRecord]) -> str:
        """The first undecided entry of the stage. Raises Refused when all are decided."""
        taken = {approval.entry for approval in decided}
        approvers = stage.approval.approvers if stage.approval else ()
        for entry in approvers:
            if entry not in taken:
                return entry
        raise Refused(f"You ({user}) have already decided on stage '{stage.name}'")


def told(record: ApprovalRecord) -> str:
    """A decision as it is told to who comes too late for one of their own."""
    return f"{record.decision} by {record.actor} at {spoken(record.decided_at)}"


def _users(name: str) -> frozenset[str]:
    if name.startswith("@"):
        return _group_members(name[1:])
    try:
        return frozenset({pwd.getpwnam(name).pw_name})
    except KeyError:
        return frozenset()


def _group_members(name: str) -> frozenset[str]:
    try:
        group = grp.getgrnam(name)
    except KeyError:
        return frozenset()
    primary = {user.pw_name for user in pwd.getpwall() if user.pw_gid == group.gr_gid}
    return frozenset(group.gr_mem) | primary
