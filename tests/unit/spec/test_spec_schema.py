"""The JSON Schema says the same as the reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec import json_schema, parse_pipeline

AGENTS = "agents: {a: {shell: x}}\n"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def is_readable(text: str) -> bool:
    try:
        parse_pipeline(text)
    except PipelineFileError:
        return False
    return True


def stage(line: str = "", head: str = "name: p\n") -> str:
    extra = f", {line}" if line else ""
    return f"{head}{AGENTS}stages: [{{name: s, agent: a, task: t{extra}}}]\n"


@pytest.mark.parametrize(
    "text",
    [
        stage(),
        stage("timeout: 30m"),
        stage("timeout: 90"),
        stage("requires_approval: yes, approvers: x, approval: {quorum: 1, timeout: never}"),
        stage("requires_approval: true, approvers: [x, y]"),
        stage("on_failure: rollback, rollback: {task: t, then: []}"),
        stage("rollback: {irreversible: true}"),
        stage("when: {or: [{branch: x}, {not: {labels: [a, b]}}], all: {paths: [x]}}"),
        stage("retry: {attempts: 3, delay: 5s, backoff: 1.5}"),
        stage("env: {A: 1, B: true, C: x}"),
        stage(head="name: 1.10\nversion: 2\ntriggers: push\nmax_parallel: 4\nfail_fast: no\n"),
        stage(head="name: p\ntriggers: [{event: push, branches: main}, x]\n"),
        stage(head="name: p\nsecrets: [TOKEN, {env: OTHER}, {file: ~/key.pem}]\n"),
    ],
)
def test_what_the_reader_takes_the_schema_takes(validator: Draft202012Validator, text: str) -> None:
    assert is_readable(text)
    assert validator.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "name: p\n",
        "stages: [{name: s, agent: a, task: t}]\n",
        "name: ''\nstages: [{name: s, agent: a, task: t}]\n",
        "name: ' '\nstages: [{name: s, agent: a, task: t}]\n",
        "name: p\nstages: [{name: ' ', agent: a, task: t}]\n",
        "name: p\nstages: [{name: s, agent: ' ', task: t}]\n",
        "name: p\nstages: [{name: s, agent: a, task: ' '}]\n",
        "name: p\nstages: []\n",
        "name: p\nstages: [{name: s, agent: a}]\n",
        stage(head="name: p\nnmae: q\n"),
        stage(head="name: p\nmax_parallel: 0\n"),
        stage(head="name: p\nfail_fast: 3\n"),
        stage(head="name: p\nvariables: {1a: x}\n"),
        stage(head="name: p\nvariables: {LD_PRELOAD: x}\n"),
        stage(head="name: p\nvariables: {run_id: x}\n"),
        stage(head="name: p\nsecrets: [a b]\n"),
        stage(head="name: p\nsecrets: [{}]\n"),
        stage(head="name: p\nsecrets: [{env: A, file: b}]\n"),
        stage(head="name: p\nsecrets: [{file: '${HOME}/x'}]\n"),
        stage("secrets: [TOKEN]"),
        stage("timeout: soon"),
        stage("timeot: 5s"),
        stage("on_failure: explode"),
        stage("rollback_to: s"),
        stage("rollback_to: r, on_failure: halt"),
        stage("approval: {quorum: 1}"),
        stage("approval: {quorum: 1}, requires_approval: false"),
        stage("requires_approval: true"),
        stage("requires_approval: true, approvers: []"),
        stage("retry: {attempts: 0}"),
        stage("when: {brunch: x}"),
        stage("when: {not: {or: [{brunch: x}]}}"),
        stage("rollback: {agent: a}"),
        stage("rollback: {irreversible: false}"),
        stage("snapshot: {}"),
        stage("components: [a b]"),
        stage("env: {1A: x}"),
        stage("env: {A: [x]}"),
        "name: p\nagents: {a: {}}\nstages: [{name: s, agent: a, task: t}]\n",
        "name: p\nagents: {a: {shell: x, command: [y]}}\nstages: [{name: s, agent: a, task: t}]\n",
        "name: p\nagents: {a: {command: x}}\nstages: [{name: s, agent: a, task: t}]\n",
        "name: p\nagents: {a: {http: {}}}\nstages: [{name: s, agent: a, task: t}]\n",
        "name: p\nagents: {a: {python: x}}\nstages: [{name: s, agent: a, task: t}]\n",
        "name: p\nstages: [{name: a/b, agent: a, task: t}]\n",
        "name: p\nstages: [{name: .a, agent: a, task: t}]\n",
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(
    validator: Draft202012Validator, text: str
) -> None:
    assert not is_readable(text)
    assert not validator.is_valid(yaml.safe_load(text))


BODIES = {
    "": f"name: p\n%s:\n{AGENTS}stages: [{{name: s, agent: a, task: t}}]\n",
    "stage": stage("%s: "),
    "agent": "name: p\nagents: {a: {shell: x, %s: }}\nstages: [{name: s, agent: a, task: t}]\n",
    "approval": stage("requires_approval: true, approvers: x, approval: {%s: }"),
    "condition": stage("when: {branch: x, %s: }"),
    "environment": stage(head="name: p\nenvironments: {e: {%s: }}\n"),
    "http": "name: p\nagents: {a: {http: {url: 'http://x/', %s: }}}\nstages: [{name: s, agent: a,"
    " task: t}]\n",
    "notify": stage(head="name: p\nnotify: [{to: [X], '%s': }]\n"),
    "retry": stage("retry: {%s: }"),
    "rollback": stage("rollback: {task: t, %s: }"),
    "secret": stage(head="name: p\nsecrets: [{env: A, %s: }]\n"),
    "simulated": "name: p\nagents: {a: {simulated: {%s: }}}\nstages: [{name: s, agent: a,"
    " task: t}]\n",
    "snapshot": stage("snapshot: {paths: x, %s: }"),
    "trigger": stage(head="name: p\ntriggers: [{event: push, %s: }]\n"),
}
"""Files with a place for one more key of each definition."""


def without_values() -> Iterator[str]:
    """Files in which a key stands without a value."""
    schema = json_schema()
    for kind, body in BODIES.items():
        keys = (schema["$defs"][kind] if kind else schema)["properties"]
        yield from (body % key for key in keys if f"{key}:" not in body)
    yield from (
        stage("snapshot: {paths: }"),
        stage("snapshot: {paths: , values: }"),
        stage("rollback: {task: }"),
        stage("rollback: {task: , irreversible: true}"),
        stage("requires_approval: true, approvers: "),
        stage("approval: {quorum: 1}, requires_approval: "),
        stage("rollback_to: , on_failure: halt"),
        stage("approval: , requires_approval: false"),
        stage("env: {A: }"),
        stage("depends_on: [~]"),
        stage(head="name: p\nsecrets: [{env: }]\n"),
        "name: p\nagents: {a: {shell: }}\nstages: [{name: s, agent: a, task: t}]\n",
        "name: p\nagents: {a: }\nstages: [{name: s, agent: a, task: t}]\n",
        "name: \nstages: [{name: s, agent: a, task: t}]\n",
        "name: p\nstages: [{name: s, agent: a, task: }]\n",
    )


@pytest.mark.parametrize("text", without_values())
def test_of_a_key_without_a_value_both_say_the_same(
    validator: Draft202012Validator, text: str
) -> None:
    assert validator.is_valid(yaml.safe_load(text)) == is_readable(text)


def properties(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
        for key, part in schema.items():
            yield from properties(part if key not in {"if", "then"} else None)
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part)


RULE = {"const", "not"}
"""What says more about a key that is described elsewhere."""


def test_every_key_is_described() -> None:
    found = [(key, part) for key, part in properties(json_schema()) if not RULE & part.keys()]
    assert len(found) > 50
    assert [key for key, part in found if not part.get("description")] == []


@pytest.mark.parametrize("key", ["notify", "protected"])
def test_what_is_not_yet_available_is_documented_so(key: str) -> None:
    described = json_schema()["$defs"]["stage"]["properties"][key]["description"]
    assert described.startswith("Not yet available: ")
