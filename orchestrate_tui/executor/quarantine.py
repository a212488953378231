"""Keeps versions that were rolled back from the environment that they were taken out of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from orchestrate_tui.domain.pipeline import Stage
from orchestrate_tui.domain.release import VERSION, Quarantine
from orchestrate_tui.errors import CannotStart
from orchestrate_tui.executor.context import RunContext
from orchestrate_tui.executor.versions import sealed_version
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.database import Database
from orchestrate_tui.store.runs import NewRun

Outputs = Iterable[tuple[str, str]]


def check_allowed(connection: Connection, new: NewRun, version: str) -> None:
    """Raise CannotStart when the run would bring a quarantined version to an environment.

    So it does when the run would go to an environment whose breaker was tripped.

    Stages that its conditions skip bring nothing anywhere.
    """
    if new.simulated:
        return
    given = new.trigger.circumstances(dict(new.pipeline.variables) | dict(new.trigger.variables))
    places: dict[str, tuple[str, ...]] = {}
    for stage in new.pipeline.stages:
        if stage.environment and (stage.when is None or stage.when.unmet(given) is None):
            known = places.get(stage.environment, ())
            places[stage.environment] = (*known, *stage.components)
    if not places:
        return
    from orchestrate_tui.store.breakers import find_breaker  # noqa: PLC0415  (seldom)
    from orchestrate_tui.store.quarantines import find_quarantine  # noqa: PLC0415  (seldom)

    breaker = find_breaker(connection, new.pipeline.name, places)
    if breaker is not None:
        raise CannotStart(
            f"New runs wait: {breaker.sentence}",
            next_step="When you know why, let them go there again with:"
            f" orchestrate-tui reset {breaker.id} --reason TEXT",
        )
    for place, components in places.items() if version else ():
        found = find_quarantine(connection, new.pipeline.name, place, (version,), components)
        if found is not None:
            raise CannotStart(
                f"Version {version} {found.sentence}",
                next_step="Bring another one, or lift that with:"
                f" orchestrate-tui lift {found.id} --reason TEXT",
            )


class Guard:
    """Knows which versions a stage of one run may not bring to its environment."""

    def __init__(self, database: Database, context: RunContext) -> None:
        self._database = database
        self._context = context

    def refusal(self, stage: Stage, outputs: dict[tuple[str, str], str]) -> str:
        """Why an attempt may not start: a version that it would bring is quarantined; "" if not.

        That is `${version}`, or what a stage before it put out under that name.
        """
        if not self._guards(stage):
            return ""
        before = self._context.graph.upstream(stage.name)
        known = [
            value for (name, key), value in outputs.items() if key == VERSION and name in before
        ]
        versions = [sealed_version(self._context), *map(self._context.secrets.sealed, known)]
        return self._sentence(stage, versions)

    def complaint(self, stage: Stage, outputs: Outputs) -> str:
        """Why a stage that has ended well did not: it put out a version that is quarantined."""
        if not self._guards(stage):
            return ""
        own = [self._context.secrets.sealed(text) for key, text in outputs if key == VERSION]
        return self._sentence(stage, own)

    def _guards(self, stage: Stage) -> bool:
        return stage.environment is not None and not self._context.run.simulated

    def _sentence(self, stage: Stage, versions: Iterable[str]) -> str:
        found = self._find(stage, dict.fromkeys(filter(None, versions)))
        if found is None:
            return ""
        lift = f"orchestrate-tui lift {found.id} --reason TEXT"
        return f"version {found.version} {found.sentence}; to let it come back: {lift}"

    def _find(self, stage: Stage, versions: Iterable[str]) -> Quarantine | None:
        # most stages bring nothing anywhere
        from orchestrate_tui.store.quarantines import find_quarantine  # noqa: PLC0415

        find = partial(
            find_quarantine,
            pipeline=self._context.pipeline.name,
            environment=stage.environment or "",
            versions=versions,
            components=stage.components,
        )
        return self._database.read(find)
