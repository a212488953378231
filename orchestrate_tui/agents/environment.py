"""What a process is told: the values of its texts and its environment variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestrate_tui.agents.contract import Work
from orchestrate_tui.agents.leftovers import KEY_VARIABLE
from orchestrate_tui.domain.pipeline import Pairs
from orchestrate_tui.domain.release import variables_of
from orchestrate_tui.domain.snapshot import snapshot_variables
from orchestrate_tui.domain.variables import UnsafeValue, substitute


def own_environment(work: Work, outputs: Path) -> dict[str, str]:
    """What a process that does `work` is given beside what it inherits; later sources win.

    The pipeline's variables, the agent's `env`, the stage's, and what is ours. Raises
    UnknownVariable, or UnsafeValue for what no environment can hold.
    """
    values = text_values(work)
    own = dict(work.variables)
    own.update(_rendered(work.agent.env, values))
    own.update(_rendered(work.stage_env, values))
    own.update(_identity(work, outputs))
    for name, value in own.items():
        if "\0" in value:
            raise UnsafeValue(f"the environment variable '{name}' contains a NUL character")
    return own


def text_values(work: Work) -> dict[str, str]:
    """The values of `${name}` in the texts of an agent and in the `env` of a stage."""
    return {
        **work.values,
        "task": work.task,
        "stage": work.stage_name,
        "run_id": str(work.run_id),
    }


def output_path(work: Work) -> Path:
    """The file that a process may append `key=value` lines to; it is empty beforehand."""
    return outputs_beside(work.log_path)


def outputs_beside(log_path: Path) -> Path:
    """The file of the outputs of the attempt that has this log."""
    return log_path.absolute().with_suffix(".out")


def remove_outputs(log_path: Path) -> None:
    """Remove the file of the outputs of the attempt that has this log, if there is one."""
    with suppress(OSError):  # a stage may have made it a folder
        outputs_beside(log_path).unlink()


def _rendered(pairs: Pairs, values: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in pairs:
        yield name, substitute(text, values)


def _identity(work: Work, outputs: Path) -> dict[str, str]:
    identity = {
        "ORCHESTRATE_RUN_ID": str(work.run_id),
        "ORCHESTRATE_STAGE": work.stage_name,
        "ORCHESTRATE_AGENT": work.agent.name,
        "ORCHESTRATE_TASK": work.task,
        "ORCHESTRATE_ATTEMPT": str(work.attempt),
        "ORCHESTRATE_ENVIRONMENT": work.environment or "",
        "ORCHESTRATE_OUTPUT": str(outputs),
        KEY_VARIABLE: work.idempotency_key,
    }
    if work.components:
        identity["ORCHESTRATE_COMPONENTS"] = " ".join(work.components)
    if work.component is not None:
        identity["ORCHESTRATE_COMPONENT"] = work.component
    if work.rollback:
        if work.rollback.rollback_id is None:
            identity["ORCHESTRATE_REHEARSAL"] = "1"
        else:
            identity["ORCHESTRATE_ROLLBACK_ID"] = str(work.rollback.rollback_id)
        identity["ORCHESTRATE_FAILED_STAGE"] = work.rollback.failed_stage
        identity |= variables_of(work.rollback.previous)
        identity |= snapshot_variables(work.rollback.snapshot)
    return identity
