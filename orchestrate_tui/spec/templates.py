"""Where `${name}` may stand, and which agent is told what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Agent, Pairs, Stage
from orchestrate_tui.domain.variables import references
from orchestrate_tui.spec.document import Document
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.report import Place
from orchestrate_tui.values import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A task that a stage, or its undo, gives to an agent; `path` leads to the agent's name.

    `named` is false where the agent is not written there but follows from a rule.
    """

    stage: Stage
    agent: str
    task: str
    path: Path
    undo: bool = False
    named: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with variables in it, and the assignments that it is rendered for.

    `names` are the variables it refers to, in order.
    """

    document: Document
    path: Path
    names: tuple[str, ...]
    users: tuple[Assignment, ...]

    @property
    def place(self) -> Place:
        """Where the text stands."""
        return self.document.at(*self.path)

    @property
    def is_task(self) -> bool:
        """Whether this is what an agent is told to do, and so does not know `${task}` itself."""
        return self.path[0] == "stages" and self.path[2:] in {("task",), ("rollback", "task")}


def assignments(loaded: LoadedPipeline) -> Iterator[Assignment]:
    """Everything that the stages and their undos have agents do, in the order of the file."""
    has_rollback_agent = ROLLBACK_AGENT in loaded.agents()
    targets = {stage.rollback_target for stage in loaded.pipeline.stages}
    for index, stage in loaded.placed_stages():
        here: Path = ("stages", index)
        yield Assignment(stage=stage, agent=stage.agent, task=stage.task, path=(*here, "agent"))
        undo = stage.rollback
        if undo is not None and (undo.task or undo.agent):
            yield Assignment(
                stage=stage,
                agent=undo.agent or stage.agent,
                task=undo.task,
                path=(*here, "rollback", "agent"),
                undo=True,
                named=undo.agent is not None,
            )
        elif undo is None and has_rollback_agent and stage.name in targets:
            yield Assignment(
                stage=stage,
                agent=ROLLBACK_AGENT,
                task=f"Rollback {stage.name}",
                path=here,
                undo=True,
                named=False,
            )


def templates(loaded: LoadedPipeline) -> Iterator[Template]:
    """Every text with variables in the stages, in the agents they use, and in the file's own."""
    users: dict[str, list[Assignment]] = {}
    for assignment in assignments(loaded):
        users.setdefault(assignment.agent, []).append(assignment)
        yield from _of_assignment(assignment, loaded.document)
    for name, agent in loaded.agents().items():
        document = loaded.agent_documents[name]
        if name in users or document is loaded.document:
            yield from _of_agent(agent, document, tuple(users.get(name, ())))


def _of_assignment(assignment: Assignment, document: Document) -> Iterator[Template]:
    stage, here = assignment.stage, assignment.path[:2]
    if not assignment.undo:
        texts = [*_texts(here, {"task": stage.task, "workdir": stage.workdir or ""}, env=stage.env)]
        paths = stage.snapshot.paths if stage.snapshot else ()
        texts += [((*here, "snapshot", "paths", path), path) for path in paths]
    elif stage.rollback is not None:
        texts = [*_texts((*here, "rollback"), {"task": stage.rollback.task})]
    else:
        return
    yield from _with_names(texts, document, (assignment,))


def _of_agent(
    agent: Agent, document: Document, users: tuple[Assignment, ...]
) -> Iterator[Template]:
    here: Path = ("agents", agent.name)
    texts = [*_texts(here, {"workdir": agent.workdir or ""}, env=agent.env)]
    texts += [((*here, "command", i), item) for i, item in enumerate(agent.command)]
    if agent.http is not None:
        fields = {"url": agent.http.url, "body": agent.http.body}
        texts += _texts((*here, "http"), fields, headers=agent.http.headers)
    yield from _with_names(texts, document, users)


def _texts(here: Path, fields: Mapping[str, str], **pairs: Pairs) -> Iterator[tuple[Path, str]]:
    for key, text in fields.items():
        yield (*here, key), text
    for key, values in pairs.items():
        for name, text in values:
            yield (*here, key, name), text


def _with_names(
    texts: Iterable[tuple[Path, str]], document: Document, users: tuple[Assignment, ...]
) -> Iterator[Template]:
    for path, text in texts:
        names = references(text)
        if names:
            yield Template(document=document, path=path, names=names, users=users)
