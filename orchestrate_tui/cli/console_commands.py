"""Commands that open the console, or deal with pipeline files alone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from orchestrate_tui.cli.commands import Command, add_file, add_publish, no_options


def _console(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="pipelines to offer for a new run"
    )
    add_publish(parser)
    parser.add_argument("--read-only", action=_ReadOnly, nargs=0, help="watch, and change nothing")


class _ReadOnly(argparse.Action):
    """Opens another console; from here on not even bytecode is written."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_arguments: object
    ) -> None:
        del parser
        namespace.handler = "watching:watch"
        sys.dont_write_bytecode = True


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--db", type=Path, metavar="FILE", help="keep the record here (default: a temporary file)"
    )
    parser.add_argument(
        "--headless", action="store_true", help="print what happens instead of opening the console"
    )


def _validate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="pipeline files, in YAML"
    )


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "template", choices=("ci", "cd", "release", "security"), help="what the pipeline is for"
    )
    parser.add_argument(
        "path", nargs="?", type=Path, default=Path("pipeline.yaml"), metavar="PATH",
        help="the file to write (default: pipeline.yaml); an existing one is left alone",
    )  # fmt: skip


COMMANDS = (
    Command(
        name="console",
        handler="console:open_console",
        summary="open the console (the default)",
        options=_console,
        has_json=False,
    ),
    Command(
        name="demo",
        handler="demo:demonstrate",
        summary="deploy a small web service on this machine, see the second release fail,"
        " and roll back",
        options=_demo,
        starts_programs=True,
        has_database=False,
        has_json=False,
    ),
    Command(
        name="validate",
        handler="pipelines:validate",
        summary="check pipeline files; every problem is printed",
        options=_validate,
        has_database=False,
    ),
    Command(
        name="graph",
        handler="pipelines:graph",
        summary="draw the stages of a pipeline",
        options=add_file,
        has_database=False,
    ),
    Command(
        name="schema",
        handler="pipelines:schema",
        summary="print the JSON Schema of pipeline files",
        options=no_options,
        has_database=False,
    ),
    Command(
        name="init",
        handler="pipelines:init",
        summary="write a pipeline to start from",
        options=_init,
        has_database=False,
        has_json=False,
    ),
)
