"""What changed since the last look, from this process's executor and from all others.

The executor of this process tells by its subscription what it committed. What other processes
commit is found by the database's version, looked at less often.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.executor.hub import Subscription
    from orchestrate_tui.store.history import History

MOST_EVENTS = 5000
"""When more happened, everything is read again instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What has to be read again; `everything` when nobody knows.

    `stages` are those that changed of each run of which something did, and `runs` are those of
    which more than stages did. `warnings` are what this process's executor has to say of itself.
    """

    stages: Mapping[int, Collection[str]] = field(default_factory=dict)
    runs: frozenset[int] = frozenset()
    rollbacks: frozenset[int] = frozenset()
    everything: bool = False
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stages or self.rollbacks or self.everything or self.warnings)

    def concern(self, run_id: int) -> bool:
        """Whether a run has to be read again."""
        return self.everything or run_id in self.stages

    @property
    def concern_rows(self) -> bool:
        """Whether something is to be seen of it in a list of runs."""
        return self.everything or bool(self.runs)


class Bridge:
    """Between the executor's thread and the console's loop; nobody waits at either end."""

    def __init__(self, history: History, subscription: Subscription | None = None) -> None:
        self._history = history
        self._subscription = subscription
        self._version = history.data_version()
        self._last_event = history.last_event_id()
        self._lost = history.lost_owners()

    def listen(self, subscription: Subscription) -> None:
        """Let the executor of this process tell what it commits from now on."""
        self._subscription = subscription

    def drain(self, *, with_others: bool = True, with_deaths: bool = True) -> Changes:
        """What changed since the last call.

        What other processes did is told if it is asked for, or nobody else tells anything;
        that an executor died is committed by nobody, and told only where it is asked for.
        """
        noted = _Noted()
        is_stale = False
        warnings: tuple[str, ...] = ()
        if self._subscription is not None:
            is_stale = self._subscription.take_stale()
            warnings = self._subscription.take_warnings()
            for change in self._subscription.drain():
                noted.add(change.run_id, change.stage_name, change.rollback_id)
        if with_deaths:
            is_stale = self._look_for_deaths() or is_stale
        if with_others or self._subscription is None:
            is_stale = self._poll(noted) or is_stale
        return Changes(
            stages=noted.stages,
            runs=frozenset(noted.runs),
            rollbacks=frozenset(noted.rollbacks),
            everything=is_stale,
            warnings=warnings,
        )

    def _poll(self, noted: _Noted) -> bool:
        """Note what was committed by anybody; whether everything has to be read again."""
        version = self._history.data_version()
        if version == self._version:
            return False
        self._version = version
        seen, self._last_event = self._last_event, self._history.last_event_id()
        if self._last_event - seen > MOST_EVENTS:
            return True
        for touched in self._history.touched(seen, self._last_event):
            noted.add(*touched)
        return False

    def _look_for_deaths(self) -> bool:
        """Whether an executor died since the last call, which changes what its runs are."""
        before, self._lost = self._lost, self._history.lost_owners()
        return self._lost != before


class _Noted:
    """What changed: the stages of each run, the runs of which more did, and the rollbacks."""

    def __init__(self) -> None:
        self.stages: dict[int, set[str]] = {}
        self.runs: set[int] = set()
        self.rollbacks: set[int] = set()

    def add(self, run_id: int, stage_name: str | None, rollback_id: int | None) -> None:
        """Note a stage, or with None the run itself, and a rollback, or with None none."""
        stages = self.stages.setdefault(run_id, set())
        if stage_name is not None:
            stages.add(stage_name)
        if rollback_id is not None:
            self.rollbacks.add(rollback_id)
        if stage_name is None or rollback_id is not None:
            self.runs.add(run_id)
