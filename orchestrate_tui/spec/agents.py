"""`agents:` who does the work of stages, and the files that define agents for several pipelines."""

from __future__ import annotations

from dataclasses import replace

from yaml.nodes import MappingNode, Node

from orchestrate_tui.domain.pipeline import (
    DEFAULT_GRACE_S,
    Agent,
    AgentKind,
    HttpRequest,
    Simulation,
)
from orchestrate_tui.domain.variables import program_text_items
from orchestrate_tui.spec.document import entries
from orchestrate_tui.spec.names import AGENT_NAME, ENV, check_environment
from orchestrate_tui.spec.readers import Duration, Flag, ListOf, MapOf, Schema, Text, Whole, kind_of
from orchestrate_tui.spec.records import Field, Record, Shorthand, Values, written
from orchestrate_tui.spec.report import Report, listed, shown

_TEXT = Text()
_STATUSES = ListOf(item=Whole(least=100, most=599), empty=False)
_EXIT_CODES = ListOf(item=Whole(least=0, most=255), empty=False)


def _expectation(values: Values) -> tuple[tuple[int, ...], str]:
    return values["status"], values["body"]


_EXPECT = Shorthand(
    plain=_STATUSES,
    expand=lambda statuses: (statuses, ""),
    record=Record(
        title="'expect'",
        build=_expectation,
        fields=(
            Field(
                key="status",
                reader=_STATUSES,
                description="The status of a good answer; any 2xx when it is not written.",
                default=(),
            ),
            Field(
                key="body",
                reader=_TEXT,
                description="Text that a good answer contains.",
                default="",
            ),
        ),
    ),
)


def _request(values: Values) -> HttpRequest:
    statuses, body = values["expect"]
    return HttpRequest(
        method=values["method"],
        url=values["url"],
        headers=values["headers"],
        body=values["body"],
        expect_status=statuses,
        expect_body=body,
    )


_HTTP = Record(
    title="'http'",
    definition="http",
    build=_request,
    fields=(
        Field(
            key="method",
            reader=Text(
                pattern="GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS",
                rule="must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS",
            ),
            description="The method of the request.",
            default="GET",
        ),
        Field(
            key="url",
            reader=Text(
                pattern=r"(?:https?://|\$\{)\S+", rule="must begin with http:// or https://"
            ),
            description="Where the request goes; may hold ${variable}.",
            default="",
            required="an http agent needs a url",
        ),
        Field(
            key="headers",
            reader=MapOf(
                value=Text(one_line=True),
                keys=Text(pattern="[A-Za-z0-9!#$%&'*+.^_`|~-]+", rule="must be a header's name"),
            ),
            description="Headers of the request; their values may hold ${variable}.",
            default=(),
        ),
        Field(
            key="body",
            reader=_TEXT,
            description="The body of the request; may hold ${variable}.",
            default="",
        ),
        Field(
            key="expect",
            reader=_EXPECT,
            description="What a good answer is: a status, several, or {status, body}.",
            default=((), ""),
        ),
    ),
)

_SIMULATED = Record(
    title="'simulated'",
    definition="simulated",
    build=lambda values: Simulation(
        duration_s=values["duration"], fail=values["fail"], output=values["output"]
    ),
    fields=(
        Field(
            key="duration",
            reader=Duration(),
            description="How long the agent pretends to work.",
            default=0.0,
        ),
        Field(
            key="fail",
            reader=Flag(),
            description="Whether the agent answers that it failed.",
            default=False,
        ),
        Field(
            key="output", reader=_TEXT, description="What the agent writes to its log.", default=""
        ),
    ),
)


def _agent(values: Values) -> Agent:
    kinds = [kind for kind in AgentKind if values.written(kind)]
    if len(kinds) != 1:
        path = (kinds[1],) if kinds else ()
        values.error(path, f"{values.label} must have exactly one of {listed(AgentKind)}")
    _check_command(values)
    check_environment(values)
    return Agent(
        name="",
        kind=kinds[0] if kinds else AgentKind.SIMULATED,
        command=values["command"],
        shell=values["shell"],
        python=values["python"],
        http=values["http"],
        simulated=values["simulated"],
        env=values["env"],
        workdir=values["workdir"],
        timeout_s=values["timeout"],
        grace_s=values["grace"],
        success_codes=values["success_codes"],
        leaves_processes=values["leaves_processes"],
    )


def _check_command(values: Values) -> None:
    command: tuple[str, ...] = values["command"]
    if command and not command[0].strip():
        values.error(("command", 0), "the program of a command cannot be blank")
    for position in program_text_items(command):
        path = ("command", position)
        if position == 0:
            values.error(path, "a variable cannot choose the program", "write its name out")
        else:
            values.error(
                path,
                "a variable would become program text here",
                "pass it as an argument behind the script, or use shell: and an environment"
                " variable",
            )


_KINDS = tuple(str(kind) for kind in AgentKind)

AGENT = Record(
    definition="agent",
    build=_agent,
    extra={"oneOf": [written(kind) for kind in _KINDS]},
    fields=(
        Field(
            key="command",
            reader=ListOf(
                item=_TEXT,
                single=False,
                empty=False,
                hint="write [program, argument, …], or use shell: for a command line",
            ),
            description="A program and its arguments, without a shell. ${variable} fills a part of"
            " one argument and never splits it.",
            default=(),
        ),
        Field(
            key="shell",
            reader=Text(pattern=r"\s*\S[\s\S]*", rule="must not be blank"),
            description="A script for /bin/sh. Nothing is substituted in it; variables are"
            " environment variables.",
            default="",
        ),
        Field(
            key="python",
            reader=Text(
                pattern=r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*",
                rule="must be package.module:function",
            ),
            description="A Python function as package.module:function, in a process of its own.",
            default="",
        ),
        Field(key="http", reader=_HTTP, description="One HTTP request."),
        Field(
            key="simulated",
            reader=_SIMULATED,
            description="Nothing; the agent only waits and answers.",
        ),
        ENV,
        Field(
            key="workdir",
            reader=_TEXT,
            description="The folder to work in, seen from that of the run.",
        ),
        Field(
            key="timeout",
            reader=Duration(zero=False),
            description="The limit of one attempt, such as 30m, where the stage has none.",
        ),
        Field(
            key="grace",
            reader=Duration(),
            description="The time between SIGTERM and SIGKILL.",
            default=DEFAULT_GRACE_S,
        ),
        Field(
            key="success_codes",
            reader=_EXIT_CODES,
            description="The exit codes that count as success.",
            default=(0,),
        ),
        Field(
            key="leaves_processes",
            reader=Flag(),
            description="Whether processes that left the session of the stage are kept, as those"
            " of a started service are.",
            default=False,
        ),
    ),
)
"""Who does a stage's work: exactly one of the kinds, and what goes with it."""


class _Agents:
    """Agents by name."""

    def read(self, node: Node, label: str, report: Report) -> tuple[Agent, ...] | None:
        """The agents in the order of the file, each with its name."""
        if not isinstance(node, MappingNode):
            message = f"{label} must be a mapping of names to agents, not {kind_of(node)}"
            report.error(node, message)
            return None
        found = []
        for name, entry in entries(node).items():
            AGENT_NAME.read(entry.key, f"a name in {label}", report)
            agent = AGENT.read(entry.value, f"agent '{shown(name)}'", report)
            if agent is not None:
                found.append(replace(agent, name=name))
        return tuple(found)

    def schema(self, definitions: Schema) -> Schema:
        """An object with an agent under each name."""
        return {"type": "object", "additionalProperties": AGENT.schema(definitions)}


AGENTS = Field(
    key="agents",
    reader=_Agents(),
    description="Who does the work of the stages, by name. Agents that are not here are looked up"
    " in an agents.yaml beside the file, then in the user's configuration.",
    default=(),
)

AGENTS_FILE: Record[tuple[Agent, ...]] = Record(
    title="an agents file",
    build=lambda values: tuple(values["agents"]),
    fields=(AGENTS,),
)
"""A file that defines agents and nothing else."""
