"""What an agent is told for one attempt of a stage, or of its undo."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import field, replace
from functools import partial
from glob import escape
from pathlib import Path

from anyio.lowlevel import checkpoint_if_cancelled

from orchestrate_tui.agents import perform
from orchestrate_tui.agents.contract import Outcome, Process, RollbackIdentity, Work
from orchestrate_tui.agents.environment import remove_outputs
from orchestrate_tui.agents.left_programs import TakenBack
from orchestrate_tui.agents.log import StageLog
from orchestrate_tui.agents.questions import NoAnswer, ask
from orchestrate_tui.domain.components import COMPONENT, part_name, parts_of
from orchestrate_tui.domain.events import RollbackEvent
from orchestrate_tui.domain.keys import CHECK, attempt_key, run_key, work_key
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Simulation, Snapshot, Stage, Undo
from orchestrate_tui.domain.release import PREVIOUS
from orchestrate_tui.domain.rollback_plan import PlanStep
from orchestrate_tui.domain.snapshot import SNAPSHOT
from orchestrate_tui.domain.variables import UnknownVariable, environment_of, substitute
from orchestrate_tui.executor.context import RunContext
from orchestrate_tui.executor.environments import until_free
from orchestrate_tui.executor.permission import StartPermission
from orchestrate_tui.executor.quarantine import Guard
from orchestrate_tui.executor.releases import previous_values
from orchestrate_tui.executor.secrets import LostSecret
from orchestrate_tui.executor.snapshots import Snapshots
from orchestrate_tui.permissions import is_shared
from orchestrate_tui.stagehost.starting import inherited_environment
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.values import dataclass

PIPELINE_DIR = "ORCHESTRATE_PIPELINE_DIR"
"""The environment variable with the folder of the pipeline's file."""

REHEARSAL = "-rehearsal"
"""What the key of an undo has that is only written out."""

NOT_NEEDED = 1
"""The exit code with which a check says that there is nothing to undo."""

_PRETENCE = Simulation()
_PRETENDED = Outcome(succeeded=True)
_LONGEST_QUESTION_S = 60.0


@dataclass(frozen=True, slots=True)
class _Rendered:
    task: str
    workdir: str


@dataclass(slots=True)
class Attempts:
    """Turns stages into work, with the values that are known so far, and has it done.

    `left` has the processes that were taken back from a dead executor, by the keys of their
    attempts, and `unstarted` the keys of those that it did not get to start.
    """

    context: RunContext
    files: StoreFiles
    permission: StartPermission
    outputs: dict[tuple[str, str], str] = field(default_factory=dict)
    left: dict[str, Process] = field(default_factory=dict)
    unstarted: Collection[str] = ()
    values: dict[str, str] = field(init=False)
    _declared: frozenset[str] = field(init=False)
    _own: dict[str, str] = field(init=False)
    _lost: dict[str, str] = field(default_factory=dict)
    _is_exposed: bool = field(init=False)
    _run_key: str = field(init=False)
    _workdir: Path = field(init=False)
    _inherited: dict[str, str] = field(default_factory=inherited_environment)

    def __post_init__(self) -> None:
        self._is_exposed = is_shared(self.files.runs)
        run = self.context.run
        self._workdir = Path(run.workdir)
        self._run_key = run_key(run.id, run.created_at)
        declared = dict(self.context.pipeline.variables)
        self._declared = frozenset(declared)
        self._own = declared
        for name, stored in self.context.run.trigger.variables:
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

    def add_outputs(self, stage_name: str, outputs: tuple[tuple[str, str], ...]) -> None:
        """Make what a stage put out known to the stages after it."""
        for key, value in outputs:
            self.outputs[stage_name, key] = value
            self.values[f"stages.{stage_name}.{key}"] = value

    def of(self, context: RunContext) -> Attempts:
        """The same, with what is known and what was taken back, under other definitions."""
        theirs = copy(self)
        theirs.context = context
        return theirs

    def pretend(self, stage: Stage) -> Outcome | None:
        """The outcome of a stage that only pretends and takes no time; None for any other."""
        agent = self._agent(stage.agent)
        if isinstance(agent, Outcome) or agent.simulated != _PRETENCE:
            return None
        keeps_or_brings = stage.snapshot is not None or stage.environment is not None
        if keeps_or_brings and not self.context.run.simulated:
            return None
        rendered = self._rendered(stage, stage.task, self.values)
        return rendered if isinstance(rendered, Outcome) else _PRETENDED

    async def perform_stage(self, stage: Stage, attempt: int) -> Outcome:
        """Do one attempt of a stage; whatever goes wrong is an outcome with its reason."""
        agent = self._agent(stage.agent)
        if isinstance(agent, Outcome):
            return agent
        if stage.environment is not None and not self.is_left(stage.name, attempt):
            log = StageLog(self._log_path(stage.name, attempt), self.context.secrets.masker)
            executor = self.permission.executor
            await until_free(executor, self.context, stage, log)
            guard = Guard(executor.database, self.context)
            if refusal := guard.refusal(stage, self.outputs):
                return Outcome(succeeded=False, reason=refusal, is_refused=True)
        if problem := await self._keep(stage, attempt):
            return Outcome(succeeded=False, reason=self.context.secrets.masked(problem))
        timeout_s = agent.timeout_s if stage.timeout_s is None else stage.timeout_s
        work = self._work(stage, agent, task=stage.task, attempt=attempt, timeout_s=timeout_s)
        return await self._perform(work)

    async def perform_undo(
        self, stage: Stage, undo: Undo, step: PlanStep, event: RollbackEvent, attempt: int
    ) -> Outcome:
        """Do one attempt of a stage's undo; whatever goes wrong is an outcome with its reason."""
        if problem := await self._put_back(step, event, attempt):
            return Outcome(succeeded=False, reason=problem)
        if not step.task:
            return Outcome(succeeded=True)
        agent = self._agent(step.agent)
        if isinstance(agent, Outcome):
            return agent
        identity = self._identity(stage, step, event.id or 0, event.failed_stage_name)
        work = self._undo_work(stage, undo, step, agent, identity, attempt=attempt)
        try:
            return await self._perform(work)
        finally:  # nobody is told what an undo puts out
            remove_outputs(self._log_path(step.part, attempt, identity))

    async def ask_check(
        self, stage: Stage, undo: Undo, step: PlanStep, event: RollbackEvent, attempt: int
    ) -> Outcome:
        """Have the check of an undo run: exit code 1 says that there is nothing to undo."""
        if self.context.run.simulated:
            return Outcome(succeeded=True, exit_code=0)
        identity = self._identity(stage, step, event.id or 0, event.failed_stage_name)
        asker = checker(undo)
        return await self._perform(
            self._undo_work(stage, undo, step, asker, identity, attempt=attempt, kind=CHECK)
        )

    def rehearsed(
        self, stage: Stage, undo: Undo, step: PlanStep, agent: Agent, failed_stage: str
    ) -> Work | Outcome:
        """The work of an undo, or of its check, outside of any rollback; or why there is none."""
        identity = self._identity(stage, step, None, failed_stage)
        return self._undo_work(stage, undo, step, agent, identity, attempt=1, kind=REHEARSAL)

    def _undo_work(
        self,
        stage: Stage,
        undo: Undo,
        step: PlanStep,
        agent: Agent,
        identity: RollbackIdentity,
        *,
        attempt: int,
        kind: str = "",
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

    async def _keep(self, stage: Stage, attempt: int) -> str:
        """Take the snapshot that the stage needs before it starts; why not, "" when all is well."""
        if stage.snapshot is None or self.is_left(stage.name, attempt):
            return ""
        parts = tuple(one for one in parts_of(stage) if self._snapshots.is_due(stage, one))
        if not parts:
            return ""
        rendered = self._rendered(stage, "", self.values)
        if isinstance(rendered, Outcome):
            return rendered.reason
        workdir = Path(self.context.run.workdir, rendered.workdir)
        for part in parts:
            if problem := await self._keep_part(stage, stage.snapshot, attempt, workdir, part):
                return problem
        return ""

    async def _keep_part(
        self, stage: Stage, snapshot: Snapshot, attempt: int, workdir: Path, part: str | None
    ) -> str:
        """Take the snapshot of one component, or (None) of the stage as a whole."""
        known = _with_component(self.values, part)
        try:
            escaped = {name: escape(value) for name, value in known.items()}
            paths = tuple(substitute(path, escaped) for path in snapshot.paths)
            values = [
                (
                    name,
                    await self._answer(stage, attempt, name=name, script=script, component=part),
                )
                for name, script in snapshot.values
            ]
        except (UnknownVariable, NoAnswer) as error:
            return f"snapshot: {error}"
        return await self._snapshots.take(stage, workdir, paths, tuple(values), part)

    async def _answer(
        self,
        stage: Stage,
        attempt: int,
        *,
        name: str,
        script: str,
        component: str | None,
    ) -> str:
        """What the script of a value of a snapshot prints. Raises NoAnswer."""
        work = self._work(
            stage,
            Agent(name="snapshot", kind=AgentKind.SHELL, shell=script),
            task="",
            attempt=attempt,
            timeout_s=_LONGEST_QUESTION_S,
            kind=f"-snapshot-{name}",
            component=component,
        )
        if isinstance(work, Outcome):
            raise NoAnswer(work.reason)
        work = replace(work, log_path=self._log_path(stage.name, attempt))
        try:
            return await ask(work, self.permission.launcher(), script)
        except NoAnswer as error:
            raise NoAnswer(f"the value '{name}' is not known: {error}") from error
        finally:
            remove_outputs(work.log_path)

    async def _put_back(self, step: PlanStep, event: RollbackEvent, attempt: int) -> str:
        """Put back what was kept before the stage; why not, "" when it is as it was.

        What was taken back after its process had started has it behind it.
        """
        if not step.restores or self.is_left(step.part, attempt, event.id):
            return ""
        with self.permission.granted(event.id):
            return await self._snapshots.restore(step.stage_name, step.component)

    def _kept_values(self, stage: Stage, component: str | None) -> dict[str, str]:
        """What was asked for before the stage ran; nothing without a snapshot."""
        if stage.snapshot is None or not stage.snapshot.values:
            return {}
        return self._snapshots.values(stage.name, component)

    @property
    def _snapshots(self) -> Snapshots:
        return Snapshots(self.permission.executor, self.context)

    def forget_outputs(self, stage_name: str, attempt: int) -> None:
        """Remove the file of what an attempt of a stage put out: it is recorded by now."""
        remove_outputs(self._log_path(stage_name, attempt))

    def values_for(self, step: PlanStep) -> dict[str, str]:
        """What the texts of an undo may name, the release that it goes back to included."""
        stage = self.context.stages.get(step.stage_name)
        kept = self._kept_values(stage, step.component) if stage else {}
        return _with_component(self._values_with(self._previous(step), kept), step.component)

    def _values_with(
        self, previous: Mapping[str, str], snapshot: Mapping[str, str]
    ) -> dict[str, str]:
        own = {PREVIOUS + key: text for key, text in previous.items()}
        return self.values | own | {SNAPSHOT + key: text for key, text in snapshot.items()}

    def _previous(self, step: PlanStep) -> dict[str, str]:
        """What is known of the release that an undo goes back to; nothing without one."""
        if step.release is None:
            return {}
        return previous_values(self.context, self.permission.executor.database, step.release)

    async def _perform(self, work: Work | Outcome) -> Outcome:
        """Have work done; what could not be written out has failed with its reason."""
        if isinstance(work, Outcome):
            return work
        if work.agent.simulated == _PRETENCE:
            return Outcome(succeeded=True)
        await checkpoint_if_cancelled()  # what was stopped meanwhile is not started
        outcome = await self._do(work)
        if outcome.reason:
            return replace(outcome, reason=self.context.secrets.masked(outcome.reason))
        return outcome

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
        """What the agent is told, or why its texts cannot be filled in."""
        run, part = self.context.run, part_name(stage.name, component)
        values = self.values
        if rollback and (rollback.previous or rollback.snapshot):
            values = self._values_with(rollback.previous, rollback.snapshot)
        values = _with_component(values, component)
        rendered = self._rendered(stage, task, values)
        if isinstance(rendered, Outcome):
            return rendered
        return Work(
            run_id=run.id,
            stage_name=stage.name,
            agent=agent,
            task=rendered.task,
            attempt=attempt,
            workdir=self._workdir / rendered.workdir if rendered.workdir else self._workdir,
            log_path=self._log_path(part, attempt, rollback),
            idempotency_key=self.idempotency_key(part, rollback.rollback_id if rollback else None)
            + kind,
            environment=stage.environment,
            timeout_s=timeout_s,
            masker=self.context.secrets.masker,
            values=values,
            variables=self._environment(),
            inherited=self._inherited,
            stage_env=stage.env,
            rollback=rollback,
            is_exposed=self._is_exposed,
            components=stage.components,
            component=component,
        )

    async def _do(self, work: Work) -> Outcome:
        """Have it done; what has no process of its own is not taken over while it is done."""
        rollback_id = work.rollback.rollback_id if work.rollback else None
        if (process := self.left.pop(work.key, None)) is not None:
            return await perform(work, TakenBack(self.permission.guard(process, rollback_id)))
        launcher = self.permission.launcher(rollback_id)
        if work.agent.kind is not AgentKind.HTTP:
            return await perform(work, launcher)
        await self.permission.executor.room.wait()
        with self.permission.granted(rollback_id):
            return await perform(work, launcher)

    def _rendered(self, stage: Stage, task: str, values: Mapping[str, str]) -> _Rendered | Outcome:
        """The texts of an attempt with their values, or why they cannot be filled in."""
        fill = partial(substitute, values=values, keep_unknown=self.context.run.simulated)
        try:
            return _Rendered(task=fill(task), workdir=fill(stage.workdir or ""))
        except UnknownVariable as error:
            return Outcome(succeeded=False, reason=self._lost.get(error.name, str(error)))

    def _log_path(
        self, stage_name: str, attempt: int, rollback: RollbackIdentity | None = None
    ) -> Path:
        if rollback is None:
            return self.files.log(self.context.id, stage_name, attempt)
        rollback_id = rollback.rollback_id or 0
        return self.files.undo_log(self.context.id, rollback_id, stage_name, attempt)

    def _agent(self, name: str) -> Agent | Outcome:
        if self.context.run.simulated:
            return Agent(name=name, kind=AgentKind.SIMULATED, simulated=_PRETENCE)
        agent = self.context.pipeline.agent(name)
        return agent or Outcome(succeeded=False, reason=f"agent '{name}' is not defined")

    def _environment(self) -> dict[str, str]:
        environment = environment_of(self._declared, self._own, self.outputs)
        environment[PIPELINE_DIR] = self.context.run.pipeline_dir
        return environment

    def is_left(self, stage_name: str, attempt: int, rollback_id: int | None = None) -> bool:
        """Whether the process of an attempt was taken back."""
        return attempt_key(self.idempotency_key(stage_name, rollback_id), attempt) in self.left

    def goes_on(self, stage_name: str, attempt: int, rollback_id: int | None = None) -> bool:
        """Whether something of an attempt that was taken back still runs below its host."""
        key = attempt_key(self.idempotency_key(stage_name, rollback_id), attempt)
        return key in self.left and self.left[key].tree_lives()

    def is_unstarted(self, stage_name: str, attempt: int, rollback_id: int | None = None) -> bool:
        """Whether an attempt of a dead executor never had a process."""
        key = attempt_key(self.idempotency_key(stage_name, rollback_id), attempt)
        return key in self.unstarted

    def idempotency_key(self, stage_name: str, rollback_id: int | None = None) -> str:
        """The same for every attempt of a stage, or of its undo, and for no other work."""
        return work_key(self._run_key, stage_name, rollback_id)


def checker(undo: Undo) -> Agent:
    """Who asks the check of an undo."""
    codes = (0, NOT_NEEDED)
    return Agent(name="check", kind=AgentKind.SHELL, shell=undo.check, success_codes=codes)


def _with_component(values: dict[str, str], component: str | None) -> dict[str, str]:
    """The values, with the component that work is for; None is the stage as a whole."""
    return values if component is None else {**values, COMPONENT: component}
