"""Lets each file given on standard input be read by a process of its own, and tells its end.

`python -m tests.torture.judge READER CPU_S MEMORY_MIB`, with a path a line; a line of JSON each.
READER is `product` for `orchestrate-tui validate`, or `pyyaml` for the library as it comes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import yaml

from orchestrate_tui import cli, spec

TEXT_SHOWN = 1024 * 1024


def read_with_product(path: str) -> int:
    return cli.main(["validate", path])


def read_with_pyyaml(path: str) -> int:
    """What somebody would write who trusts the file; errors that the library foresaw are fine."""
    with suppress(yaml.YAMLError):
        str(yaml.safe_load(Path(path).read_bytes()))
    return 0


READERS: dict[str, Callable[[str], int]] = {
    "product": read_with_product,
    "pyyaml": read_with_pyyaml,
}


def read_alone(read: Callable[[str], int], path: str, cpu_s: int, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 99
    try:
        code = read(path)
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is damage)
        print(f"Traceback: {type(error).__name__}", file=sys.stderr)  # noqa: T201
    sys.stderr.flush()
    os._exit(code)


def judge(read: Callable[[str], int], path: str, cpu_s: int, memory: int) -> dict[str, object]:
    with tempfile.TemporaryFile() as told, Path(os.devnull).open("wb") as nowhere:
        child = os.fork()
        if not child:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(told.fileno(), 2)
            read_alone(read, path, cpu_s, memory)
        _, status, used = os.wait4(child, 0)
        told.seek(0)
        text = told.read(TEXT_SHOWN).decode(errors="backslashreplace")
        whole = text if len(text) < TEXT_SHOWN else text[: text.rfind("\n")]
    return {
        "code": os.waitstatus_to_exitcode(status),
        "cpu_s": used.ru_utime + used.ru_stime,
        "text": whole,
    }


def main(reader: str, cpu_s: str, memory_mib: str) -> None:
    spec.parse_pipeline("name: p\nstages: [{name: s, agent: a, task: t}]\n")  # loads all it needs
    for line in os.fdopen(os.dup(0)):  # sys.stdin stays as a command finds it
        verdict = judge(READERS[reader], line.rstrip("\n"), int(cpu_s), int(memory_mib) << 20)
        print(json.dumps(verdict), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
