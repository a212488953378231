"""Another user of this machine, who owns nothing of what is tested."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
INTERPRETERS = (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3")
IMPORTS = "import anyio, msgspec, sqlite_utils, textual, yaml, orchestrate_tui.cli"
COMMAND = "import sys; from orchestrate_tui.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True, slots=True)
class OtherUser:
    """A user without rights; `python` is an interpreter that they may run."""

    name: str
    python: str

    @classmethod
    def named(cls, name: str) -> OtherUser:
        """A user of the system. Skips the test where nobody can become them."""
        if os.geteuid() != 0:
            pytest.skip("only root can become another user")
        if name not in {account.pw_name for account in pwd.getpwall()}:
            pytest.skip(f"this machine has no user {name}")
        for python in INTERPRETERS:
            if _can_run(name, python):
                return cls(name, python)
        return pytest.skip(f"{name} may run no Python that has what this program needs")

    def start(
        self, script: str, *arguments: object, groups: Sequence[int] = (), **environment: str
    ) -> subprocess.Popen[str]:
        """Begin a Python script as this user, also in `groups`."""
        return _start(self.name, self.python, script, arguments, groups, environment)

    def run(
        self, *arguments: object, groups: Sequence[int] = (), **environment: str
    ) -> tuple[int, str, str]:
        """Carry one command of this program out; its exit code, output and complaints."""
        process = self.start(COMMAND, *arguments, groups=groups, **environment)
        output, complaints = process.communicate(timeout=60)
        return process.returncode, output, complaints


@cache
def _can_run(name: str, python: str) -> bool:
    if not Path(python).exists():
        return False
    try:
        process = _start(name, python, IMPORTS, (), (), {})
    except PermissionError:
        return False
    process.communicate(timeout=60)
    return process.returncode == 0


def _start(
    name: str,
    python: str,
    script: str,
    arguments: Sequence[object],
    groups: Sequence[int],
    environment: dict[str, str],
) -> subprocess.Popen[str]:
    account = pwd.getpwnam(name)
    libraries = [path for path in sys.path if path.endswith("-packages")]
    home = {"PATH": os.defpath, "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    return subprocess.Popen(
        [python, "-P", "-c", script, *map(str, arguments)],
        env=home | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *libraries])} | environment,
        cwd="/",
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=list(groups),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
