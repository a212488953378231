"""What operators say about releases, and about versions that are quarantined."""

from __future__ import annotations

from functools import partial

from orchestrate_tui.domain.release import Quarantine, Release, Ruling
from orchestrate_tui.errors import SAY_WHY, Refused
from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.executor.hub import Change
from orchestrate_tui.executor.records import Records
from orchestrate_tui.store.breakers import Breaker, read_breaker, reset
from orchestrate_tui.store.pins import pin, unpin
from orchestrate_tui.store.quarantines import lift, read_quarantine
from orchestrate_tui.store.releases import read_release
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True)
class Rulings:
    """Records what is said, without the secrets of the run that it is about."""

    executor: ExecutorContext
    records: Records

    async def rule(self, ruling: Ruling, identity: int, reason: str, actor: str) -> str:
        """Rule on the release, the quarantine or the breaker of that id; returns what that did.

        Raises NotFound, or Refused when it does not apply, and for a lift or a reset without a
        reason.
        """
        if ruling is Ruling.RESET and not reason.strip():
            raise Refused("Resetting a breaker needs a reason", next_step=SAY_WHY)
        if ruling is Ruling.LIFT and not reason.strip():
            raise Refused("Lifting a quarantine needs a reason", next_step=SAY_WHY)
        run_id = self._subject(ruling, identity).run_id
        said = self.records.secrets(self.records.run(run_id)).masked(reason.strip())
        at = self.executor.clock()
        told = Change(run_id=run_id)
        if ruling is Ruling.LIFT:
            lifted = await self.executor.commit(
                partial(lift, quarantine_id=identity, actor=actor, reason=said, at=at), told
            )
            where = f"{lifted.environment} of {lifted.pipeline}"
            return f"Version {lifted.version} may be brought to {where} again"
        if ruling is Ruling.RESET:
            breaker = await self.executor.commit(
                partial(reset, breaker_id=identity, actor=actor, reason=said, at=at), told
            )
            where = f"'{breaker.environment}'"
            return f"New runs of {breaker.pipeline} may go to {where} again"
        settle = pin if ruling is Ruling.PIN else unpin
        release = await self.executor.commit(
            partial(settle, release_id=identity, actor=actor, reason=said, at=at), told
        )
        what = "is the golden one" if ruling is Ruling.PIN else "is not the golden one any more"
        return f"Release {identity} {what} of {release.environment} of {release.pipeline}"

    def _subject(self, ruling: Ruling, identity: int) -> Quarantine | Release | Breaker:
        if ruling is Ruling.RESET:
            return self.executor.database.read(partial(read_breaker, breaker_id=identity))
        if ruling is Ruling.LIFT:
            find = partial(read_quarantine, quarantine_id=identity)
            return self.executor.database.read(find)
        return self.executor.database.read(partial(read_release, release_id=identity))
