"""A pipeline as its file describes it: stages, agents, triggers and their settings.

Durations are seconds. Mappings are tuples of pairs, so that every value is frozen and hashable.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from orchestrate_tui.domain.conditions import Condition
from orchestrate_tui.domain.notifying import NotifyRule
from orchestrate_tui.values import dataclass

Pairs = tuple[tuple[str, str], ...]
"""A mapping of text to text in the order of the file."""

ROLLBACK_AGENT = "rollback-agent"
"""The agent that undoes a rollback target which names no undo of its own."""

DEFAULT_MAX_PARALLEL = 8
DEFAULT_APPROVAL_TIMEOUT_S = 24 * 3600.0
DEFAULT_UNDO_TIMEOUT_S = 30 * 60.0
DEFAULT_GRACE_S = 10.0
DEFAULT_BREAKER = 3


class OnFailure(StrEnum):
    """What a stage that failed for good does to its run."""

    HALT = "halt"
    """Nothing more starts and the run fails."""
    CONTINUE = "continue"
    """Its dependants go on and the run can still succeed."""
    ROLLBACK = "rollback"
    """Nothing more starts and what the rollback target did is undone."""


class OnTimeout(StrEnum):
    """What an approval does when nobody decided in time."""

    REJECT = "reject"
    """The stage counts as rejected by expiry."""
    APPROVE = "approve"
    """The stage goes on."""


class AgentKind(StrEnum):
    """How an agent does its work."""

    COMMAND = "command"
    """A program and its arguments, without a shell."""
    SHELL = "shell"
    """A script for /bin/sh."""
    PYTHON = "python"
    """A Python function, in a process of its own."""
    HTTP = "http"
    """One HTTP request."""
    SIMULATED = "simulated"
    """Nothing; it only waits and answers."""

    @property
    def is_process(self) -> bool:
        """Whether it starts a program on this machine."""
        return self in {AgentKind.COMMAND, AgentKind.SHELL, AgentKind.PYTHON}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a stage is tried; `attempts` counts the first try."""

    attempts: int = 1
    delay_s: float = 0.0
    backoff: float = 1.0

    def delay_before(self, attempt: int) -> float:
        """Seconds to wait before `attempt` (2 is the first repetition)."""
        return self.delay_s * self.backoff ** max(attempt - 2, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who has to approve a stage before it starts.

    `quorum` None means every listed entry. `timeout_s` None means it never expires.
    """

    approvers: tuple[str, ...]
    quorum: int | None = None
    timeout_s: float | None = DEFAULT_APPROVAL_TIMEOUT_S
    on_timeout: OnTimeout = OnTimeout.REJECT

    @property
    def needed(self) -> int:
        """How many entries have to be satisfied."""
        return len(self.approvers) if self.quorum is None else self.quorum


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How a stage is undone. `agent` None means the stage's own agent.

    `then` names stages that have to be undone after this one, wherever they stand. `check` is a
    script that says with 0 that the undo is still needed and with 1 that it is not; "" is none.
    """

    task: str
    agent: str | None = None
    timeout_s: float = DEFAULT_UNDO_TIMEOUT_S
    retry: Retry = field(default_factory=Retry)
    idempotent: bool = False
    irreversible: bool = False
    then: tuple[str, ...] = ()
    check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is kept before a stage runs: what lies at `paths`, and the answers to `values`.

    Paths are globs below the stage's folder; a value is a script whose output is kept.
    """

    paths: tuple[str, ...] = ()
    values: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a pipeline.

    `depends_on` None means everything above it in the file, () means nothing. `timeout_s` None
    leaves the limit to the agent. `workdir` None means the folder of the run. `idempotent` says
    that it may run again when nobody knows how far it came. `components` are the parts of the
    product that it deploys, each of which is undone by itself.
    """

    name: str
    agent: str
    task: str
    timeout_s: float | None = None
    on_failure: OnFailure = OnFailure.HALT
    rollback_to: str | None = None
    approval: Approval | None = None
    environment: str | None = None
    depends_on: tuple[str, ...] | None = None
    parallel_with: tuple[str, ...] = ()
    when: Condition | None = None
    retry: Retry = field(default_factory=Retry)
    idempotent: bool = False
    env: Pairs = ()
    workdir: str | None = None
    components: tuple[str, ...] = ()
    rollback: Undo | None = None
    snapshot: Snapshot | None = None

    @property
    def rollback_target(self) -> str | None:
        """The stage an automatic rollback of this one goes back to; None when it has none."""
        if self.on_failure is not OnFailure.ROLLBACK:
            return None
        return self.rollback_to or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request and what counts as success.

    `expect_status` () means any 2xx. `expect_body` is text the answer must contain; "" means any.
    """

    method: str = "GET"
    url: str
    headers: Pairs = ()
    body: str = ""
    expect_status: tuple[int, ...] = ()
    expect_body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a simulated agent pretends."""

    duration_s: float = 0.0
    fail: bool = False
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who does a stage's work; the field of its `kind` is set, the others are empty.

    `timeout_s` None means no limit; a stage's own timeout comes first. `grace_s` is the time
    between SIGTERM and SIGKILL. `leaves_processes` keeps what left the stage's own session.
    """

    name: str
    kind: AgentKind
    command: tuple[str, ...] = ()
    shell: str = ""
    python: str = ""
    http: HttpRequest | None = None
    simulated: Simulation | None = None
    env: Pairs = ()
    workdir: str | None = None
    timeout_s: float | None = None
    grace_s: float = DEFAULT_GRACE_S
    success_codes: tuple[int, ...] = (0,)
    leaves_processes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An event that starts the pipeline; `branches` () means any branch."""

    event: str
    branches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Where a value lies that must never be shown; one of the two is set.

    `env` is a variable of the executor's environment, `file` a path seen from the pipeline's
    folder.
    """

    env: str = ""
    file: str = ""

    @property
    def label(self) -> str:
        """What stands for its value; no other secret of a pipeline has this one."""
        return self.env or f"file:{self.file}"

    def __str__(self) -> str:
        return f"the environment variable '{self.env}'" if self.env else f"the file '{self.file}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What is special about an environment; `protected` asks consoles for care.

    After `breaker` automatic rollbacks of the pipeline there within an hour no new run of it goes
    there until somebody resets that; 0 means never.
    """

    name: str
    protected: bool = False
    breaker: int = DEFAULT_BREAKER


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A whole pipeline. `agents` are those that its file, `agents.yaml` or the user define."""

    name: str
    description: str = ""
    version: str = "1"
    triggers: tuple[Trigger, ...] = ()
    variables: Pairs = ()
    secrets: tuple[Secret, ...] = ()
    environments: tuple[Environment, ...] = ()
    agents: tuple[Agent, ...] = ()
    max_parallel: int = DEFAULT_MAX_PARALLEL
    fail_fast: bool = False
    parallel_rollback: bool = False
    notify: tuple[NotifyRule, ...] = ()
    stages: tuple[Stage, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """The environment variables that hold the addresses of who is told, each once."""
        return tuple(dict.fromkeys(name for rule in self.notify for name in rule.channels))

    @property
    def starts_programs(self) -> bool:
        """Whether any of its stages does."""
        agents = {agent.name for agent in self.agents if agent.kind.is_process}
        return bool(agents) and any(stage.agent in agents for stage in self.stages)

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, or None."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def breaker(self, environment: str) -> int:
        """After how many automatic rollbacks there no new run goes to the environment."""
        limits = {one.name: one.breaker for one in self.environments}
        return limits.get(environment, DEFAULT_BREAKER)

    def agent(self, name: str) -> Agent | None:
        """The agent of that name, or None."""
        for agent in self.agents:
            if agent.name == name:
                return agent
        return None
