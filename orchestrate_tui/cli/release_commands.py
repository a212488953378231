"""Commands about releases, what is kept for going back to one, and what keeps new ones away."""

from __future__ import annotations

from argparse import ArgumentParser

from orchestrate_tui.cli.commands import Command, add_confirm, add_limit, add_run_id, whole


def _releases(parser: ArgumentParser) -> None:
    parser.add_argument("--pipeline", metavar="NAME", help="only releases of this pipeline")
    parser.add_argument("--environment", metavar="NAME", help="only those in this environment")
    add_limit(parser)


def _pin(parser: ArgumentParser) -> None:
    parser.add_argument("release", type=whole, metavar="RELEASE", help="the id of the release")
    parser.add_argument("--reason", default="", metavar="TEXT", help="kept with the release")


def _quarantine(parser: ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also those that may come back by now")
    add_limit(parser)


def _lift(parser: ArgumentParser) -> None:
    parser.add_argument(
        "quarantine", type=whole, metavar="QUARANTINE", help="the id of the quarantine"
    )
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept with the quarantine")
    add_confirm(parser)


def _prune(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--older-than", metavar="AGE", help="of runs that ended so long ago, such as 30d"
    )
    parser.add_argument(
        "--keep", type=whole, metavar="N", help="but for the N newest of each pipeline"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _breakers(parser: ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also those that were reset")
    add_limit(parser)


def _reset(parser: ArgumentParser) -> None:
    parser.add_argument("breaker", type=whole, metavar="BREAKER", help="the id of the breaker")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept with the breaker")
    add_confirm(parser)


COMMANDS = (
    Command(
        name="releases",
        handler="releases:releases",
        summary="list what was brought to which environment",
        options=_releases,
    ),
    Command(
        name="pin",
        handler="releases:pin",
        summary="vouch for a release as the golden one of its environment",
        options=_pin,
    ),
    Command(
        name="unpin",
        handler="releases:unpin",
        summary="vouch for a release no more",
        options=_pin,
    ),
    Command(
        name="readiness",
        handler="readiness:readiness",
        summary="show whether a run could be undone now",
        options=add_run_id,
    ),
    Command(
        name="quarantine",
        handler="releases:quarantine",
        summary="list versions that were rolled back and may not come back yet",
        options=_quarantine,
    ),
    Command(
        name="lift",
        handler="releases:lift",
        summary="let a quarantined version be deployed again",
        options=_lift,
    ),
    Command(
        name="prune",
        handler="pruning:prune_runs",
        summary="remove logs and releases of old runs that no rollback needs any more",
        options=_prune,
    ),
    Command(
        name="breakers",
        handler="breakers:breakers",
        summary="list what keeps new runs from an environment",
        options=_breakers,
    ),
    Command(
        name="reset",
        handler="breakers:reset",
        summary="let new runs go to the environment of a breaker again",
        options=_reset,
    ),
)
