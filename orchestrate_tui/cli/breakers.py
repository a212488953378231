"""Commands about breakers: breakers, reset."""

from __future__ import annotations

import sys
from argparse import Namespace

from orchestrate_tui.cli.decisions import ask
from orchestrate_tui.cli.marked import print_table
from orchestrate_tui.cli.protection import confirm_protected
from orchestrate_tui.cli.reading import history_if_any
from orchestrate_tui.cli.records import JsonObject, print_json
from orchestrate_tui.cli.terminal import local, say
from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.store.breakers import Breaker


def breakers(arguments: Namespace) -> int:
    """List the breakers that keep new runs from an environment, newest first."""
    history = history_if_any(arguments)
    found = history.breakers(reset=arguments.all, limit=arguments.limit) if history else ()
    if arguments.json:
        print_json([_record(one) for one in found])
    elif not found:
        say("No breaker is tripped", to=sys.stderr)
    else:
        heads = ("BREAKER", "PIPELINE", "ENVIRONMENT", "ROLLBACKS", "RUN", "WHEN", "")
        print_table(heads, map(_row, found))
    return 0


def reset(arguments: Namespace) -> int:
    """Let new runs go to the environment of a breaker again."""
    identity, reason = arguments.breaker, arguments.reason
    return ask(
        arguments,
        lambda control: control.rule(Ruling.RESET, identity, reason),
        lambda control, history: confirm_protected(
            arguments, history, history.breaker(identity).run_id, control
        ),
    )


def _row(one: Breaker) -> tuple[str, ...]:
    again = f"reset by {one.reset_by}: {one.reset_reason}" if one.reset_by else ""
    return (
        str(one.id),
        one.pipeline,
        one.environment,
        str(one.rollbacks),
        str(one.run_id),
        local(one.tripped_at),
        again,
    )


def _record(one: Breaker) -> JsonObject:
    return {
        "id": one.id,
        "pipeline": one.pipeline,
        "environment": one.environment,
        "rollbacks": one.rollbacks,
        "run_id": one.run_id,
        "rollback_id": one.rollback_id,
        "tripped_at": to_text(one.tripped_at),
        "reset_by": one.reset_by,
        "reset_at": to_text(one.reset_at) if one.reset_at else None,
        "reset_reason": one.reset_reason,
    }
