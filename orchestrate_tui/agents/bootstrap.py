"""Calls the function of a python agent; runs as a script, in the stage's own process.

The function gets one mapping with task, stage, run_id, attempt, environment and variables, or
nothing if it takes no argument. A mapping that it returns becomes the outputs of the stage.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any

VARIABLES = "ORCHESTRATE_VARIABLES"
"""The environment variable that carries the values to this script, as JSON."""


def main(target: str) -> int:
    """Call `target`, "package.module:function", and hand on what it returns; the exit code."""
    sys.path.insert(0, str(os.getcwd()))  # noqa: PTH109 - a path object would be of no use here
    arguments = _arguments()
    try:
        _hand_on(_call(_load(target), arguments))
    except Exception as error:  # noqa: BLE001 - the edge of the process; the log records it
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)
        return 1
    return 0


def _arguments() -> dict[str, Any]:
    return {
        "task": os.environ["ORCHESTRATE_TASK"],
        "stage": os.environ["ORCHESTRATE_STAGE"],
        "run_id": int(os.environ["ORCHESTRATE_RUN_ID"]),
        "attempt": int(os.environ["ORCHESTRATE_ATTEMPT"]),
        "environment": os.environ["ORCHESTRATE_ENVIRONMENT"] or None,
        "variables": json.loads(os.environ.pop(VARIABLES)),
    }


def _load(target: str) -> Callable[..., object]:
    module, _, name = target.partition(":")
    function: object = attrgetter(name)(import_module(module))
    if not callable(function):
        raise TypeError(f"'{target}' is not a function")
    return function


def _call(function: Callable[..., object], arguments: Mapping[str, Any]) -> object:
    result = function(arguments) if _takes_argument(function) else function()
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def _takes_argument(function: Callable[..., object]) -> bool:
    keyword_only = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.kind not in keyword_only for parameter in parameters)


def _hand_on(result: object) -> None:
    if result is None:
        return
    if not isinstance(result, Mapping):
        raise TypeError(f"returned {result!r}; a stage returns None or a mapping of its outputs")
    lines = [_line(key, value) for key, value in result.items()]
    with open(os.environ["ORCHESTRATE_OUTPUT"], "a", encoding="utf-8") as outputs:  # noqa: PTH123
        outputs.writelines(lines)


def _line(key: object, value: object) -> str:
    if not isinstance(key, str) or not isinstance(value, str | int | float):
        raise TypeError(f"the output {key!r} is {value!r}; outputs are texts, numbers or booleans")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\n" in key or "\n" in text:
        raise ValueError(f"the output {key!r} has more than one line")
    return f"{key}={text}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
