"""A run of whose changes somebody is told, and short words for what is asked about that."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from orchestrate_tui.domain.notification import Delivery, Notification
from orchestrate_tui.domain.notifying import EscalationStep, NotifyRule, Occasion, Repetition
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.store.acknowledgements import acknowledge
from orchestrate_tui.store.history import History
from orchestrate_tui.store.notifications import is_due, note_delivery, take_due
from orchestrate_tui.store.occasions import are_open
from orchestrate_tui.store.runs import NewRun, insert_run
from tests.store.scenery import NOON, Store, change

ALL = NotifyRule(to=("TEAM",))
ESCALATING = NotifyRule(
    to=("FIRST",),
    on=(Occasion.RUN_FAILED,),
    escalate=(EscalationStep(after_s=600, to=("SECOND", "BOSS")),),
    repeat=Repetition(every_s=1800, times=1),
)
Taken = tuple[tuple[Notification, Delivery], ...]


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


class Told:
    """A run with rules, and short words for what is asked about who is told of it."""

    def __init__(self, store: Store, *rules: NotifyRule, simulated: bool = False) -> None:
        self.store = store
        new = NewRun(
            pipeline=Pipeline(
                name="shop", stages=(Stage(name="build", agent="a", task="t"),), notify=rules
            ),
            source="",
            trigger=TriggerContext(),
            actor="alice",
            simulated=simulated,
            workdir="/",
            pipeline_dir="/",
            epoch=store.epoch,
            at=NOON,
        )
        self.run_id = store.database.write(partial(insert_run, new=new))
        store.change_run(self.run_id, RunStatus.PENDING, RunStatus.RUNNING)

    def fail(self) -> None:
        self.store.change_run(self.run_id, RunStatus.RUNNING, RunStatus.FAILED)

    def ask(self) -> None:
        waiting = StageStatus.WAITING_APPROVAL
        self.store.change_stages(self.run_id, change("build", 0, StageStatus.PENDING, waiting))

    def take(self, at: datetime = NOON, epoch: int | None = None) -> Taken:
        epoch = epoch or self.store.epoch
        return self.store.database.write(partial(take_due, epoch=epoch, at=at))

    def channels(self, at: datetime = NOON) -> list[str]:
        """Those who are told now, and all take it."""
        taken = self.take(at)
        for one, delivery in taken:
            self.note(one, delivery, "", at)
        return [delivery.channel for _, delivery in taken]

    def note(self, one: Notification, delivery: Delivery, error: str, at: datetime = NOON) -> None:
        note = partial(note_delivery, notification=one, delivery=delivery, error=error, at=at)
        self.store.database.write(note)

    def acknowledge(self) -> None:
        seen = partial(acknowledge, run_id=self.run_id, actor="ben", comment="", at=NOON)
        self.store.database.write(seen)

    def is_open(self) -> bool:
        return self.store.database.read(partial(are_open, epoch=self.store.epoch))

    def is_due(self, at: datetime) -> bool:
        return self.store.database.read(partial(is_due, epoch=self.store.epoch, at=at))

    @property
    def all(self) -> tuple[Notification, ...]:
        history = History(self.store.path)
        try:
            return history.notifications(self.run_id)
        finally:
            history.close()

    @property
    def one(self) -> Notification:
        (found,) = self.all
        return found
