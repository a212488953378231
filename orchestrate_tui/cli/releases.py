"""Commands about releases: what was brought to which environment."""

from __future__ import annotations

import sys
from argparse import Namespace

from orchestrate_tui.cli.history import history_if_any
from orchestrate_tui.cli.records import print_json, release_record
from orchestrate_tui.cli.terminal import local, print_table, say
from orchestrate_tui.domain.release import Release


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
        heads = ("RELEASE", "VERSION", "ENVIRONMENT", "STAGE", "RUN", "WHEN", "PIPELINE", "NOTE")
        print_table(heads, map(_row, found))
    return 0


def _row(release: Release) -> tuple[str, ...]:
    return (
        str(release.id),
        release.version or "-",
        "/".join(filter(None, (release.environment, release.component))),
        release.stage_name,
        str(release.run_id),
        local(release.created_at),
        release.pipeline,
        f"undone by rollback {release.undone_by}" if release.undone_by else "",
    )
