"""The user's configuration: what holds for every pipeline on this machine."""

from __future__ import annotations

from pathlib import Path

from orchestrate_tui.domain.access import Right
from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec.environments import ENVIRONMENTS, environments
from orchestrate_tui.spec.loading import read_own_document
from orchestrate_tui.spec.notifying import NOTIFY
from orchestrate_tui.spec.readers import NAMES, WORDS, Choice, Duration, ListOf, MapOf, Text
from orchestrate_tui.spec.records import Field, Record, Values
from orchestrate_tui.spec.report import Report
from orchestrate_tui.spec.user_config import (
    CONFIG_FILE_NAME,
    DEFAULT_UNLOCKED_FOR_S,
    UserConfig,
    user_config_folder,
)


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
    document = read_own_document(file, "the configuration", report)
    config = None if document is None else CONFIG.read(document.root, "the configuration", report)
    if report.errors:
        raise PipelineFileError(report.errors)
    return config or UserConfig()
