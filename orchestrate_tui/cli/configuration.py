"""What this user has configured, for the commands that need it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.errors import PipelineFileError, Refused
from orchestrate_tui.spec.user_config import CONFIG_FILE_NAME, UserConfig, user_config_folder

if TYPE_CHECKING:
    from orchestrate_tui.executor.people import People


def configuration() -> UserConfig:
    """What the user has configured. Raises Refused with the problems of the file."""
    path = user_config_folder() / CONFIG_FILE_NAME
    if _is_missing(path):  # what reads it takes longer to load than the rest of a console
        return UserConfig()
    from orchestrate_tui.spec.config import load_user_config  # noqa: PLC0415  (see above)

    try:
        return load_user_config(path)
    except PipelineFileError as error:
        raise Refused("The configuration cannot be used", problems=error.problems) from error


def configured_people() -> People:
    """Who may approve, by the roles of the configuration. Raises Refused."""
    from orchestrate_tui.executor.people import People  # noqa: PLC0415  (for those who work)

    return People(configuration().roles)


def _is_missing(path: Path) -> bool:
    """Whether no file is there; what cannot be looked at is told by who reads it."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False
