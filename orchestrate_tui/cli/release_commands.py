"""Commands about releases, and about what is kept for going back to one."""

from __future__ import annotations

from orchestrate_tui.cli.commands import Commands, add_confirm, add_run_id, whole


def add_releases(commands: Commands) -> None:
    """releases, pin, unpin, readiness, quarantine, lift and prune."""
    releases = commands.add(
        "releases", "releases:releases", "list what was brought to which environment", json=True
    )
    releases.add_argument("--pipeline", metavar="NAME", help="only releases of this pipeline")
    releases.add_argument("--environment", metavar="NAME", help="only those in this environment")
    releases.add_argument(
        "--limit", type=whole, default=50, metavar="N", help="at most so many (50)"
    )
    for name, summary in (
        ("pin", "vouch for a release as the golden one of its environment"),
        ("unpin", "vouch for a release no more"),
    ):
        pin = commands.add(name, f"releases:{name}", summary, json=True)
        pin.add_argument("release", type=whole, metavar="RELEASE", help="the id of the release")
        pin.add_argument("--reason", default="", metavar="TEXT", help="kept with the release")
    readiness = commands.add(
        "readiness", "readiness:readiness", "show whether a run could be undone now", json=True
    )
    add_run_id(readiness)
    quarantine = commands.add(
        "quarantine",
        "releases:quarantine",
        "list versions that were rolled back and may not come back yet",
        json=True,
    )
    quarantine.add_argument(
        "--all", action="store_true", help="also those that may come back by now"
    )
    quarantine.add_argument(
        "--limit", type=whole, default=50, metavar="N", help="at most so many (50)"
    )
    lift = commands.add(
        "lift", "releases:lift", "let a quarantined version be deployed again", json=True
    )
    lift.add_argument(
        "quarantine", type=whole, metavar="QUARANTINE", help="the id of the quarantine"
    )
    lift.add_argument("--reason", required=True, metavar="TEXT", help="kept with the quarantine")
    add_confirm(lift)
    prune = commands.add(
        "prune",
        "pruning:prune_runs",
        "remove logs and releases of old runs that no rollback needs any more",
        json=True,
    )
    prune.add_argument(
        "--older-than", metavar="AGE", help="of runs that ended so long ago, such as 30d"
    )
    prune.add_argument(
        "--keep", type=whole, metavar="N", help="but for the N newest of each pipeline"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    prune.add_argument("--yes", action="store_true", help="do not ask for confirmation")
