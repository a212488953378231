"""Commands about releases and quarantines: what was brought to which environment, and may be."""

from __future__ import annotations

import sys
from argparse import Namespace

from orchestrate_tui.cli.decisions import ask
from orchestrate_tui.cli.marked import print_table
from orchestrate_tui.cli.protection import confirm_protected
from orchestrate_tui.cli.reading import history_if_any
from orchestrate_tui.cli.records import print_json, quarantine_record, release_record
from orchestrate_tui.cli.terminal import local, say
from orchestrate_tui.console.marks import release_mark
from orchestrate_tui.domain.release import Quarantine, Release, Ruling


def releases(arguments: Namespace) -> int:
    """List releases, newest first."""
    history = history_if_any(arguments)
    found = (
        history.releases(
            pipeline=arguments.pipeline, environment=arguments.environment, limit=arguments.limit
        )
        if history
        else ()
    )
    if arguments.json:
        print_json([release_record(release) for release in found])
    elif not found:
        say("No releases yet", to=sys.stderr)
    else:
        heads = (
            "RELEASE",
            "",
            "STATUS",
            "VERSION",
            "ENVIRONMENT",
            "STAGE",
            "RUN",
            "WHEN",
            "PIPELINE",
            "NOTE",
        )
        print_table(heads, map(_row, found))
    return 0


def pin(arguments: Namespace) -> int:
    """Vouch for a release."""
    return _rule(arguments, Ruling.PIN)


def unpin(arguments: Namespace) -> int:
    """Vouch for a release no more."""
    return _rule(arguments, Ruling.UNPIN)


def _rule(arguments: Namespace, ruling: Ruling) -> int:
    release, reason = arguments.release, arguments.reason
    return ask(arguments, lambda control: control.rule(ruling, release, reason))


def quarantine(arguments: Namespace) -> int:
    """List quarantined versions, newest first."""
    history = history_if_any(arguments)
    limit = arguments.limit
    found = history.quarantines(lifted=arguments.all, limit=limit) if history else ()
    if arguments.json:
        print_json([quarantine_record(one) for one in found])
    elif not found:
        say("No version is quarantined", to=sys.stderr)
    else:
        heads = ("QUARANTINE", "VERSION", "ENVIRONMENT", "ROLLBACK", "RUN", "WHEN", "PIPELINE", "")
        print_table(heads, map(_quarantine_row, found))
    return 0


def lift(arguments: Namespace) -> int:
    """Let a version be brought to its environment again."""
    identity, reason = arguments.quarantine, arguments.reason
    return ask(
        arguments,
        lambda control: control.rule(Ruling.LIFT, identity, reason),
        lambda control, history: confirm_protected(
            arguments, history, history.quarantine(identity).run_id, control
        ),
    )


def _row(release: Release) -> tuple[str, ...]:
    undone = f"undone by rollback {release.undone_by}" if release.undone_by else ""
    because = f": {release.pin_reason}" if release.pin_reason else ""
    pruned = "pruned" if release.pruned_at else ""
    golden = f"golden, says {release.pinned_by}{because}" if release.is_golden else ""
    mark = release_mark(release)
    return (
        str(release.id),
        mark.glyph,
        mark.word,
        release.version or "-",
        release.place,
        release.stage_name,
        str(release.run_id),
        local(release.created_at),
        release.pipeline,
        "; ".join(filter(None, (golden, undone, pruned))),
    )


def _quarantine_row(one: Quarantine) -> tuple[str, ...]:
    lifted = f"lifted by {one.lifted_by}: {one.lift_reason}" if one.lifted_by else ""
    return (
        str(one.id),
        one.version,
        one.place,
        str(one.rollback_id),
        str(one.run_id),
        local(one.created_at),
        one.pipeline,
        lifted,
    )
