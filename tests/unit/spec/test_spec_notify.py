"""`notify:` who is told of what, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrate_tui.domain.notifying import EscalationStep, NotifyRule, Occasion, Repetition
from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec import parse_pipeline
from orchestrate_tui.spec.config import load_user_config
from tests.unit.spec.conftest import Problems

REST = "agents: {a: {shell: 'true'}}\nstages: [{name: s, agent: a, task: t}]\n"
VARIABLE = (
    "must be the name of an environment variable that holds the address, which itself never"
    " stands in a file"
)


def rules(text: str) -> tuple[NotifyRule, ...]:
    return parse_pipeline(f"name: p\nnotify: {text}\n{REST}").pipeline.notify


def test_one_variable_is_told_of_everything() -> None:
    assert rules("TEAM_URL") == (NotifyRule(to=("TEAM_URL",)),)


def test_a_rule_names_occasions_steps_and_repetitions() -> None:
    assert rules(
        "[{to: [A, B], on: run.failed, escalate: [{after: 10m, to: C}],"
        " repeat: {every: 1h, times: 2}}, D]"
    ) == (
        NotifyRule(
            to=("A", "B"),
            on=(Occasion.RUN_FAILED,),
            escalate=(EscalationStep(after_s=600, to=("C",)),),
            repeat=Repetition(every_s=3600, times=2),
        ),
        NotifyRule(to=("D",)),
    )


def test_a_repetition_ends_by_itself() -> None:
    (rule,) = rules("{to: A, repeat: {every: 5m}}")
    assert rule.repeat == Repetition(every_s=300, times=3)


def test_an_address_in_the_file_is_refused_and_not_repeated(problems: Problems) -> None:
    text = "name: p\nnotify:\n  - to: slack://token-a/token-b\n  - https://hook/secret\n"
    found = problems(text + REST)
    assert found == [f"3:9: 'to' {VARIABLE}", f"4:5: an item of 'notify' {VARIABLE}"]
    assert "token" not in str(found)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{on: run.failed}", "2:9: a rule of notify must say who is told (to: VARIABLE)"),
        ("{to: []}", "2:14: 'to' is empty"),
        ("{to: A, on: []}", "2:21: 'on' is empty"),
        (
            "{to: A, escalate: {to: B}}",
            "2:27: a step of an escalation must say after how long (after: 10m)",
        ),
        (
            "{to: A, escalate: {after: 1m}}",
            "2:27: a step of an escalation must say who is told (to: VARIABLE)",
        ),
        ("{to: A, escalate: {after: 0s, to: B}}", "2:35: 'after' must be more than 0"),
        (
            "{to: A, repeat: {times: 2}}",
            "2:25: repeat must say after how long (every: 30m)",
        ),
        (
            "{to: A, repeat: {every: 1m, times: 0}}",
            "2:44: 'times' must be a whole number from 1 to 100, not '0'",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(
    problems: Problems, written: str, message: str
) -> None:
    assert problems(f"name: p\nnotify: {written}\n{REST}") == [message]


def test_a_misspelt_occasion_or_key_suggests_the_known_one() -> None:
    with pytest.raises(PipelineFileError, match=r"did you mean 'rollback\.failed'") as caught:
        rules("{to: A, on: rolback.failed, escalat: []}")
    assert "did you mean 'escalate'?" in str(caught.value)


def test_a_variable_that_is_not_set_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOWN", "json://somewhere")
    monkeypatch.delenv("UNKNOWN", raising=False)
    loaded = parse_pipeline(f"name: p\nnotify: [KNOWN, {{to: UNKNOWN}}]\n{REST}")
    assert [(one.line, one.message) for one in loaded.warnings] == [
        (
            2,
            "the environment variable 'UNKNOWN' is not set: who it stands for would not be told",
        )
    ]


def test_a_user_is_told_of_every_pipeline(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("notify: {to: PAGER, on: run.failed}\n")
    assert load_user_config(file).notify == (NotifyRule(to=("PAGER",), on=(Occasion.RUN_FAILED,)),)
