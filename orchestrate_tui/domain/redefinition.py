"""Undoing a run by other undos and agents than it was started with: what differs, and what not.

Of the other definition only the `rollback` of its stages and its agents are taken, so that what
is undone stays what ran.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from orchestrate_tui.domain.pipeline import ROLLBACK_AGENT, Agent, AgentKind, Pipeline, Undo
from orchestrate_tui.domain.rollback_plan import RollbackPlan

_NOTHING = "nothing"


def mismatch(stored: Pipeline, other: Pipeline) -> str:
    """Why `other` does not describe the stages of `stored`; "" when it has the same names."""
    ours, theirs = ({stage.name for stage in one.stages} for one in (stored, other))
    told = [
        f"it {verb} {', '.join(sorted(names))}"
        for verb, names in (("lacks", ours - theirs), ("has also", theirs - ours))
        if names
    ]
    return f"Its stages are not those of the run: {' and '.join(told)}" if told else ""


def redefined(stored: Pipeline, other: Pipeline) -> Pipeline:
    """`stored` with the undos and agents of `other`. Raises KeyError for stages it lacks."""
    undos = {stage.name: stage.rollback for stage in other.stages}
    stages = tuple(replace(stage, rollback=undos[stage.name]) for stage in stored.stages)
    return replace(stored, stages=stages, agents=other.agents)


def marked(plan: RollbackPlan, digest: str, stored: Pipeline, other: Pipeline) -> RollbackPlan:
    """The plan, which was made with the definition `other` of that hash, with what differs."""
    return replace(
        plan,
        definition=digest,
        differences=tuple(differences(stored, other)),
        hash=sha256(f"{plan.hash} {digest}".encode()).hexdigest(),
    )


def differences(stored: Pipeline, other: Pipeline) -> Iterator[str]:
    """What undoes otherwise, a line each: the undos, then the agents that do them."""
    new = {stage.name: stage.rollback for stage in other.stages}
    agents = {ROLLBACK_AGENT}
    for stage in stored.stages:
        before, after = stage.rollback, new[stage.name]
        agents |= {undo.agent or stage.agent for undo in (before, after) if undo}
        if before != after:
            told = _undo(before, stage.agent), _undo(after, stage.agent)
            yield f"undo of {stage.name}: {_change(*told)}"
    for name in sorted(agents):
        is_before, is_after = stored.agent(name), other.agent(name)
        if is_before != is_after:
            yield f"agent {name}: {_change(_agent(is_before), _agent(is_after))}"


def _change(before: str, after: str) -> str:
    return "other settings" if before == after else f"{before} → {after}"


def _undo(undo: Undo | None, own_agent: str) -> str:
    return f"{undo.task} ({undo.agent or own_agent})" if undo and undo.task else _NOTHING


def _agent(agent: Agent | None) -> str:
    if agent is None:
        return _NOTHING
    match agent.kind:
        case AgentKind.COMMAND:
            return " ".join(agent.command)
        case AgentKind.SHELL:
            return "; ".join(agent.shell.strip().splitlines())
        case AgentKind.PYTHON:
            return agent.python
        case AgentKind.HTTP if agent.http:
            return f"{agent.http.method} {agent.http.url}"
        case _:
            return str(agent.kind)
