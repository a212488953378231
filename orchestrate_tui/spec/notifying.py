"""`notify:` who is told of what, and who comes next."""

from __future__ import annotations

import os

from orchestrate_tui.domain.notifying import EscalationStep, NotifyRule, Occasion, Repetition
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.readers import Choice, Duration, ListOf, Text, Whole
from orchestrate_tui.spec.records import Field, Record, Shorthand, Values
from orchestrate_tui.spec.report import Report

MOST_REPETITIONS = 100
_DEFAULT_TIMES = 3

_CHANNELS = ListOf(
    item=Text(
        pattern="[A-Za-z_][A-Za-z0-9_]*",
        rule="must be the name of an environment variable that holds the address, which itself"
        " never stands in a file",
        quoted=False,
    ),
    empty=False,
)

_STEP = Record(
    title="a step of an escalation",
    definition="escalation",
    build=lambda values: EscalationStep(after_s=values["after"] or 0.0, to=values["to"]),
    fields=(
        Field(
            key="after",
            reader=Duration(zero=False),
            description="How long after the step before, if nobody has acknowledged it by then.",
            required="a step of an escalation must say after how long (after: 10m)",
        ),
        Field(
            key="to",
            reader=_CHANNELS,
            description="Environment variables that hold the addresses told then.",
            default=(),
            required="a step of an escalation must say who is told (to: VARIABLE)",
        ),
    ),
)

_REPEAT = Record(
    title="repeat",
    build=lambda values: Repetition(every_s=values["every"] or 0.0, times=values["times"]),
    fields=(
        Field(
            key="every",
            reader=Duration(zero=False),
            description="How long after the last step all of it begins again.",
            required="repeat must say after how long (every: 30m)",
        ),
        Field(
            key="times",
            reader=Whole(least=1, most=MOST_REPETITIONS),
            description="How often, at most.",
            default=_DEFAULT_TIMES,
        ),
    ),
)


def _rule(values: Values) -> NotifyRule:
    return NotifyRule(
        to=values["to"],
        on=tuple(dict.fromkeys(values["on"])),
        escalate=values["escalate"],
        repeat=values["repeat"],
    )


NOTIFY = Field(
    key="notify",
    reader=ListOf(
        item=Shorthand(
            plain=_CHANNELS.item,
            expand=lambda channel: NotifyRule(to=(channel,)),
            record=Record(
                title="a rule of notify",
                definition="notify",
                build=_rule,
                fields=(
                    Field(
                        key="to",
                        reader=_CHANNELS,
                        description="Environment variables, each of which holds the address"
                        " (an Apprise URL) of who is told first.",
                        default=(),
                        required="a rule of notify must say who is told (to: VARIABLE)",
                    ),
                    Field(
                        key="on",
                        reader=ListOf(item=Choice(words=Occasion), empty=False),
                        description="On which occasions; all of them when not written.",
                        default=tuple(Occasion),
                    ),
                    Field(
                        key="escalate",
                        reader=ListOf(item=_STEP),
                        description="Who is told next while nobody acknowledges it.",
                        default=(),
                    ),
                    Field(
                        key="repeat",
                        reader=_REPEAT,
                        description="That all of it is told again while nobody acknowledges it.",
                    ),
                ),
            ),
        )
    ),
    description="Who is told when a run fails, is rolled back or waits for people: the names of"
    " environment variables that hold the addresses.",
    default=(),
)


def report_unset_channels(loaded: LoadedPipeline, report: Report) -> None:
    """Warn of channels whose environment variable is not set here: nobody would be told."""
    for position, rule in enumerate(loaded.pipeline.notify):
        for name in rule.channels:
            if not os.environ.get(name, "").strip():
                report.warning(
                    loaded.document.at("notify", position),
                    f"the environment variable '{name}' is not set: who it stands for would not"
                    " be told",
                    "set it where the pipeline runs, and try it with: orchestrate-tui notify test",
                )
