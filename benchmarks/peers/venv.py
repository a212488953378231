"""An environment for each peer, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / ".peers"
INSTALL_S = 600


class NotInstalled(Exception):
    """A peer could not be installed; the text says why in a line."""


def python_of(key: str) -> Path:
    """The interpreter of a peer's environment, made anew when its requirements have changed.

    Raises NotInstalled.
    """
    wanted = (HERE / key / "requirements.txt").read_text()
    environment = ENVIRONMENTS / key
    python, mark = environment / "bin" / "python", environment / "installed.txt"
    if not (mark.exists() and mark.read_text() == wanted):
        print(f"  installing {key} into {environment} ...", flush=True)
        _make(environment, HERE / key / "requirements.txt")
        mark.write_text(wanted)
    return python


def version_of(key: str) -> str:
    """The version that is pinned."""
    for line in (HERE / key / "requirements.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if name == key:
            return version
    raise KeyError(key)


def _make(environment: Path, requirements: Path) -> None:
    # pip stays outside: Debian's Python cannot put it in
    _call("-m", "venv", "--clear", "--without-pip", str(environment))
    python = str(environment / "bin" / "python")
    quiet = ("--quiet", "--disable-pip-version-check")
    _call("-m", "pip", "--python", python, "install", *quiet, "-r", str(requirements))


def _call(*words: str) -> None:
    outside = Path(sys.base_prefix, "bin", "python3")  # an environment of ours may have no pip
    command = [str(outside), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=INSTALL_S
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"could not be installed in {INSTALL_S} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise NotInstalled(f"could not be installed: {said[-1].strip()[:200]}")
