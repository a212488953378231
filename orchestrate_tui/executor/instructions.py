"""What an agent is told for one attempt of a stage, or of its undo."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.agents.contract import Outcome, RollbackIdentity, Work
from orchestrate_tui.domain.components import COMPONENT, part_name
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.keys import attempt_key, run_key, work_key
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Simulation, Stage, Undo
from orchestrate_tui.domain.release import PREVIOUS
from orchestrate_tui.domain.snapshot import SNAPSHOT
from orchestrate_tui.domain.variables import UnknownVariable, environment_of, substitute
from orchestrate_tui.executor.context import ExecutorContext, RunContext
from orchestrate_tui.executor.secrets import LostSecret
from orchestrate_tui.permissions import is_shared
from orchestrate_tui.stagehost.starting import inherited_environment
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.domain.rollback_plan import PlanStep

PIPELINE_DIR = "ORCHESTRATE_PIPELINE_DIR"
"""The environment variable with the folder of the pipeline's file."""

REHEARSAL = "-rehearsal"
"""The end of the key of an undo that is only written out."""

NOT_NEEDED = 1
"""The exit code with which a check says that there is nothing to undo."""

PRETENCE = Simulation()
"""What an agent does that only pretends, and takes no time for it."""

_LONGEST_QUESTION_S = 60.0


@dataclass(frozen=True, slots=True)
class Rendered:
    """The texts of an attempt with their values."""

    task: str
    workdir: str


@dataclass(slots=True)
class Instructions:
    """Turns the stages of a run, and their undos, into work, with the values known so far.

    What cannot be told is an outcome with the reason.
    """

    context: RunContext
    executor: ExecutorContext
    outputs: dict[tuple[str, str], str] = field(default_factory=dict)
    values: dict[str, str] = field(init=False)
    _declared: frozenset[str] = field(init=False)
    _own: dict[str, str] = field(init=False)
    _lost: dict[str, str] = field(default_factory=dict)
    _is_exposed: bool = field(init=False)
    _run_key: str = field(init=False)
    _workdir: Path = field(init=False)
    _inherited: dict[str, str] = field(default_factory=inherited_environment)

    def __post_init__(self) -> None:
        run, declared = self.context.run, dict(self.context.pipeline.variables)
        self._is_exposed = is_shared(self.executor.database.files.runs)
        self._workdir = Path(run.workdir)
        self._run_key = run_key(run.id, run.created_at)
        self._declared = frozenset(declared)
        self._own = declared
        for name, stored in run.trigger.variables:
            self._own.pop(name, None)
            if (value := self._unsealed(name, stored)) is not None:
                self._own[name] = value
        self.values = dict(self._own)
        stored_outputs, self.outputs = self.outputs, {}
        for (stage, key), stored in stored_outputs.items():
            if (value := self._unsealed(f"stages.{stage}.{key}", stored)) is not None:
                self.add_outputs(stage, ((key, value),))

    def _unsealed(self, name: str, stored: str) -> str | None:
        """The value of what the store has; None when that needs a secret that is lost."""
        try:
            return self.context.secrets.unsealed(stored)
        except LostSecret as error:
            self._lost[name] = f"the value of '${{{name}}}' is not known any more: {error}"
            return None

    def under(self, context: RunContext) -> Instructions:
        """The same, with the same values, under other definitions."""
        theirs = copy(self)
        theirs.context = context
        return theirs

    def add_outputs(self, stage_name: str, outputs: tuple[tuple[str, str], ...]) -> None:
        """Make what a stage put out known to the stages after it."""
        for key, value in outputs:
            self.outputs[stage_name, key] = value
            self.values[f"stages.{stage_name}.{key}"] = value

    def agent(self, name: str) -> Agent | Outcome:
        """Who does the work; in a simulated run somebody who only pretends."""
        if self.context.run.simulated:
            return Agent(name=name, kind=AgentKind.SIMULATED, simulated=PRETENCE)
        agent = self.context.pipeline.agent(name)
        return agent or Outcome(succeeded=False, reason=f"agent '{name}' is not defined")

    # What is to be done

    def for_stage(self, stage: Stage, agent: Agent, attempt: int) -> Work | Outcome:
        """One attempt of a stage."""
        timeout_s = agent.timeout_s if stage.timeout_s is None else stage.timeout_s
        return self._work(stage, agent, task=stage.task, attempt=attempt, timeout_s=timeout_s)

    def for_undo(
        self,
        stage: Stage,
        undo: Undo,
        step: PlanStep,
        event: RollbackEvent,
        agent: Agent,
        *,
        attempt: int,
        kind: str = "",
    ) -> Work | Outcome:
        """One attempt of a step of a rollback, or of what else the `kind` of its key names."""
        identity = self._identity(stage, step, event.id or 0, event.failed_stage_name)
        return self._undoing(stage, undo, step, agent, identity, attempt=attempt, kind=kind)

    def for_rehearsal(
        self, stage: Stage, undo: Undo, step: PlanStep, agent: Agent, failed_stage: str
    ) -> Work | Outcome:
        """An undo, or its check, outside of any rollback."""
        identity = self._identity(stage, step, None, failed_stage)
        return self._undoing(stage, undo, step, agent, identity, attempt=1, kind=REHEARSAL)

    def for_question(
        self, stage: Stage, attempt: int, *, name: str, script: str, component: str | None
    ) -> Work | Outcome:
        """A script whose answer is the value of that name in the snapshot of a stage."""
        return self._work(
            stage,
            Agent(name="snapshot", kind=AgentKind.SHELL, shell=script),
            task="",
            attempt=attempt,
            timeout_s=_LONGEST_QUESTION_S,
            kind=f"-snapshot-{name}",
            component=component,
        )

    def _undoing(
        self,
        stage: Stage,
        undo: Undo,
        step: PlanStep,
        agent: Agent,
        identity: RollbackIdentity,
        *,
        attempt: int,
        kind: str,
    ) -> Work | Outcome:
        return self._work(
            stage,
            agent,
            task=step.task,
            attempt=attempt,
            timeout_s=undo.timeout_s,
            rollback=identity,
            kind=kind,
            component=step.component,
        )

    def _identity(
        self, stage: Stage, step: PlanStep, rollback_id: int | None, failed_stage: str
    ) -> RollbackIdentity:
        return RollbackIdentity(
            rollback_id=rollback_id,
            failed_stage=failed_stage,
            previous=self._previous(step),
            snapshot=self._kept_values(stage, step.component),
        )

    def _work(
        self,
        stage: Stage,
        agent: Agent,
        *,
        task: str,
        attempt: int,
        timeout_s: float | None,
        rollback: RollbackIdentity | None = None,
        kind: str = "",
        component: str | None = None,
    ) -> Work | Outcome:
        part, values = part_name(stage.name, component), self.values
        if rollback and (rollback.previous or rollback.snapshot):
            values = self._values_with(rollback.previous, rollback.snapshot)
        values = with_component(values, component)
        rendered = self._rendered(stage, task, values)
        if isinstance(rendered, Outcome):
            return rendered
        rollback_id = rollback.rollback_id if rollback else None
        log = self.log_path(part, attempt, (rollback_id or 0) if rollback else None)
        return Work(
            run_id=self.context.id,
            stage_name=stage.name,
            agent=agent,
            task=rendered.task,
            attempt=attempt,
            workdir=self._workdir / rendered.workdir if rendered.workdir else self._workdir,
            log_path=log,
            idempotency_key=self.idempotency_key(part, rollback_id) + kind,
            environment=stage.environment,
            timeout_s=timeout_s,
            masker=self.context.secrets.masker_now(),
            masker_now=self.context.secrets.masker_now,
            secret_files=self.context.secrets.files,
            values=values,
            variables=self._environment(),
            inherited=self._inherited,
            stage_env=stage.env,
            rollback=rollback,
            is_exposed=self._is_exposed,
            components=stage.components,
            component=component,
        )

    def _environment(self) -> dict[str, str]:
        environment = environment_of(self._declared, self._own, self.outputs)
        environment[PIPELINE_DIR] = self.context.run.pipeline_dir
        return environment

    # The values of texts

    def rendered(self, stage: Stage, task: str) -> Rendered | Outcome:
        """The texts of a stage with the values known so far."""
        return self._rendered(stage, task, self.values)

    def _rendered(self, stage: Stage, task: str, values: Mapping[str, str]) -> Rendered | Outcome:
        fill = partial(substitute, values=values, keep_unknown=self.context.run.simulated)
        try:
            return Rendered(task=fill(task), workdir=fill(stage.workdir or ""))
        except UnknownVariable as error:
            return Outcome(succeeded=False, reason=self._lost.get(error.name, str(error)))

    def values_for(self, step: PlanStep) -> dict[str, str]:
        """What the texts of an undo may name, the release that it goes back to included."""
        stage = self.context.stages.get(step.stage_name)
        kept = self._kept_values(stage, step.component) if stage else {}
        return with_component(self._values_with(self._previous(step), kept), step.component)

    def _values_with(
        self, previous: Mapping[str, str], snapshot: Mapping[str, str]
    ) -> dict[str, str]:
        own = {PREVIOUS + key: text for key, text in previous.items()}
        return self.values | own | {SNAPSHOT + key: text for key, text in snapshot.items()}

    def _previous(self, step: PlanStep) -> dict[str, str]:
        """What is known of the release that an undo goes back to; nothing without one."""
        if step.release is None:
            return {}
        # only undos are told of releases and snapshots
        from orchestrate_tui.executor.releases import previous_values  # noqa: PLC0415

        return previous_values(self.context, self.executor.database, step.release)

    def _kept_values(self, stage: Stage, component: str | None) -> dict[str, str]:
        """What was asked for before the stage ran; nothing without a snapshot."""
        if stage.snapshot is None or not stage.snapshot.values:
            return {}
        from orchestrate_tui.executor.snapshots import Snapshots  # noqa: PLC0415  (see _previous)

        return Snapshots(self.executor, self.context).values(stage.name, component)

    # By what an attempt is known

    def log_path(self, stage_name: str, attempt: int, rollback_id: int | None = None) -> Path:
        """The log of an attempt of a stage, or of its undo; 0 is what no rollback has."""
        files = self.executor.database.files
        if rollback_id is None:
            return files.log(self.context.id, stage_name, attempt)
        return files.undo_log(self.context.id, rollback_id, stage_name, attempt)

    def idempotency_key(self, stage_name: str, rollback_id: int | None = None) -> str:
        """The same for every attempt of a stage, or of its undo, and for no other work."""
        return work_key(self._run_key, stage_name, rollback_id)

    def key(self, stage_name: str, attempt: int, rollback_id: int | None = None) -> str:
        """What tells one attempt from every other work."""
        return attempt_key(self.idempotency_key(stage_name, rollback_id), attempt)


def checker(undo: Undo) -> Agent:
    """Who asks the check of an undo."""
    codes = (0, NOT_NEEDED)
    return Agent(name="check", kind=AgentKind.SHELL, shell=undo.check, success_codes=codes)


def with_component(values: dict[str, str], component: str | None) -> dict[str, str]:
    """The values, with the component that work is for; None is the stage as a whole."""
    return values if component is None else {**values, COMPONENT: component}
