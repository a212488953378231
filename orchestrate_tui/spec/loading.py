"""Reading a pipeline file, and the files of agents that belong to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from yaml.nodes import MappingNode, Node

from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.permissions import others_who_write
from orchestrate_tui.spec.advice import advise
from orchestrate_tui.spec.agents import AGENTS_FILE
from orchestrate_tui.spec.beginnings import beginning
from orchestrate_tui.spec.compose import LONGEST_FILE, TOO_LONG, compose
from orchestrate_tui.spec.document import Document, is_nothing
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.pipelines import PIPELINE
from orchestrate_tui.spec.readers import kind_of
from orchestrate_tui.spec.references import StageReferences
from orchestrate_tui.spec.report import Place, Report
from orchestrate_tui.spec.snapshots import check_snapshots
from orchestrate_tui.spec.templates import templates
from orchestrate_tui.spec.user_config import user_config_folder
from orchestrate_tui.spec.variables import check_variables
from orchestrate_tui.values import dataclass

AGENTS_FILE_NAME = "agents.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text of a file."""

    file: str
    text: str


def load_pipeline(
    path: Path, *, user_agents: Path | None = None, folder: Path | None = None
) -> LoadedPipeline:
    """The pipeline in the file at `path`, with the agents that stand beside it and the user's.

    `user_agents` None means the file in the user's configuration; either may be missing.
    `folder` is the one in which it is to run, None the present one.
    Raises PipelineFileError with every problem of these files.
    """
    beside = path.parent / AGENTS_FILE_NAME
    users = user_agents_file() if user_agents is None else user_agents
    report = Report(str(path), str(beside), str(users))
    source = _read(path, report)
    agents = [_read(beside, report, may_be_missing=True), _read_own(users, report)]
    return _load(source, agents, report, folder or Path.cwd())


def parse_pipeline(
    text: str, *, file: str = "<pipeline>", agents: Sequence[Source] = ()
) -> LoadedPipeline:
    """The pipeline in `text`, which messages call `file`; earlier `agents` come before later ones.

    Raises PipelineFileError with every problem of these texts.
    """
    report = Report(file, *(source.file for source in agents))
    return _load(Source(file=file, text=text), agents, report)


def user_agents_file() -> Path:
    """Where the user's own agents are defined."""
    return user_config_folder() / AGENTS_FILE_NAME


def read_own_document(path: Path, what: str, report: Report) -> Document | None:
    """The mapping in a file of the user's own; None when it is missing, empty or unusable."""
    source = _read_own(path, report)
    return None if source is None else _optional_document(source, what, report)


def _read_own(path: Path, report: Report) -> Source | None:
    """A file that nobody else may have a say in, as it holds for everything this user does."""
    for place, found, who in others_who_write(path):
        mend = "make it yours" if found.st_uid != os.geteuid() else f"chmod go-w {place}"
        report.error(Place(file=place), f"it may be changed by {who}", mend)
    return _read(path, report, may_be_missing=True)


def _read(path: Path, report: Report, *, may_be_missing: bool = False) -> Source | None:
    place = Place(file=str(path))
    try:
        content = beginning(path, LONGEST_FILE + 1)
    except FileNotFoundError:
        if not may_be_missing:
            report.error(place, "there is no such file", "check the path")
        return None
    except OSError as error:
        report.error(place, f"the file cannot be read: {error.strerror}")
        return None
    if len(content) > LONGEST_FILE:
        report.error(_after(content[:LONGEST_FILE], place), TOO_LONG)
        return None
    return _decoded(content, place, report)


def _decoded(content: bytes, place: Place, report: Report) -> Source | None:
    try:
        return Source(file=place.file, text=content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        here = _after(content[: error.start], place)
        report.error(here, "the file is not UTF-8 text", "save it as UTF-8")
        return None


def _after(before: bytes, place: Place) -> Place:
    """Where in a file the byte stands that comes after those `before` it."""
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return replace(place, line=line, column=column)


def _load(
    source: Source | None,
    agents: Iterable[Source | None],
    report: Report,
    folder: Path | None = None,
) -> LoadedPipeline:
    document = None if source is None else _document(source, report)
    others = [
        _optional_document(one, "an agents file", report) for one in agents if one is not None
    ]
    loaded = None
    if document is not None:
        loaded = _assemble(document, [one for one in others if one is not None], report, folder)
    if loaded is not None:
        advise(loaded, report)
    if report.errors or loaded is None:
        raise PipelineFileError(report.problems)
    return replace(loaded, warnings=report.warnings)


def _document(source: Source, report: Report) -> Document | None:
    root = compose(source.text, source.file, report)
    if root is None:
        return None
    if is_nothing(root):
        start = Place(file=source.file, line=1, column=1)
        report.error(start, "the file is empty", "a pipeline needs at least a name and stages")
        return None
    return _mapping(source, root, "a pipeline", report)


def _optional_document(source: Source, what: str, report: Report) -> Document | None:
    root = compose(source.text, source.file, report)
    if root is None or is_nothing(root):
        return None
    return _mapping(source, root, what, report)


def _mapping(source: Source, root: Node, what: str, report: Report) -> Document | None:
    if isinstance(root, MappingNode):
        return Document(file=source.file, text=source.text, root=root)
    report.error(root, f"{what} is a mapping of keys to values, not {kind_of(root)}")
    return None


def _assemble(
    document: Document, others: Iterable[Document], report: Report, folder: Path | None
) -> LoadedPipeline | None:
    pipeline = PIPELINE.read(document.root, "a pipeline", report)
    if pipeline is None:
        return None
    found = {agent.name: (agent, document) for agent in pipeline.agents}
    for other in others:
        for agent in AGENTS_FILE.read(other.root, "an agents file", report) or ():
            found.setdefault(agent.name, (agent, other))
    pipeline = replace(pipeline, agents=tuple(agent for agent, _ in found.values()))
    loaded = LoadedPipeline(
        pipeline=pipeline,
        source=document.text,
        file=document.file,
        graph=StageReferences(pipeline, document, report).check(),
        document=document,
        agent_documents={name: where for name, (_, where) in found.items()},
    )
    check_variables(loaded, templates(loaded), report)
    check_snapshots(loaded, report, folder)
    return loaded
