"""The parts of an executor that most runs need nothing of, each loaded when it is asked for."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrate_tui.executor.asking import Asking
    from orchestrate_tui.executor.context import ExecutorContext
    from orchestrate_tui.executor.ended import EndedRunRollback
    from orchestrate_tui.executor.manual_rollbacks import ManualRollbacks
    from orchestrate_tui.executor.planning import Planning
    from orchestrate_tui.executor.records import Records
    from orchestrate_tui.executor.rehearsals import Rehearsals
    from orchestrate_tui.executor.rulings import Rulings
    from orchestrate_tui.executor.runs import Runs
    from orchestrate_tui.executor.taking_over import TakingOver


class Parts:
    """What is asked of an executor beside running pipelines.

    `rolled_back` has the rollbacks of ended runs that are carried out, by run id.
    """

    def __init__(self, executor: ExecutorContext, records: Records, runs: Runs) -> None:
        self._executor = executor
        self._records = records
        self._runs = runs
        self._taken_back = ExitStack()
        self.rolled_back: dict[int, EndedRunRollback] = {}

    def close(self) -> None:
        """Let go of what was taken back from other executors."""
        self._taken_back.close()

    @cached_property
    def taking_over(self) -> TakingOver:
        """Takes over what another executor left."""
        from orchestrate_tui.agents.left_programs import LeftPrograms  # noqa: PLC0415
        from orchestrate_tui.executor.taking_over import TakingOver  # noqa: PLC0415

        left = LeftPrograms(self._executor.database.files.hosts)
        self._taken_back.callback(left.close)
        return TakingOver(self._executor, self._records, self._runs, left)

    @cached_property
    def asking(self) -> Asking:
        """Passes on what people ask of runs."""
        from orchestrate_tui.executor.asking import Asking  # noqa: PLC0415

        return Asking(self._executor, self._records, self._runs, self.taking_over)

    @cached_property
    def planning(self) -> Planning:
        """Plans rollbacks."""
        from orchestrate_tui.executor.planning import Planning  # noqa: PLC0415

        return Planning(self._executor, self._records)

    @cached_property
    def rollbacks(self) -> ManualRollbacks:
        """Carries out the rollbacks that people ask for."""
        from orchestrate_tui.executor.manual_rollbacks import ManualRollbacks  # noqa: PLC0415

        return ManualRollbacks(
            self._executor,
            self._records,
            self._runs,
            self.taking_over,
            self.asking,
            active=self.rolled_back,
        )

    @cached_property
    def rehearsals(self) -> Rehearsals:
        """Rehearses rollbacks."""
        from orchestrate_tui.executor.rehearsals import Rehearsals  # noqa: PLC0415

        return Rehearsals(self._executor, self._records)

    @cached_property
    def rulings(self) -> Rulings:
        """Records what people say of releases, quarantines and breakers."""
        from orchestrate_tui.executor.rulings import Rulings  # noqa: PLC0415

        return Rulings(self._executor, self._records)
