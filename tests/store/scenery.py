"""A database with an owner, and short words for what the tests do to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import RollbackTriggerType, RunStatus, StageStatus
from orchestrate_tui.store import Database
from orchestrate_tui.store.fencing import Takeover
from orchestrate_tui.store.owners import Ownership
from orchestrate_tui.store.runs import NewRun, StageChange, change_run, change_stages, insert_run

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
REPOSITORY = Path(__file__).parents[2]

OWN = """
import sys
from datetime import datetime, UTC
from orchestrate_tui.store import open_database
from orchestrate_tui.store.owners import Ownership
print(Ownership(open_database(sys.argv[1]), "bob", datetime.now(UTC)).epoch, flush=True)
sys.stdin.read()
"""
"""A process that is an executor at a database, tells its epoch, and lives until it is ended."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open database and the executor that works on its runs."""

    database: Database
    owner: Ownership

    @classmethod
    def of(cls, database: Database) -> Store:
        """The database with a new executor of alice's."""
        return cls(database, Ownership(database, "alice", NOON))

    @property
    def path(self) -> Path:
        return self.database.path

    @property
    def epoch(self) -> int:
        return self.owner.epoch

    def new_run(
        self,
        *names: str,
        pipeline: str = "shop",
        at: datetime = NOON,
        epoch: int | None = None,
        trigger: TriggerContext | None = None,
    ) -> int:
        """A run of these stages (`build` when none are named), all pending."""
        stages = tuple(Stage(name=name, agent="robot", task="work") for name in names or ("build",))
        new = NewRun(
            pipeline=Pipeline(name=pipeline, stages=stages),
            source=f"name: {pipeline}\n",
            trigger=trigger or TriggerContext(),
            actor="alice",
            simulated=False,
            workdir="/srv/shop",
            pipeline_dir="/srv",
            epoch=epoch or self.epoch,
            at=at,
        )
        return self.database.write(lambda connection: insert_run(connection, new))

    def started_run(self, *names: str, epoch: int | None = None) -> int:
        """A running run whose stages are all running."""
        names = names or ("build",)
        run_id = self.new_run(*names, epoch=epoch)
        self.change_run(run_id, RunStatus.PENDING, RunStatus.RUNNING, epoch=epoch)
        changes = [starting(name, position) for position, name in enumerate(names)]
        self.change_stages(run_id, *changes, epoch=epoch)
        return run_id

    def ended_run(self, *names: str) -> int:
        """A run that succeeded, all its stages too."""
        names = names or ("build",)
        run_id = self.started_run(*names)
        changes = [succeeding(name, position) for position, name in enumerate(names)]
        self.change_stages(run_id, *changes)
        self.change_run(run_id, RunStatus.RUNNING, RunStatus.SUCCEEDED)
        return run_id

    def change_run(
        self, run_id: int, expected: RunStatus, status: RunStatus, *, epoch: int | None = None
    ) -> None:
        self.database.write(
            lambda connection: change_run(
                connection,
                run_id,
                epoch=epoch or self.epoch,
                expected=expected,
                status=status,
                at=NOON,
            )
        )

    def change_stages(self, run_id: int, *changes: StageChange, epoch: int | None = None) -> None:
        self.database.write(
            lambda connection: change_stages(connection, run_id, epoch or self.epoch, changes)
        )

    def execute(self, sql: str, *parameters: Any) -> None:
        """Commit one statement that the product itself never makes."""
        self.database.write(lambda connection: connection.execute(sql, parameters))

    def select(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows as they are stored."""
        return self.database.read(
            lambda connection: [tuple(row) for row in connection.execute(sql, parameters)]
        )


def taking(epoch: int) -> Takeover:
    """How the executor of that epoch takes over for ben."""
    return Takeover(epoch=epoch, actor="ben", reason="it hangs", at=NOON)


def change(
    name: str, position: int, expected: StageStatus, status: StageStatus, **details: Any
) -> StageChange:
    return StageChange(
        stage_name=name, position=position, expected=expected, status=status, at=NOON, **details
    )


def starting(name: str = "build", position: int = 0) -> StageChange:
    return change(name, position, StageStatus.PENDING, StageStatus.RUNNING, attempt=1)


def succeeding(name: str = "build", position: int = 0) -> StageChange:
    return change(name, position, StageStatus.RUNNING, StageStatus.SUCCEEDED, attempt=1)


def rollback_of(run_id: int, **details: Any) -> RollbackEvent:
    given: dict[str, Any] = {
        "failed_stage_name": "deploy",
        "rollback_to_stage": "build",
        "trigger_type": RollbackTriggerType.MANUAL,
        "created_at": NOON,
    }
    return RollbackEvent(run_id=run_id, **(given | details))
