"""Histories to look at, written through the store with fixed times, and a control that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from textual.pilot import Pilot

from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.graph import StageGraph
from orchestrate_tui.domain.pipeline import (
    Approval,
    Environment,
    OnFailure,
    Pipeline,
    Retry,
    Stage,
    Undo,
)
from orchestrate_tui.domain.planner import plan_rollback
from orchestrate_tui.domain.rehearsal import RehearsalReport
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.rollback_plan import PlanStep, RollbackPlan
from orchestrate_tui.domain.run import Settlement, TriggerContext
from orchestrate_tui.domain.status import (
    RollbackStatus,
    RollbackTriggerType,
    RunStatus,
    StageStatus,
    StepStatus,
)
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.executor.hub import Hub, Subscription
from orchestrate_tui.executor.left_work import LeftStage
from orchestrate_tui.executor.runnable import Runnable
from orchestrate_tui.store.database import open_database
from orchestrate_tui.store.environments import hold_stage
from orchestrate_tui.store.history import History
from orchestrate_tui.store.owners import Ownership
from orchestrate_tui.store.pins import pin, unpin
from orchestrate_tui.store.quarantines import lift
from orchestrate_tui.store.rehearsals import insert_rehearsal
from orchestrate_tui.store.releases import insert_release
from orchestrate_tui.store.rollback_steps import change_step, insert_steps
from orchestrate_tui.store.rollbacks import (
    insert,
    update,
)
from orchestrate_tui.store.runs import NewRun, StageChange, change_run, change_stages, insert_run
from orchestrate_tui.store.undone import mark_rolled_back

T = TypeVar("T")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=10)


def now() -> datetime:
    """The moment at which every picture is taken."""
    return NOW


def stage(name: str, *depends_on: str, agent: str = "deployer", **settings: Any) -> Stage:
    given = {"name": name, "agent": agent, "task": f"Do {name}", "depends_on": depends_on}
    return Stage(**(given | settings))


DELIVERY = Pipeline(
    name="shop-delivery",
    stages=(
        stage("build", agent="builder"),
        stage("deploy-staging", "build", environment="staging", rollback=Undo(task="Undo staging")),
        stage("security-scan", "build", agent="scanner", on_failure=OnFailure.CONTINUE),
        stage(
            "smoke-staging",
            "deploy-staging",
            agent="tester",
            retry=Retry(attempts=3),
            on_failure=OnFailure.ROLLBACK,
            rollback_to="deploy-staging",
        ),
        stage("load-test", "smoke-staging", agent="tester"),
        stage(
            "deploy-prod",
            "load-test",
            "smoke-staging",
            "security-scan",
            environment="production",
            approval=Approval(approvers=("team-lead", "ops")),
            rollback=Undo(task="Undo production"),
        ),
        stage("smoke-prod", "deploy-prod", agent="tester"),
    ),
)

PARTS = Pipeline(
    name="parts",
    stages=(
        stage(
            "deploy",
            environment="data",
            components=("api", "web"),
            rollback=Undo(task="Back ${component}"),
        ),
        stage(
            "expose",
            "deploy",
            environment="edge",
            components=("web",),
            rollback=Undo(task="Hide ${component}"),
        ),
    ),
)
"""Two environments, and components that are undone by themselves."""

PROTECTED = replace(DELIVERY, environments=(Environment(name="production", protected=True),))
"""The same, with an environment in which a slip would be grave."""


class Story:
    """One database; every step of what happened takes one second of its own clock."""

    def __init__(self, path: Path) -> None:
        self.database = open_database(path)
        self._owner = Ownership(self.database, "alice", NOON)
        self.history = History(path)
        self.at = NOON

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.history.close()
        self._owner.release()
        self.database.close()

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def dies(self) -> None:
        """The executor of all runs is gone without a word."""
        self._owner.release()

    def run(self, pipeline: Pipeline = DELIVERY, *, simulated: bool = False, **trigger: Any) -> int:
        """A run that is running, its stages pending."""
        new = NewRun(
            pipeline=pipeline,
            source="",
            trigger=TriggerContext(**trigger),
            actor="alice",
            simulated=simulated,
            workdir="/srv",
            pipeline_dir="/srv",
            epoch=self._owner.epoch,
            at=self.at,
        )
        run_id = self.database.write(lambda connection: insert_run(connection, new))
        self._change_run(run_id, RunStatus.PENDING, RunStatus.RUNNING)
        return run_id

    def ends(self, run_id: int, status: RunStatus, reason: str = "") -> None:
        self._change_run(run_id, RunStatus.RUNNING, status, reason)

    def becomes(self, run_id: int, name: str, *statuses: StageStatus, **details: Any) -> None:
        """Lead a stage through statuses, a second for each but the first."""
        for status in statuses:
            now = next(one for one in self.history.stages(run_id) if one.stage_name == name)
            attempt = now.attempt + (status is StageStatus.RUNNING)
            change = StageChange(
                stage_name=name,
                position=now.position,
                expected=now.status,
                status=status,
                at=self.at,
                attempt=attempt,
                **(details if status is statuses[-1] else {}),
            )
            write = partial(change_stages, run_id=run_id, epoch=self._owner.epoch, changes=[change])
            self.database.write(write)
            self.passes(1)

    def log(self, run_id: int, name: str, text: str, attempt: int = 1) -> Path:
        path = self.history.log_path(run_id, name, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(text)
        return path

    def rollback(self, run_id: int, **details: Any) -> int:
        given: dict[str, Any] = {
            "failed_stage_name": "smoke-staging",
            "rollback_to_stage": "deploy-staging",
            "trigger_type": RollbackTriggerType.AUTOMATIC,
            "created_at": self.at,
            "started_at": self.at,
            "epoch": self._owner.epoch,
        }
        event = RollbackEvent(run_id=run_id, **(given | details))
        event_id = self.database.write(
            lambda connection: insert(connection, replace(event, status=RollbackStatus.PENDING))
        )
        if event.status is not RollbackStatus.PENDING:
            running = replace(event, id=event_id, status=RollbackStatus.RUNNING, completed_at=None)
            self.database.write(lambda connection: update(connection, running))
        if event.status not in {RollbackStatus.PENDING, RollbackStatus.RUNNING}:
            done = replace(event, id=event_id, completed_at=self.at + timedelta(seconds=4))
            self.database.write(lambda connection: update(connection, done))
        return event_id

    def ends_rollback(self, rollback_id: int) -> None:
        """A rollback that was running has succeeded."""
        event = self.history.rollback(rollback_id).mark_succeeded(self.at)
        self.database.write(lambda connection: update(connection, event))

    def releases(self, run_id: int, name: str, version: str) -> None:
        """The success of a stage is a release."""
        self.database.write(
            lambda connection: insert_release(connection, run_id, name, version, self.at)
        )

    def takes_back(self, run_id: int, name: str) -> int:
        """A rollback that has undone a stage by hand."""
        rollback_id = self.rollback(run_id, status=RollbackStatus.SUCCEEDED)
        self.database.write(
            lambda connection: mark_rolled_back(connection, run_id, name, rollback_id, self.at)
        )
        return rollback_id

    def rehearses(self, run_id: int, report: RehearsalReport) -> int:
        """Ben rehearses a rollback of a run."""
        note = partial(insert_rehearsal, run_id=run_id, stages=("", ""), actor="ben")
        return self.database.write(
            lambda connection: note(connection, report=report, began_at=self.at, at=self.at)
        )

    def rules(self, ruling: Ruling, identity: int, reason: str = "") -> None:
        """Ben says something about a release or a quarantine."""
        settle = {Ruling.PIN: pin, Ruling.UNPIN: unpin, Ruling.LIFT: lift}[ruling]
        self.database.write(lambda connection: settle(connection, identity, "ben", reason, self.at))

    def undoes(self, run_id: int, rollback_id: int, name: str, **details: Any) -> None:
        """The step of a rollback that undoes a stage begins; it is its first."""
        step = PlanStep(stage_name=name, agent="deployer", task=f"Undo {name}", **details)
        plan = RollbackPlan(failed_stage=name, target=name, steps=(step,))
        self.database.write(lambda connection: insert_steps(connection, rollback_id, plan))
        self.step_becomes(run_id, rollback_id, StepStatus.RUNNING)

    def waits(self, run_id: int, name: str, environment: str) -> None:
        """A stage that was started looks whether a rollback has its environment."""
        look = partial(hold_stage, stage_name=name, environment=environment, at=self.at)
        self.database.write(lambda connection: look(connection, self.database.files, run_id))

    def step_becomes(
        self, run_id: int, rollback_id: int, status: StepStatus, error: str = ""
    ) -> None:
        """The first step of a rollback goes on."""
        step = self.history.steps(rollback_id)[0]
        epoch = self._owner.epoch
        self.database.write(
            lambda connection: change_step(
                connection, run_id, step, status, self.at, epoch=epoch, error_message=error
            )
        )

    def _change_run(
        self, run_id: int, expected: RunStatus, status: RunStatus, reason: str = ""
    ) -> None:
        self.database.write(
            lambda connection: change_run(
                connection,
                run_id,
                epoch=self._owner.epoch,
                expected=expected,
                status=status,
                at=self.at,
                reason=reason,
            )
        )


S = StageStatus


def delivered(story: Story) -> int:
    """A run that succeeded, with a failure that was allowed."""
    run_id = story.run(branch="main")
    for name in ("build", "deploy-staging"):
        story.becomes(run_id, name, S.RUNNING, S.SUCCEEDED)
    story.becomes(run_id, "security-scan", S.RUNNING, S.FAILED, reason="exit code 2", exit_code=2)
    for name in ("smoke-staging", "load-test", "deploy-prod", "smoke-prod"):
        story.becomes(run_id, name, S.RUNNING, S.SUCCEEDED)
    story.ends(run_id, RunStatus.SUCCEEDED)
    return run_id


def deployed(story: Story, pipeline: Pipeline = PARTS) -> int:
    """A run that succeeded in each of its stages."""
    run_id = story.run(pipeline)
    for one in pipeline.stages:
        story.becomes(run_id, one.name, S.RUNNING, S.SUCCEEDED)
    story.ends(run_id, RunStatus.SUCCEEDED)
    return run_id


def failed(story: Story) -> int:
    """A run that failed at its smoke test and was rolled back."""
    run_id = story.run(branch="main")
    for name in ("build", "deploy-staging", "security-scan"):
        story.becomes(run_id, name, S.RUNNING, S.SUCCEEDED)
    story.passes(64)
    story.becomes(run_id, "smoke-staging", S.RUNNING, S.FAILED, reason="exit code 1", exit_code=1)
    for name in ("load-test", "deploy-prod", "smoke-prod"):
        story.becomes(run_id, name, S.SKIPPED, reason="stage 'smoke-staging' failed")
    story.log(run_id, "smoke-staging", "GET /health\n\x1b[31mHTTP 500\x1b[0m\n")
    story.rollback(run_id, status=RollbackStatus.SUCCEEDED, reason="stage 'smoke-staging' failed")
    story.ends(run_id, RunStatus.FAILED, "stage 'smoke-staging' failed")
    return run_id


def released(story: Story, pipeline: Pipeline = DELIVERY) -> None:
    """Three releases of production; the last was taken back, the first is golden."""
    run_id = 0
    for number in range(3):
        run_id = story.run(pipeline)
        for name in ("build", "deploy-staging"):
            story.becomes(run_id, name, S.RUNNING, S.SUCCEEDED)
        story.becomes(run_id, "deploy-prod", S.RUNNING, S.SUCCEEDED)
        story.releases(run_id, "deploy-prod", f"1.{number}")
        story.ends(run_id, RunStatus.SUCCEEDED)
    story.takes_back(run_id, "deploy-prod")
    story.rules(Ruling.PIN, 1, "fast")


def waiting(story: Story, pipeline: Pipeline = DELIVERY) -> int:
    """A run that waits for the approval of production while its scan still runs."""
    run_id = story.run(pipeline, branch="release/2.1")
    for name in ("build", "deploy-staging", "smoke-staging", "load-test"):
        story.becomes(run_id, name, S.RUNNING, S.SUCCEEDED)
    story.becomes(run_id, "security-scan", S.RUNNING)
    story.log(run_id, "security-scan", "".join(f"scanned layer {n}\n" for n in range(1, 31)))
    story.becomes(run_id, "deploy-prod", S.WAITING_APPROVAL)
    return run_id


class Desk:
    """Stands in for the executor's control: it notes what it is asked, and answers at once."""

    def __init__(self, history: History) -> None:
        self.hub = Hub()
        self.planned: list[tuple[RollbackDemand, Runnable | None]] = []
        self.asked: list[tuple[Any, ...]] = []
        self.refusal: OrchestrateError | None = None
        self.left: dict[int, tuple[LeftStage, ...]] = {}
        self.runs: tuple[int, ...] = ()
        self.trouble = ""
        self.is_stuck = False
        self.newer = ""
        self.protected: frozenset[str] = frozenset()
        self.confirmed: list[tuple[str, ...]] = []
        self.holds_plans = False
        self._held: list[tuple[Future[RollbackPlan], RollbackPlan]] = []
        self._history = history

    def subscribe(self) -> Subscription:
        return self.hub.subscribe()

    def confirming(self, environments: Sequence[str]) -> Self:
        self.confirmed.append(tuple(environments))
        return self

    def active(self) -> tuple[int, ...]:
        return self.runs

    def lose_patience(self) -> None:
        self.asked.append(("lose_patience",))

    def plan_rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[RollbackPlan]:  # releases and other definitions are not looked at
        self.planned.append((demand, definition))
        pipeline = self._history.definition(run_id)
        stages = {one.stage_name: one for one in self._history.stages(run_id)}
        graph = StageGraph.of(pipeline.stages)
        plan = plan_rollback(
            pipeline,
            graph,
            stages,
            failed_stage=demand.from_stage,
            target=demand.to_stage,
            components=demand.components,
            undone=self._history.undone_components(run_id),
            cascade=demand.cascade,
        )
        future: Future[RollbackPlan] = Future()
        self._held.append((future, replace(plan, newer=self.newer)))
        if not self.holds_plans:
            self.let_plans_go()
        return future

    def let_plans_go(self) -> None:
        """Answer what was held back."""
        while self._held:
            future, plan = self._held.pop()
            future.set_result(plan)

    def start_run(
        self, loaded: Runnable, trigger: TriggerContext | None = None, *, simulated: bool = False
    ) -> Future[int]:
        return self._answer(1, "start_run", loaded.pipeline.name, trigger, simulated)

    def left_stages(self, run_id: int) -> Future[tuple[LeftStage, ...]]:
        return _done(self.left.get(run_id, ()))

    def resume(
        self,
        run_id: int,
        *,
        take_over: str | None = None,
        settled: Mapping[str, Settlement] | None = None,
    ) -> Future[Any]:
        return self._answer(None, "resume", run_id, *filter(None, [take_over, settled]))

    def cancel(self, run_id: int) -> Future[str]:
        return self._answer("being cancelled", "cancel", run_id)

    def acknowledge(self, run_id: int, comment: str = "") -> Future[str]:
        return self._answer("acknowledged", "acknowledge", run_id, comment)

    def approve(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        return self._answer("approved", "approve", run_id, stage, comment)

    def reject(self, run_id: int, stage: str, comment: str = "") -> Future[str]:
        return self._answer("rejected", "reject", run_id, stage, comment)

    def rehearse(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[int]:
        return self._answer(1, "rehearse", run_id, demand, definition)

    def rollback(
        self, run_id: int, demand: RollbackDemand, definition: Runnable | None = None
    ) -> Future[int]:
        return self._answer(1, "rollback", run_id, demand, definition)

    def rule(self, ruling: Ruling, identity: int, reason: str = "") -> Future[str]:
        return self._answer("It is so", "rule", ruling, identity, reason)

    def halt(self, rollback_id: int, reason: str) -> Future[str]:
        return self._answer("being halted", "halt", rollback_id, reason)

    def decide_step(
        self, rollback_id: int, action: StepAction, reason: str, stage: str = ""
    ) -> Future[str]:
        return self._answer("goes on", "decide_step", rollback_id, action, reason, stage)

    def _answer(self, result: T, *asked: Any) -> Future[T]:
        self.asked.append(asked)
        if self.refusal is None:
            return _done(result)
        future: Future[T] = Future()
        future.set_exception(self.refusal)
        return future


def _done(result: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(result)
    return future


def shown(pilot: Pilot[Any]) -> str:
    """The screen as text."""
    app = pilot.app
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text[:width] for strip in strips[:height])


async def settle(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Wait until what is committed is shown."""
    while not holds():
        await pilot.pause(0.02)
