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
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._stop_reasons: dict[str, str] = {}

    @property
    def names(self) -> frozenset[str]:
        """The stages with an attempt under way."""
        return frozenset(self._scopes)

    @property
    def is_empty(self) -> bool:
        """Whether there is no such stage."""
        return not self._scopes

    def begin(self, name: str) -> None:
        """Count a stage as under way from now on; it can be stopped before it is performed."""
        self._scopes[name] = anyio.CancelScope()

    async def perform(self, stage: Stage, attempt: int) -> Outcome | None:
        """Do the attempt; None means that it was stopped."""
        with self._scopes[stage.name]:
            return await self._attempts.perform_stage(stage, attempt)
        return None

    def end(self, name: str) -> str:
        """Count a stage as under way no longer; returns why it was stopped, if it was."""
        del self._scopes[name]
        return self._stop_reasons.pop(name, "cancelled")

    def stop(self, names: Iterable[str], reason: str) -> None:
        """Stop those of `names` that are under way; the first reason counts."""
        for name in self._scopes.keys() & frozenset(names):
            if name not in self._stop_reasons:
                self._stop_reasons[name] = reason
                self._scopes[name].cancel()
