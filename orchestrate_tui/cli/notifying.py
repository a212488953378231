"""Commands about who is told: notifications, notify."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from orchestrate_tui.cli.marked import print_table, say_marked
from orchestrate_tui.cli.places import database_path
from orchestrate_tui.cli.reading import history_if_any
from orchestrate_tui.cli.records import notification_record, print_json
from orchestrate_tui.cli.terminal import local, say
from orchestrate_tui.console.marks import Mark, Tone
from orchestrate_tui.domain.notification import DeliveryStatus, Notification
from orchestrate_tui.domain.notifying import NotifyRule
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.history import History

_SENT = Mark("✓", Tone.GOOD, "sent")
_FAILED = Mark("✗", Tone.BAD, "failed")
_HEADS = ("ID", "RUN", "OCCASION", "ABOUT", "STEP", "TO", "STATUS", "WHEN", "TRIES", "WHY")


def notifications(arguments: Namespace) -> int:
    """List who was told of what, and what became of it, newest first."""
    if arguments.run is None:
        history = history_if_any(arguments)
    else:
        history = History(database_path(arguments), hands_off=True)
        history.run(arguments.run)
    found = history.notifications(arguments.run, limit=arguments.limit) if history else ()
    if arguments.json:
        print_json([notification_record(one) for one in found])
    elif found:
        print_notifications(found)
    else:
        say("Nobody was told of anything yet", to=sys.stderr)
    return 0


def print_notifications(found: tuple[Notification, ...]) -> None:
    """Print each delivery, and for each notification what comes next or why nothing does."""
    print_table(_HEADS, [row for one in found for row in _rows(one)])


def _rows(one: Notification) -> list[tuple[str, ...]]:
    about = (str(one.id), str(one.run_id), str(one.occasion), one.stage_name or "")
    rows: list[tuple[str, ...]] = [
        (
            *about,
            str(delivery.step + 1),
            delivery.channel,
            _word(delivery.status, delivery.error),
            local(delivery.completed_at or delivery.started_at or delivery.due_at),
            str(delivery.attempt or ""),
            delivery.error,
        )
        for delivery in one.deliveries
    ]
    if one.ended_at is not None:
        return [*rows, (*about, "", "", "ended", local(one.ended_at), "", one.outcome)]
    if one.due_at is not None:
        rows.append((*about, str(one.step + 1), "", "next", local(one.due_at), "", ""))
    return rows


def _word(status: DeliveryStatus, error: str) -> str:
    return "to be tried again" if status is DeliveryStatus.PENDING and error else status


def notify(arguments: Namespace) -> int:
    """Send a message to every channel of a pipeline and of the configuration; 1 if one fails."""
    channels = _channels(_rules(arguments.file), arguments.to)
    # starts programs, which no other command about notifications does
    from orchestrate_tui.executor.sending import Message, send  # noqa: PLC0415

    message = Message(
        title="a test of Orchestrate",
        body="Somebody tries whether notifications arrive; there is nothing to do.",
        kind="info",
    )
    found = {channel: send(channel, message) for channel in channels}
    if arguments.json:
        print_json([{"channel": name, "error": error or None} for name, error in found.items()])
    else:
        for name, error in found.items():
            say_marked(_FAILED if error else _SENT, f"{name}: {error or 'sent'}")
    return 1 if any(found.values()) else 0


def _rules(file: Path | None) -> tuple[NotifyRule, ...]:
    from orchestrate_tui.cli.configuration import configuration  # noqa: PLC0415  (brings YAML)
    from orchestrate_tui.spec import load_pipeline  # noqa: PLC0415  (brings YAML)

    named = () if file is None else load_pipeline(file).pipeline.notify
    return (*named, *configuration().notify)


def _channels(rules: tuple[NotifyRule, ...], wanted: str | None) -> tuple[str, ...]:
    """Every channel once. Raises Refused when there is none, or not the wanted one."""
    known = tuple(dict.fromkeys(name for rule in rules for name in rule.channels))
    if not known:
        raise Refused(
            "Nobody is to be told of anything",
            next_step="Write notify: into a pipeline, and name it here, or your configuration",
        )
    if wanted is not None and wanted not in known:
        raise Refused(
            f"'{wanted}' is none of the channels", next_step=f"Choose one of: {', '.join(known)}"
        )
    return known if wanted is None else (wanted,)
