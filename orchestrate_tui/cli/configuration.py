"""What this user has configured, for the commands that need it."""

from __future__ import annotations

from orchestrate_tui.errors import PipelineFileError, Refused
from orchestrate_tui.executor.people import People
from orchestrate_tui.spec.config import load_user_config


def configured_people() -> People:
    """Who may approve, by the roles of the configuration. Raises Refused with its problems."""
    try:
        return People(load_user_config().roles)
    except PipelineFileError as error:
        raise Refused(f"The configuration cannot be used\n{error}") from error
