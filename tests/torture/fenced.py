"""An owner that goes on writing whatever it is told: `python -m tests.torture.fenced DB HOW`.

It says which run it owns, then for every line that it reads (a number) it tries so many writes, by
every way there is, and says how many were kept. HOW is "guarded", or "careless": the same writes
without asking who owns the run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.run import ApprovalRecord, Decision
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus, StepStatus
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.executor.turn import Turn
from orchestrate_tui.store import open_database, rollback_steps, rollbacks
from orchestrate_tui.store.approvals import insert_approval
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.store.history import steps_of
from orchestrate_tui.store.runs import change_run
from tests.store.scenery import NOON, Store, change, rollback_of

Write = Callable[[Connection], object]


def prepared(store: Store) -> tuple[int, int]:
    """A running run that is being rolled back; its id and the rollback's."""
    run_id = store.started_run("build", "deploy")
    event = rollback_of(run_id, epoch=store.epoch, status=RollbackStatus.RUNNING, started_at=NOON)
    rollback_id = store.database.write(lambda connection: rollbacks.insert(connection, event))
    step = PlanStep(stage_name="deploy", agent="robot", task="undo")
    plan = RollbackPlan(failed_stage="deploy", target="build", steps=(step,))
    store.database.write(
        lambda connection: rollback_steps.insert_steps(connection, rollback_id, plan)
    )
    return run_id, rollback_id


def writes(store: Store, run_id: int, rollback_id: int) -> tuple[Write, ...]:
    """Every way in which an owner changes what it owns."""
    epoch = store.epoch

    def end_stage(connection: Connection) -> None:
        done = change("build", 0, StageStatus.RUNNING, StageStatus.SUCCEEDED, attempt=1)
        Turn(run_id, epoch, stages=[done]).apply(connection)

    def approve(connection: Connection) -> None:
        record = ApprovalRecord(
            run_id=run_id, stage_name="deploy", decision=Decision.APPROVED, entry="lead",
            actor="bob", comment="", decided_at=NOON,
        )  # fmt: skip
        keep = [lambda same: insert_approval(same, record)]
        Turn(run_id, epoch, others=list(keep)).apply(connection)

    def end_run(connection: Connection) -> None:
        change_run(
            connection, run_id, epoch=epoch, expected=RunStatus.RUNNING,
            status=RunStatus.FAILED, at=NOON,
        )  # fmt: skip

    def end_rollback(connection: Connection) -> None:
        mine = rollback_of(run_id, epoch=epoch, id=rollback_id, status=RollbackStatus.RUNNING)
        rollbacks.update(connection, mine.mark_failed("late", NOON))

    def start_step(connection: Connection) -> None:
        (step,) = steps_of(connection, rollback_id)
        rollback_steps.change_step(connection, run_id, step, StepStatus.RUNNING, NOON, epoch=epoch)

    return (end_stage, approve, start_step, end_rollback, end_run)


def careless(store: Store, run_id: int, _rollback_id: int) -> tuple[Write, ...]:
    """What the same writes were without asking for the owner."""
    del store
    return (
        lambda connection: connection.execute(
            "UPDATE stages SET attempt = attempt + 1 WHERE run_id = ?", (run_id,)
        ),
    )


def tried(store: Store, ways: Iterator[Write], count: int) -> int:
    """Try so many writes; how many were kept."""
    kept = 0
    for write in islice(ways, count):
        try:
            store.database.write(write)
        except OrchestrateError:
            continue
        kept += 1
    return kept


def main(path: str, how: str) -> None:
    with open_database(Path(path)) as database:
        store = Store.of(database)
        run_id, rollback_id = prepared(store)
        print(run_id, rollback_id, store.epoch, flush=True)  # noqa: T201
        ways = cycle((writes if how == "guarded" else careless)(store, run_id, rollback_id))
        for line in sys.stdin:
            print(tried(store, ways, int(line)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
