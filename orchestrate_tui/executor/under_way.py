"""The attempts of a run that are under way."""

from __future__ import annotations

from collections.abc import Iterable

import anyio

from orchestrate_tui.agents.contract import Outcome
from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.executor.attempts import Attempts


class UnderWay:
    """Which stages have an attempt under way, and how to stop it."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._names: set[str] = set()
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._stop_reasons: dict[str, str] = {}

    @property
    def names(self) -> frozenset[str]:
        """The stages with an attempt under way."""
        return frozenset(self._names)

    @property
    def is_empty(self) -> bool:
        """Whether there is no such stage."""
        return not self._names

    def begin(self, name: str) -> None:
        """Count a stage as under way from now on; it can be stopped before it is performed."""
        self._names.add(name)

    async def perform(self, stage: Stage, attempt: int) -> Outcome | None:
        """Do the attempt; None means that it was stopped."""
        scope = self._scopes[stage.name] = anyio.CancelScope()
        if stage.name in self._stop_reasons:
            scope.cancel()
        with scope:
            return await self._attempts.perform_stage(stage, attempt)
        return None

    def end(self, name: str) -> str:
        """Count a stage as under way no longer; returns why it was stopped, if it was."""
        self._names.discard(name)
        self._scopes.pop(name, None)
        return self._stop_reasons.pop(name, "cancelled")

    def stop(self, names: Iterable[str], reason: str) -> None:
        """Stop those of `names` that are under way; the first reason counts."""
        for name in self._names & frozenset(names):
            if name not in self._stop_reasons:
                self._stop_reasons[name] = reason
                if name in self._scopes:
                    self._scopes[name].cancel()
