"""What a dead executor had under way: what is taken back, repeated, or needs a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from orchestrate_tui.agents.contract import Process
from orchestrate_tui.agents.left_programs import Left, LeftPrograms
from orchestrate_tui.agents.supervision import end_tree
from orchestrate_tui.domain.events import RollbackEvent, RollbackStep
from orchestrate_tui.domain.pipeline import DEFAULT_GRACE_S, AgentKind
from orchestrate_tui.domain.run import Run, Settlement, StageRun
from orchestrate_tui.domain.status import StageStatus, StepStatus
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.context import RunContext
from orchestrate_tui.executor.instructions import Instructions
from orchestrate_tui.values import dataclass

_UNDER_WAY = frozenset({StageStatus.RUNNING, StageStatus.INTERRUPTED})
_STEPS_UNDER_WAY = frozenset({StepStatus.RUNNING, StepStatus.INTERRUPTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftStage:
    """A stage that was running when its executor died.

    `left` says what is known of it, `is_repeatable` whether it may run again without asking.
    """

    stage_name: str
    left: Left
    is_repeatable: bool = False

    @property
    def needs_settlement(self) -> bool:
        """Whether somebody has to say what became of it."""
        return self.left is Left.LOST and not self.is_repeatable


@dataclass(frozen=True, slots=True)
class LeftWork:
    """What was found of a dead executor's work: by the keys of attempts.

    `processes` go on, or have ended meanwhile; `unstarted` attempts never had a process.
    """

    processes: dict[str, Process] = field(default_factory=dict)
    unstarted: set[str] = field(default_factory=set)


class Survey:
    """Looks what became of the attempts of one run."""

    def __init__(
        self, programs: LeftPrograms, context: RunContext, instructions: Instructions
    ) -> None:
        self._programs = programs
        self._context = context
        self._instructions = instructions

    def stages(self, stages: Iterable[StageRun], owner_boot: str) -> tuple[LeftStage, ...]:
        """How the stages stand that were running; nothing is changed by looking."""
        return tuple(
            LeftStage(
                stage_name=stage.stage_name,
                left=self._programs.progress(self._key(stage), owner_boot),
                is_repeatable=self._is_repeatable(stage),
            )
            for stage in stages
            if stage.status in _UNDER_WAY
        )

    def lost(self, stages: Iterable[StageRun], work: LeftWork) -> tuple[LeftStage, ...]:
        """The interrupted stages that `work` knows nothing of."""
        return tuple(
            LeftStage(
                stage_name=stage.stage_name,
                left=Left.LOST,
                is_repeatable=self._is_repeatable(stage),
            )
            for stage in stages
            if stage.status is StageStatus.INTERRUPTED
            and self._key(stage) not in {*work.processes, *work.unstarted}
        )

    async def take_stages(self, work: LeftWork, stages: Iterable[StageRun], boot: str) -> None:
        """Add to `work` what can be taken back of the stages that were running."""
        for stage in stages:
            if stage.status in _UNDER_WAY:
                await self._take(work, self._key(stage), stage.agent, boot)

    async def take_steps(
        self, work: LeftWork, event: RollbackEvent, steps: Iterable[RollbackStep], boot: str
    ) -> None:
        """Add to `work` what can be taken back of the steps of a rollback that were running."""
        for step in steps:
            if step.status in _STEPS_UNDER_WAY:
                await self._take(work, self._step_key(event, step), step.agent, boot)

    async def _take(self, work: LeftWork, key: str, agent: str, boot: str) -> None:
        match self._programs.progress(key, boot):
            case Left.RUNNING | Left.ENDED:
                leaves = self._leaves_processes(agent)
                process = await self._programs.take(key, leaves_processes=leaves)
                if process is not None:
                    work.processes[key] = process
            case Left.NOT_STARTED:
                work.unstarted.add(key)
            case Left.LOST:
                pass

    def _key(self, stage: StageRun) -> str:
        return self._instructions.key(stage.stage_name, stage.attempt)

    def _step_key(self, event: RollbackEvent, step: RollbackStep) -> str:
        return self._instructions.key(step.part, step.attempt, event.id)

    def _is_repeatable(self, stage: StageRun) -> bool:
        """Whether it is marked so, or only pretends."""
        definition = self._context.pipeline.stages[stage.position]
        agent = self._context.pipeline.agent(stage.agent)
        pretends = agent is not None and agent.kind is AgentKind.SIMULATED
        return definition.idempotent or pretends or self._context.run.simulated

    def _leaves_processes(self, agent_name: str) -> bool:
        agent = self._context.pipeline.agent(agent_name)
        return agent is not None and agent.leaves_processes


async def end_all(work: LeftWork) -> None:
    """End the processes that were taken back."""
    for process in work.processes.values():
        if process.tree_lives():
            await end_tree(process, DEFAULT_GRACE_S)


def check_settled(run: Run, stages: Iterable[LeftStage], settled: Mapping[str, Settlement]) -> None:
    """Raise Refused unless everything is settled that needs it, and nothing else is."""
    known = tuple(stages)
    interrupted = [stage.stage_name for stage in known]
    for name in settled:
        if name not in interrupted:
            raise Refused(
                f"Stage '{name}' of run {run.id} was not interrupted",
                next_step=f"See it with: orchestrate-tui show {run.id}",
            )
        if next(one for one in known if one.stage_name == name).left is Left.RUNNING:
            raise Refused(
                f"Stage '{name}' of run {run.id} still runs: it is taken back, not settled",
                next_step=f"Go on with it: orchestrate-tui resume {run.id}",
            )
    open_names = [
        stage.stage_name
        for stage in known
        if stage.needs_settlement and stage.stage_name not in settled
    ]
    if open_names:
        names = ", ".join(f"'{name}'" for name in open_names)
        options = " ".join(f"--stage {name} --as rerun|done|failed" for name in open_names)
        raise Refused(
            f"Nobody knows how far {names} of run {run.id} came, and running it again may not be"
            " safe: it is not marked `idempotent`",
            next_step=f"Look at its log, then: orchestrate-tui resume {run.id} {options}",
        )
