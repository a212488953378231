"""What an agent is told, what it answers, and what it needs to start processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Protocol

from orchestrate_tui.agents.log import StageLog
from orchestrate_tui.domain.keys import attempt_key
from orchestrate_tui.domain.pipeline import DEFAULT_GRACE_S, Agent, Pairs
from orchestrate_tui.stagehost.masking import Masker
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackIdentity:
    """The rollback that an undo belongs to; `rollback_id` None means that it is rehearsed."""

    rollback_id: int | None
    failed_stage: str
    previous: Mapping[str, str] = field(default_factory=dict, repr=False)
    snapshot: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One attempt of a stage, or of an undo when `rollback` is set.

    `task` is rendered; `values` fill the `${name}` of the agent's own texts and of `stage_env`.
    `variables` are the environment variables that carry those values to a process. `timeout_s`
    None means no limit. `inherited` is what a process inherits of the executor's environment;
    None means that it is looked up. `log_path` is created when there is something to write.
    `masker` knows what must not be shown, None when nothing is secret; the work itself may change
    what stands in `secret_files`, which `masker_now` knows as well (None: nobody does).
    `is_exposed` says that others may enter the folder of its log. `components` are those of the
    stage, `component` the one that this work is for, None for all of them.
    """

    run_id: int
    stage_name: str
    agent: Agent
    task: str = field(repr=False)
    attempt: int
    workdir: Path
    log_path: Path
    idempotency_key: str
    environment: str | None = None
    timeout_s: float | None = None
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    inherited: Mapping[str, str] | None = field(default=None, repr=False)
    stage_env: Pairs = ()
    rollback: RollbackIdentity | None = None
    masker: Masker | None = None
    masker_now: Callable[[], Masker | None] | None = field(default=None, repr=False)
    secret_files: tuple[str, ...] = ()
    is_exposed: bool = False
    components: tuple[str, ...] = ()
    component: str | None = None

    @property
    def log(self) -> StageLog:
        """Where agents write what they have to say."""
        masker = self.masker_now() if self.masker_now else self.masker
        return StageLog(self.log_path, masker)

    @property
    def key(self) -> str:
        """What tells this attempt from every other work."""
        return attempt_key(self.idempotency_key, self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended. `reason` is one sentence, "" on success.

    `exit_code` is that of the process, or the status of the HTTP answer; None without either.
    `has_output_file` says that the file of the outputs is there: whoever records the outcome
    removes it then, and not before. Until then it is all that is known of them.
    `is_refused` says that nothing was begun, because it may not be.
    """

    succeeded: bool
    exit_code: int | None = None
    reason: str = ""
    outputs: Pairs = ()
    has_output_file: bool = False
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A process to start: its standard output and error are appended to `log_path`.

    `run_id` is the run that it is for. `key` is its own, whoever starts it. `environment` stands
    over `inherited`. `timeout_s` (None: no limit) and `grace_s` say how to end it when its
    executor is gone. With `leaves_processes` what leaves its session is kept.
    Where `secret_forms` is not empty, its output goes through a MaskedSink that is given these,
    and the `secret_files` that may bring others.
    """

    run_id: int
    key: str
    argv: tuple[str, ...] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    inherited: Mapping[str, str] = field(default_factory=dict, repr=False)
    workdir: Path
    log_path: Path
    secret_forms: bytes = field(default=b"", repr=False)
    secret_files: tuple[str, ...] = ()
    timeout_s: float | None = None
    grace_s: float = DEFAULT_GRACE_S
    leaves_processes: bool = False


Services = tuple[tuple[int, str], ...]
"""Processes, each with what it calls itself, which comes from outside."""


class Process(Protocol):
    """A started process and all that it started."""

    @property
    def pid(self) -> int:
        """The process at the head of the tree."""
        ...

    @property
    def ran_s(self) -> float:
        """Seconds that it had run when it came into our hands; 0 for one that we started."""
        ...

    @property
    def timed_out(self) -> bool:
        """Whether somebody else ended it at its time limit, while no executor was there."""
        ...

    @property
    def kept(self) -> Services:
        """What left the session of a head that ended, where its agent `leaves_processes`."""
        ...

    def signal_tree(self, signal: int) -> None:
        """Send `signal` to the whole tree; nothing happens when it is gone."""
        ...

    def tree_lives(self) -> bool:
        """Whether the head has not been waited for, or anything that it started is left."""
        ...

    def let_go(self) -> None:
        """Control it no more: another executor has it, or its host enforces its time limit."""
        ...

    async def wait(self) -> int:
        """Wait for the head of the tree; its exit code, or minus the signal that ended it.

        Raises OSError when that can no longer be known. May be cancelled and called again, but
        not twice at the same time.
        """
        ...

    async def wait_tree(self) -> None:
        """Wait until nothing of the tree runs any more, its head included."""
        ...


class TakenOver(OSError):
    """Another executor has the process by now, its log and its outputs too."""

    def __str__(self) -> str:
        return "it was taken over"


class Launcher(Protocol):
    """What starts processes; the only way by which agents do."""

    async def start(self, program: Program) -> Process:
        """Start `program`.

        Raises OSError when it cannot be started, ValueError when the system cannot be given its
        arguments or environment.
        """
        ...


class OwnLauncher(Launcher, Protocol):
    """A launcher that belongs to one executor, and ends with it."""

    def prepare(self) -> None:
        """Begin what the first program would wait for; what fails now is tried again then."""
        ...

    def close(self) -> None:
        """Start nothing more. What still runs is left to itself."""
        ...
