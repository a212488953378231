"""What this user has configured, for the commands that need it."""

from __future__ import annotations

from orchestrate_tui.errors import PipelineFileError, Refused
from orchestrate_tui.executor.people import People
from orchestrate_tui.spec.config import UserConfig, load_user_config


def configuration() -> UserConfig:
    """What the user has configured. Raises Refused with the problems of the file."""
    try:
        return load_user_config()
    except PipelineFileError as error:
        raise Refused("The configuration cannot be used", problems=error.problems) from error


def configured_people() -> People:
    """Who may approve, by the roles of the configuration. Raises Refused."""
    return People(configuration().roles)
