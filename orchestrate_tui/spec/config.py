"""The user's configuration: what roles mean on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrate_tui.domain.access import Right
from orchestrate_tui.domain.notifying import NotifyRule
from orchestrate_tui.domain.pipeline import Environment
from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec.environments import ENVIRONMENTS, environments
from orchestrate_tui.spec.loading import read_document, user_config_folder
from orchestrate_tui.spec.notifying import NOTIFY
from orchestrate_tui.spec.readers import NAMES, WORDS, Choice, Duration, ListOf, MapOf, Text
from orchestrate_tui.spec.records import Field, Record, Values
from orchestrate_tui.spec.report import Report

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


def _config(values: Values) -> UserConfig:
    if values.written("access") and not values["share_group"]:
        message = "'access' is for members of a group that shares the database, and none is named"
        values.error(("access",), message, "write share_group: NAME as well")
    return UserConfig(
        roles=dict(values["roles"]),
        share_group=values["share_group"],
        access=dict(values["access"]),
        pipelines=values["pipelines"],
        environments=environments(values["environments"]),
        unlocked_for_s=values["unlock_for"],
        notify=values["notify"],
    )


CONFIG = Record(
    title="the configuration",
    build=_config,
    fields=(
        Field(
            key="roles",
            reader=MapOf(value=NAMES, keys=WORDS),
            description="The users and @groups that a role among the approvers stands for.",
            default=(),
        ),
        Field(
            key="share_group",
            reader=Text(pattern=r"[^@\s][^\s]*", rule="must be the name of a Unix group without @"),
            description="The Unix group whose members may read the database and the logs.",
            default="",
        ),
        Field(
            key="access",
            reader=MapOf(value=ListOf(item=Choice(words=Right)), keys=WORDS),
            description="What members of that group may do: users, @groups and roles to rights.",
            default=(),
        ),
        Field(
            key="pipelines",
            reader=ListOf(item=Text(pattern=r"/[\s\S]+", rule="must be an absolute path")),
            description="The pipeline files that those with the right `run` may start.",
            default=(),
        ),
        ENVIRONMENTS,
        NOTIFY,
        Field(
            key="unlock_for",
            reader=Duration(zero=False),
            description="For how long W unlocks protected environments in a console.",
            default=DEFAULT_UNLOCKED_FOR_S,
        ),
    ),
)


def load_user_config(path: Path | None = None) -> UserConfig:
    """The configuration in the file at `path`; None means the user's own, which may be missing.

    Raises PipelineFileError with every problem of the file.
    """
    file = user_config_folder() / CONFIG_FILE_NAME if path is None else path
    report = Report(str(file))
    document = read_document(file, "the configuration", report)
    config = None if document is None else CONFIG.read(document.root, "the configuration", report)
    if report.errors:
        raise PipelineFileError(report.errors)
    return config or UserConfig()
