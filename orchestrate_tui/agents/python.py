"""The `python` agent: a function, called in a Python process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from orchestrate_tui.agents.bootstrap import VARIABLES
from orchestrate_tui.agents.contract import Launcher, Outcome, Work
from orchestrate_tui.agents.process import run_program

_BOOTSTRAP = str(Path(__file__).with_name("bootstrap.py"))


async def perform_python(work: Work, launcher: Launcher) -> Outcome:
    """Call the function `package.module:name`, found from the working folder or installed.

    -P keeps our own folder out of the module search, -u makes each line reach the log at once.
    """
    argv = (sys.executable, "-P", "-u", _BOOTSTRAP, work.agent.python)
    return await run_program(work, launcher, argv, {VARIABLES: json.dumps(dict(work.values))})
