"""The user's configuration: who may read, who may act, and what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrate_tui.domain.access import Right
from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec import load_pipeline
from orchestrate_tui.spec.config import load_user_config
from orchestrate_tui.spec.user_config import UserConfig


def read(tmp_path: Path, text: str) -> UserConfig:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return load_user_config(file)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(PipelineFileError) as caught:
        read(tmp_path, text)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


@pytest.mark.parametrize(("mode", "who"), [(0o660, "its group"), (0o602, "everybody")])
def test_what_others_may_change_is_no_configuration(tmp_path: Path, mode: int, who: str) -> None:
    read(tmp_path, "roles: {}\n")
    file = tmp_path / "config.yaml"
    file.chmod(mode)
    with pytest.raises(PipelineFileError) as caught:
        load_user_config(file)
    assert str(caught.value) == f"{file}: it may be changed by {who} (chmod go-w {file})"


def test_a_configuration_that_others_may_replace_is_none(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    (found,) = problems(tmp_path, "roles: {}\n")
    assert found == f"{tmp_path}: it may be changed by its group (chmod go-w {tmp_path})"


def test_a_link_to_what_others_may_replace_is_no_configuration(tmp_path: Path) -> None:
    shared, link = tmp_path / "shared", tmp_path / "config.yaml"
    shared.mkdir()
    (shared / "config.yaml").touch()
    link.symlink_to(shared / "config.yaml")
    load_user_config(link)
    shared.chmod(0o777)
    with pytest.raises(PipelineFileError, match="shared: it may be changed by everybody"):
        load_user_config(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_configuration_of_another_user_is_none(tmp_path: Path) -> None:
    read(tmp_path, "roles: {}\n")
    os.chown(tmp_path / "config.yaml", 1, -1)
    with pytest.raises(PipelineFileError, match="changed by another user, to whom it belongs"):
        load_user_config(tmp_path / "config.yaml")


def test_the_agents_of_a_user_are_theirs_alone_to_define(tmp_path: Path) -> None:
    agents, pipeline = tmp_path / "agents.yaml", tmp_path / "shop" / "pipeline.yaml"
    pipeline.parent.mkdir()
    pipeline.write_text("name: shop\nstages: [{name: build, agent: maker, task: t}]\n")
    agents.write_text('agents: {maker: {shell: "true"}}\n')
    load_pipeline(pipeline, user_agents=agents)
    agents.chmod(0o666)
    with pytest.raises(PipelineFileError, match="it may be changed by everybody"):
        load_pipeline(pipeline, user_agents=agents)


def test_nothing_is_shared_and_granted_by_default(tmp_path: Path) -> None:
    config = read(tmp_path, "roles: {}\n")
    assert (config.share_group, config.access, config.pipelines) == ("", {}, ())


def test_rights_are_granted_to_users_groups_and_roles(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "share_group: ops\naccess:\n  bob: [view, run]\n  '@ops': approve\n  leads: rollback\n"
        "pipelines: /srv/shop.yaml\n",
    )
    assert config.share_group == "ops"
    assert config.access == {
        "bob": (Right.VIEW, Right.RUN),
        "@ops": (Right.APPROVE,),
        "leads": (Right.ROLLBACK,),
    }
    assert config.pipelines == ("/srv/shop.yaml",)


def test_a_right_that_does_not_exist_is_refused_where_it_stands(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "share_group: ops\naccess:\n  bob: [view, aprove]\n")
    assert found == (
        "config.yaml:3:15: an item of 'bob' in 'access' must be view, run, approve or rollback, "
        "not 'aprove' (did you mean 'approve'?)"
    )


def test_a_misspelt_key_is_refused_with_the_right_one(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "acces: {}\n")
    assert "1:1: unknown key 'acces'" in found
    assert "did you mean 'access'?" in found


def test_access_without_a_group_is_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "access: {bob: [view]}\n")
    assert found.startswith("config.yaml:1:9: 'access' is for members of a group")
    assert "write share_group: NAME as well" in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("share_group: '@ops'", "'share_group' must be the name of a Unix group without @"),
        ("share_group: 'a b'", "'share_group' must be the name of a Unix group without @"),
        ("pipelines: shop.yaml", "'pipelines' must be an absolute path, not 'shop.yaml'"),
    ],
)
def test_what_can_be_no_group_and_no_path_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (found,) = problems(tmp_path, text)
    assert message in found
