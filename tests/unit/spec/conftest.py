from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from orchestrate_tui.errors import PipelineFileError, Severity
from orchestrate_tui.spec import LoadedPipeline, parse_pipeline

Problems = Callable[[str], list[str]]
Load = Callable[[str], LoadedPipeline]
HEAD = "name: p\nagents:\n  a: {command: ['true']}\n"


def line_column_message(text: str) -> list[str]:
    with pytest.raises(PipelineFileError) as caught:
        parse_pipeline(text)
    errors = [p for p in caught.value.problems if p.severity is Severity.ERROR]
    return [f"{p.line}:{p.column}: {p.message}" for p in errors]


@pytest.fixture
def problems() -> Problems:
    """Line, column and message of each error in a text."""
    return lambda text: line_column_message(dedent(text))


@pytest.fixture
def problems_in_stages() -> Problems:
    """The same for a pipeline with an agent 'a', whose stages begin in line 5."""
    return lambda stages: line_column_message(HEAD + "stages:\n" + dedent(stages).lstrip("\n"))


@pytest.fixture
def load() -> Load:
    return lambda text: parse_pipeline(dedent(text))


@pytest.fixture
def load_stages() -> Load:
    """A pipeline with an agent 'a', whose stages begin in line 5."""
    return lambda stages: parse_pipeline(HEAD + "stages:\n" + dedent(stages).lstrip("\n"))


@pytest.fixture
def warnings_of() -> Callable[[LoadedPipeline], list[str]]:
    return lambda loaded: [f"{w.line}:{w.column}: {w.message}" for w in loaded.warnings]
