from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrate_tui.domain.pipeline import AgentKind, HttpRequest, Simulation
from orchestrate_tui.spec import LoadedPipeline

Problems = Callable[[str], list[str]]
Load = Callable[[str], LoadedPipeline]
STAGES = "stages: [{name: s, agent: a, task: t}]\n"


def pipeline_with(agent: str) -> str:
    return f"name: p\nagents:\n  a: {agent}\n{STAGES}"


def test_a_command_is_an_argument_vector(load: Load) -> None:
    (agent,) = load(pipeline_with("{command: [sleep, 5, '', '${task}']}")).pipeline.agents
    assert (agent.name, agent.kind) == ("a", AgentKind.COMMAND)
    assert agent.command == ("sleep", "5", "", "${task}")


def test_a_shell_script_is_taken_as_it_is(load: Load) -> None:
    (agent,) = load(pipeline_with("{shell: 'echo ${x} $(y)'}")).pipeline.agents
    assert (agent.kind, agent.shell) == (AgentKind.SHELL, "echo ${x} $(y)")


def test_a_python_function_is_named(load: Load) -> None:
    (agent,) = load(pipeline_with("{python: 'pack.mod:func'}")).pipeline.agents
    assert (agent.kind, agent.python) == (AgentKind.PYTHON, "pack.mod:func")


@pytest.mark.parametrize("name", ["func", "a:b:c", "a b:c", "os.system('x'):y", "1a:b"])
def test_anything_but_module_and_function_is_refused(problems: Problems, name: str) -> None:
    (found,) = problems(pipeline_with(f'{{python: "{name}"}}'))
    assert found == f"3:15: 'python' must be package.module:function, not '{name}'"


def test_a_request_has_all_its_parts(load: Load) -> None:
    text = """\
        name: p
        agents:
          a:
            http:
              method: POST
              url: https://127.0.0.1/${task}
              headers: {X-Run: "${run_id}"}
              body: "{}"
              expect: {status: [200, 204], body: ok}
        stages: [{name: s, agent: a, task: t}]
    """
    (agent,) = load(text).pipeline.agents
    assert agent.kind is AgentKind.HTTP
    assert agent.http == HttpRequest(
        method="POST",
        url="https://127.0.0.1/${task}",
        headers=(("X-Run", "${run_id}"),),
        body="{}",
        expect_status=(200, 204),
        expect_body="ok",
    )


@pytest.mark.parametrize(
    ("expect", "statuses"), [("200", (200,)), ("[200, 404]", (200, 404)), ("{body: x}", ())]
)
def test_what_is_expected_may_be_written_in_short(
    load: Load, expect: str, statuses: tuple[int, ...]
) -> None:
    loaded = load(pipeline_with(f"{{http: {{url: 'http://[::1]/', expect: {expect}}}}}"))
    (agent,) = loaded.pipeline.agents
    assert agent.http
    assert agent.http.expect_status == statuses


@pytest.mark.parametrize(
    ("http", "message"),
    [
        ("{}", "an http agent needs a url"),
        ("{url: ''}", "'url' must begin with http:// or https://"),
        ("{url: 'file:///x'}", "'url' must begin with http:// or https://, not 'file:///x'"),
        ("{url: 'http://x', method: get}", "'method' must be GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("{url: 'http://x', expect: 99}", "must be a whole number from 100 to 599, not '99'"),
        ("{url: 'http://x', headers: {'a b': c}}", "a name in 'headers' must be a header's name"),
        ('{url: "http://x", headers: {a: "b\\r\\nc: d"}}', "must be one line without control"),
        ("{url: 'http://x', boddy: c}", "unknown key 'boddy' in 'http'"),
        ("http://x", "'http' must be a mapping, not a single value"),
    ],
)
def test_wrong_requests_are_told(problems: Problems, http: str, message: str) -> None:
    (found,) = problems(pipeline_with(f"{{http: {http}}}"))
    assert message in found


def test_a_simulated_agent_pretends(load: Load) -> None:
    (agent,) = load(
        pipeline_with("{simulated: {duration: 2s, fail: true, output: hi}}")
    ).pipeline.agents
    assert agent.simulated == Simulation(duration_s=2.0, fail=True, output="hi")


def test_an_agent_has_settings_of_its_own(load: Load) -> None:
    text = (
        "{command: [x], env: {A: b}, workdir: sub, timeout: 1m, grace: 0, success_codes: [0, 3],"
        " leaves_processes: true}"
    )
    (agent,) = load(pipeline_with(text)).pipeline.agents
    assert (agent.env, agent.workdir, agent.timeout_s) == ((("A", "b"),), "sub", 60.0)
    assert (agent.grace_s, agent.success_codes, agent.leaves_processes) == (0.0, (0, 3), True)


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("{}", "3:6: agent 'a' must have exactly one of command, shell, python, http or simulated"),
        ("{workdir: x}", "3:6: agent 'a' must have exactly one of command, shell, python, http or"),
        ("{shell: x, command: [y]}", "3:14: agent 'a' must have exactly one of command, shell"),
        ("sh -c x", "3:6: agent 'a' must be a mapping, not a single value"),
        ("{command: echo hi}", "3:16: 'command' must be a list, not 'echo hi'"),
        ("{command: []}", "3:16: 'command' is empty"),
        ("{command: ['']}", "3:17: the program of a command cannot be blank"),
        ("{command: [x, ~]}", "3:20: an item of 'command' is empty"),
        ("{shell: ' '}", "3:14: 'shell' must not be blank"),
        (
            "{shell: x, success_codes: [256]}",
            "'success_codes' must be a whole number from 0 to 255",
        ),
        ("{shell: x, secrets: [y]}", "3:17: unknown key 'secrets' in agent 'a'"),
        ("{shell: x, env: {ORCHESTRATE_TASK: y}}", "'ORCHESTRATE_TASK' is set by Orchestrate"),
        ("{shel: x}", "3:7: unknown key 'shel' in agent 'a'"),
    ],
)
def test_wrong_agents_are_told(problems: Problems, agent: str, message: str) -> None:
    assert message in "\n".join(problems(pipeline_with(agent)))


def test_agents_are_a_mapping(problems: Problems) -> None:
    expected = "2:9: 'agents' must be a mapping of names to agents, not a list"
    assert problems(f"name: p\nagents: [a]\n{STAGES}") == [expected]


@pytest.mark.parametrize(
    "command",
    [
        "['${x}']",
        "['${x}/bin/deploy']",
        "[sh, -c, '${x}']",
        "[/bin/bash, -ec, 'deploy ${x}']",
        "[python3.11, -c, '${x}']",
        "[perl, -w, -e, '${x}']",
        "[env, sh, -c, 'echo ${task}']",
    ],
)
def test_a_value_never_becomes_program_text(problems: Problems, command: str) -> None:
    text = pipeline_with(f"{{command: {command}}}")
    column = text.splitlines()[2].index("'") + 1
    (found,) = problems(text)
    assert found in {
        f"3:{column}: a variable cannot choose the program",
        f"3:{column}: a variable would become program text here",
    }


@pytest.mark.parametrize(
    "command", ["[sh, -c, 'echo \"$1\"', sh, '${task}']", "[sh, script.sh, '${task}']"]
)
def test_a_value_may_be_an_argument_of_a_script(load: Load, command: str) -> None:
    assert load(pipeline_with(f"{{command: {command}}}")).pipeline.agents
