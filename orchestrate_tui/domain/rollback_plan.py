"""What a rollback would do: its steps in their order, what it leaves out, and what it warns of."""

from __future__ import annotations

from orchestrate_tui.domain.components import part_name
from orchestrate_tui.domain.headings import environments_among, headings
from orchestrate_tui.domain.rollback import IRREVERSIBLE, NOTHING_TO_UNDO
from orchestrate_tui.domain.snapshot import PathChange
from orchestrate_tui.domain.value import value
from orchestrate_tui.values import dataclass


@value
class PlanStep:
    """One undo. `restores` names what is put back from a snapshot before the agent runs.

    Without a task that is all, and there is no agent. `changes` is what that would change where
    somebody looked, without the last `unlisted` ones, and `obstacles` why it would be refused then.

    `component` is the part of the stage that is undone, None the stage as a whole; `environment`
    where it is undone, None where the stage names none.
    `from_version` is what the stage brought to its environment, "" without a version; `release`
    what the undo goes back to, with its version, None where there was none before.
    """

    stage_name: str
    agent: str
    task: str
    restores: tuple[str, ...] = ()
    irreversible: bool = False
    idempotent: bool = False
    from_version: str = ""
    to_version: str = ""
    release: int | None = None
    changes: tuple[PathChange, ...] = ()
    unlisted: int = 0
    obstacles: tuple[str, ...] = ()
    component: str | None = None
    environment: str | None = None

    @property
    def part(self) -> str:
        """The stage, or the part of it that is undone, as files, keys and people name it."""
        return part_name(self.stage_name, self.component)

    @property
    def doing(self) -> str:
        """What it puts back, and what its agent is told, in one line."""
        parts = [f"put back {', '.join(self.restores)}"] if self.restores else []
        return ", then ".join((*parts, f"{self.task} ({self.agent})") if self.task else parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSkip:
    """A stage, or a component of it, that belongs to the rollback but has no step, and why.

    `is_stuck` says that it has an undo, which has nothing to go back to.
    """

    stage_name: str
    reason: str
    is_stuck: bool = False
    component: str | None = None

    @property
    def part(self) -> str:
        """The stage, or the part of it, as people name it."""
        return part_name(self.stage_name, self.component)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """What a rollback from `failed_stage` to `target` would do, in order.

    `refusal` is the sentence that says why it cannot be carried out, "" when it can. A plan has to
    be forced that has `overwrites`, what would be lost that others did since, or where a `newer`
    run has deployed to the same environment, or a `hindrance`: what depends on the `components`
    that were chosen, () for all, and would stay. Without `cascade` it undoes the target alone.

    `irreversible` names the stages in scope whose effects cannot be taken back. `hash` covers
    the target, the components, the started stages in scope and each undo, so that a plan shown
    to an operator can be compared with the plan at the moment of the request. `definition` is the
    hash of the one whose undos are used, "" for that of the run, and `differences` says where it
    is another.
    """

    failed_stage: str
    target: str
    components: tuple[str, ...] = ()
    cascade: bool = True
    steps: tuple[PlanStep, ...] = ()
    skipped: tuple[PlanSkip, ...] = ()
    warnings: tuple[str, ...] = ()
    irreversible: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    refusal: str = ""
    newer: str = ""
    hindrance: str = ""
    hash: str = ""
    overwrites: tuple[str, ...] = ()
    definition: str = ""
    differences: tuple[str, ...] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """Where it undoes something, in the order of the steps."""
        return environments_among(step.environment for step in self.steps)

    @property
    def headings(self) -> tuple[str, ...]:
        """For each step what to write above it; see domain.headings."""
        return headings([step.environment for step in self.steps])

    @property
    def told_skips(self) -> tuple[PlanSkip, ...]:
        """What is skipped for a reason of which no warning tells."""
        told = {NOTHING_TO_UNDO, IRREVERSIBLE}
        return tuple(one for one in self.skipped if one.reason not in told and not one.is_stuck)

    @property
    def must_be_forced(self) -> bool:
        """Whether it would take back what others did since, or what others depend on."""
        return bool(self.newer or self.overwrites or self.hindrance)
