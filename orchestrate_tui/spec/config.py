"""The user's configuration: what roles mean on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec.loading import read_document, user_config_folder
from orchestrate_tui.spec.readers import NAMES, WORDS, MapOf, Text
from orchestrate_tui.spec.records import Field, Record
from orchestrate_tui.spec.report import Report

CONFIG_FILE_NAME = "config.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """What a user has configured.

    `roles` are the users and @groups that a role stands for. `share_group` is the Unix group that
    may read the database and the logs; "" is nobody but their owner.
    """

    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    share_group: str = ""


CONFIG = Record(
    title="the configuration",
    build=lambda values: UserConfig(roles=dict(values["roles"]), share_group=values["share_group"]),
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
