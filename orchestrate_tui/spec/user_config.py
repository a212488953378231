"""What a user has configured, and where; reading it is the work of `config`."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.errors import CannotStart
from orchestrate_tui.values import dataclass

if TYPE_CHECKING:
    from orchestrate_tui.domain.access import Right
    from orchestrate_tui.domain.notifying import NotifyRule
    from orchestrate_tui.domain.pipeline import Environment

CONFIG_FILE_NAME = "config.yaml"
DEFAULT_UNLOCKED_FOR_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """What a user has configured.

    `roles` are the users and @groups that a role stands for. `share_group` is the Unix group that
    may read the database and the logs; "" is nobody but their owner. `access` is what users,
    @groups and roles among its members may do, and `pipelines` are the files that those with the
    right to run may start. `environments` says which are protected on this machine, and
    `unlocked_for_s` for how long a console unlocks them. `notify` says who is told of every run.
    """

    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    share_group: str = ""
    access: Mapping[str, tuple[Right, ...]] = field(default_factory=dict)
    pipelines: tuple[str, ...] = ()
    environments: tuple[Environment, ...] = ()
    unlocked_for_s: float = DEFAULT_UNLOCKED_FOR_S
    notify: tuple[NotifyRule, ...] = ()

    @property
    def protected(self) -> frozenset[str]:
        """The environments that are protected whatever a pipeline says."""
        return frozenset(one.name for one in self.environments if one.protected)


def user_config_folder() -> Path:
    """Where the user's configuration lies."""
    return own_folder("XDG_CONFIG_HOME", ".config")


def own_folder(variable: str, default: str) -> Path:
    """The folder of this program where that variable says, as far as it names an absolute path.

    Else it is in `default`, which is below the home folder: that is what
    https://specifications.freedesktop.org/basedir-spec asks for. Raises CannotStart without any.
    """
    named = Path(os.environ.get(variable, ""))
    return (named if named.is_absolute() else _home(variable) / default) / "orchestrate-tui"


def _home(variable: str) -> Path:
    """The home folder of this user. Raises CannotStart when there is none."""
    named = Path(os.environ.get("HOME", ""))
    if not named.is_absolute():
        with suppress(KeyError):  # a number without a user, as in containers
            named = Path(pwd.getpwuid(os.getuid()).pw_dir)
    if not named.is_absolute():
        raise CannotStart(
            f"The user {os.getuid()} has no home folder, and neither HOME nor {variable} says where"
            " its files are",
            next_step=f"Set HOME or {variable} to the path of a folder",
        )
    return named
