"""Work written out with its values, without doing it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from orchestrate_tui.agents.contract import Work
from orchestrate_tui.agents.environment import output_path, own_environment, text_values
from orchestrate_tui.agents.process import workdir_of
from orchestrate_tui.domain.pipeline import AgentKind
from orchestrate_tui.domain.rehearsal import WrittenUndo
from orchestrate_tui.domain.variables import UnknownVariable, UnsafeValue, render_command

T = TypeVar("T")

_PROCESSES = frozenset({AgentKind.COMMAND, AgentKind.SHELL, AgentKind.PYTHON})


def written(work: Work, *, restores: bool = False) -> WrittenUndo:
    """What doing `work` would start, and every reason why it could not be started.

    Where a rollback `restores` something, what it names by a path may be there only then.
    """
    problems: list[str] = []
    command = _tried(problems, lambda: _command(work)) or ()
    environment = _tried(problems, lambda: own_environment(work, output_path(work))) or {}
    workdir = _tried(problems, lambda: workdir_of(work))
    if workdir is not None and work.agent.kind in _PROCESSES:
        problems += _absent_folder(workdir) if not restores else ()
        searched = environment.get("PATH") or (work.inherited or os.environ).get("PATH")
        problems += _absent_program(work, command, None if restores else workdir, searched)
    return WrittenUndo(
        kind=work.agent.kind,
        command=command,
        workdir=str(workdir or ""),
        environment=tuple(sorted(environment.items())),
        problems=tuple(dict.fromkeys(problems)),
    )


def _tried(problems: list[str], write: Callable[[], T]) -> T | None:
    try:
        return write()
    except (UnknownVariable, UnsafeValue, UnicodeError) as error:
        problems.append(str(error))
        return None


def _command(work: Work) -> tuple[str, ...]:
    match work.agent.kind:
        case AgentKind.COMMAND:
            return render_command(work.agent.command, text_values(work))
        case AgentKind.SHELL:
            return ("/bin/sh", "-e", "-c", work.agent.shell)
        case AgentKind.PYTHON:
            return (work.agent.python,)
        case AgentKind.HTTP:
            # httpx takes longer to import than the rest of a rehearsal
            from orchestrate_tui.agents.http import request_lines  # noqa: PLC0415

            return request_lines(work)
        case AgentKind.SIMULATED:
            return ()


def _absent_folder(workdir: Path) -> tuple[str, ...]:
    return () if workdir.is_dir() else (f"there is no folder {workdir}",)


def _absent_program(
    work: Work, command: tuple[str, ...], workdir: Path | None, searched: str | None
) -> tuple[str, ...]:
    """That the program is not there; one named by a path is looked for only with its folder."""
    if work.agent.kind is not AgentKind.COMMAND or not command:
        return ()
    name = command[0]
    if "/" in name:
        is_there = workdir is None or not workdir.is_dir() or os.access(workdir / name, os.X_OK)
    else:
        is_there = shutil.which(name, path=searched) is not None
    return () if is_there else (f"there is no program '{name}'",)
