"""What the operator is told of a definition that undoes otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrate_tui.domain.pipeline import (
    Agent,
    AgentKind,
    HttpRequest,
    Pipeline,
    Simulation,
    Stage,
    Undo,
)
from orchestrate_tui.domain.redefinition import differences, marked, mismatch, redefined
from orchestrate_tui.domain.rollback_plan import RollbackPlan

COMMAND = Agent(name="undoer", kind=AgentKind.COMMAND, command=("ln", "-sfn", "v1", "current"))
UNDO = Undo(task="back", agent="undoer")


def pipeline(*agents: Agent, undo: Undo | None = UNDO) -> Pipeline:
    doer = Agent(name="doer", kind=AgentKind.COMMAND, command=("true",))
    deploy = Stage(name="deploy", agent="doer", task="-", rollback=undo)
    return Pipeline(name="shop", agents=(doer, *agents), stages=(deploy,))


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (
            Agent(name="undoer", kind=AgentKind.SHELL, shell="set -u\nrm current\n"),
            "set -u; rm current",
        ),
        (Agent(name="undoer", kind=AgentKind.PYTHON, python="tools.py"), "tools.py"),
        (
            Agent(
                name="undoer",
                kind=AgentKind.HTTP,
                http=HttpRequest(method="POST", url="http://127.0.0.1/back"),
            ),
            "POST http://127.0.0.1/back",
        ),
        (
            Agent(name="undoer", kind=AgentKind.SIMULATED, simulated=Simulation()),
            "simulated",
        ),
    ],
)
def test_another_agent_is_told_by_what_it_does(agent: Agent, told: str) -> None:
    found = list(differences(pipeline(COMMAND), pipeline(agent)))

    assert found == [f"agent undoer: ln -sfn v1 current → {told}"]


def test_an_agent_that_only_one_definition_has_is_told_as_nothing_in_the_other() -> None:
    found = list(differences(pipeline(COMMAND), pipeline(undo=None)))

    assert found == [
        "undo of deploy: back (undoer) → nothing",
        "agent undoer: ln -sfn v1 current → nothing",
    ]


def test_an_agent_that_looks_the_same_is_said_to_have_other_settings() -> None:
    slow = Agent(name="undoer", kind=AgentKind.COMMAND, command=COMMAND.command, timeout_s=5.0)

    assert list(differences(pipeline(COMMAND), pipeline(slow))) == ["agent undoer: other settings"]


def test_of_the_same_definition_nothing_is_told() -> None:
    assert list(differences(pipeline(COMMAND), pipeline(COMMAND))) == []


def test_of_another_definition_only_the_undos_and_agents_are_taken() -> None:
    stored, other = pipeline(COMMAND), pipeline(undo=Undo(task="otherwise"))
    other = replace(
        other,
        name="store",
        variables=(("to", "2"),),
        stages=(replace(other.stages[0], task="another", environment="live"),),
    )

    assert redefined(stored, other) == replace(
        stored,
        agents=other.agents,
        stages=(replace(stored.stages[0], rollback=Undo(task="otherwise")),),
    )


def test_a_definition_with_other_stages_is_told_by_their_names() -> None:
    stored = pipeline(COMMAND)
    (deploy,) = stored.stages
    test, warm = replace(deploy, name="test"), replace(deploy, name="warm")
    said = "Its stages are not those of the run: it"

    assert mismatch(stored, stored) == ""
    assert mismatch(stored, replace(stored, stages=())) == f"{said} lacks deploy"
    assert mismatch(stored, replace(stored, stages=(warm, test))) == (
        f"{said} lacks deploy and it has also test, warm"
    )


def test_a_plan_made_with_another_definition_says_what_differs_and_is_another_plan() -> None:
    plan = RollbackPlan(failed_stage="deploy", target="deploy", hash="1f")
    found = marked(plan, "0f3a", pipeline(COMMAND), pipeline(COMMAND, undo=Undo(task="-")))

    assert (found.definition, found.differences) == (
        "0f3a", ("undo of deploy: back (undoer) → - (doer)",),
    )  # fmt: skip
    assert found.hash not in {plan.hash, marked(plan, "77", pipeline(), pipeline()).hash}
