"""Work written out with its values, without doing it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from orchestrate_tui.agents.contract import Work
from orchestrate_tui.agents.environment import output_path, own_environment, text_values
from orchestrate_tui.agents.process import workdir_of
from orchestrate_tui.domain.pipeline import AgentKind
from orchestrate_tui.domain.rehearsal import WrittenUndo
from orchestrate_tui.domain.variables import UnknownVariable, UnsafeValue, render_command

T = TypeVar("T")


def written(work: Work, *, coming: Collection[Path] = ()) -> WrittenUndo:
    """What doing `work` would start, and every reason why it could not be started.

    What is put back before at the paths `coming` need not be there yet.
    """
    problems: list[str] = []
    command = _tried(problems, lambda: _command(work)) or ()
    environment = _tried(problems, lambda: own_environment(work, output_path(work))) or {}
    workdir = _tried(problems, lambda: workdir_of(work))
    if workdir is not None and work.agent.kind.is_process:
        searched = environment.get("PATH") or (work.inherited or os.environ).get("PATH")
        problems += _absent_folder(workdir, coming)
        problems += _absent_program(work, command, workdir, searched, coming)
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


def _absent_folder(workdir: Path, coming: Collection[Path]) -> tuple[str, ...]:
    """That the folder is not there, nor made for what comes back."""
    if workdir.is_dir() or _comes(workdir, coming):
        return ()
    is_made = any(Path(one) in path.parents for one in _spelt(workdir) for path in coming)
    return () if is_made else (f"there is no folder {workdir}",)


def _absent_program(
    work: Work,
    command: tuple[str, ...],
    workdir: Path,
    searched: str | None,
    coming: Collection[Path],
) -> tuple[str, ...]:
    """That the program is not there; one named by a path is looked for only with its folder."""
    if work.agent.kind is not AgentKind.COMMAND or not command:
        return ()
    name = command[0]
    if "/" not in name:
        is_there = shutil.which(name, path=searched) is not None
    elif _absent_folder(workdir, coming):
        is_there = True  # that the folder is not there says enough
    else:
        is_there = os.access(workdir / name, os.X_OK) or _comes(workdir, coming, name)
    return () if is_there else (f"there is no program '{name}'",)


def _comes(folder: Path, coming: Collection[Path], name: str = "") -> bool:
    """Whether a path lies at, or below, one that is put back first."""
    there = (Path(one) for one in _spelt(folder, name))
    return any(path == one or path in one.parents for one in there for path in coming)


def _spelt(folder: Path, name: str = "") -> tuple[str, ...]:
    """A path as it may be meant: links on its way may be others once they are put back."""
    real = os.path.realpath(folder)
    whole = os.path.join(folder, name)  # noqa: PTH118  (a Path keeps no `..` to be resolved)
    return (
        os.path.normpath(whole),
        os.path.normpath(os.path.join(real, name)),  # noqa: PTH118
        os.path.realpath(whole),
    )
