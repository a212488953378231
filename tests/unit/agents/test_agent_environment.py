from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrate_tui.agents.contract import RollbackIdentity
from orchestrate_tui.agents.environment import output_path, own_environment
from orchestrate_tui.domain.variables import UnknownVariable, UnsafeValue
from orchestrate_tui.stagehost.starting import inherited_environment

if TYPE_CHECKING:
    from orchestrate_tui.agents.contract import Work
    from tests.unit.agents.conftest import MakeWork, Run


def build_environment(work: Work) -> dict[str, str]:
    """What a process that does the work finds."""
    return inherited_environment() | own_environment(work, output_path(work))


def ours(environment: dict[str, str]) -> dict[str, str]:
    prefix = "ORCHESTRATE_"
    return {
        name.removeprefix(prefix): value
        for name, value in environment.items()
        if name.startswith(prefix)
    }


def test_a_process_is_told_what_it_works_on(make_work: MakeWork) -> None:
    work = make_work(shell="", environment="staging", attempt=2, idempotency_key="7/deploy")
    assert ours(build_environment(work)) == {
        "RUN_ID": "7",
        "STAGE": "deploy",
        "AGENT": "deployer",
        "TASK": "Deploy it",
        "ATTEMPT": "2",
        "ENVIRONMENT": "staging",
        "OUTPUT": str(work.log_path.with_name("deploy.1.out")),
        "IDEMPOTENCY_KEY": "7/deploy",
    }


def test_a_stage_without_an_environment_is_told_so(make_work: MakeWork) -> None:
    assert build_environment(make_work(shell=""))["ORCHESTRATE_ENVIRONMENT"] == ""


def test_an_undo_is_told_its_rollback_and_the_failed_stage(make_work: MakeWork) -> None:
    identity = RollbackIdentity(rollback_id=4, failed_stage="smoke-test")
    told = ours(build_environment(make_work(shell="", rollback=identity)))
    assert (told["ROLLBACK_ID"], told["FAILED_STAGE"]) == ("4", "smoke-test")


@pytest.mark.parametrize(
    "name", ["BASH_ENV", "ENV", "BASH_FUNC_ls%%", "ORCHESTRATE_DB", "ORCHESTRATE_ROLLBACK_ID"]
)
def test_what_would_change_a_stage_is_not_inherited(
    make_work: MakeWork, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "() { touch x; }")
    assert name not in build_environment(make_work(shell=""))


async def _run_bash(make_work: MakeWork, run: Run) -> str:
    work = make_work(command=("bash", "-c", "ls"))
    await run(work)
    return work.log_path.read_text()


@pytest.mark.anyio
async def test_an_exported_function_does_not_reach_a_stage(
    make_work: MakeWork, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASH_FUNC_ls%%", "() { echo hijacked; }")
    assert "hijacked" not in await _run_bash(make_work, run)


def test_everything_else_is_inherited(make_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "kept")
    assert build_environment(make_work(shell=""))["ENVIRONMENT"] == "kept"


def test_the_more_specific_source_wins(
    make_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcd":
        monkeypatch.setenv(name, "inherited")
    environment = build_environment(
        make_work(
            shell="",
            variables=dict.fromkeys("bcd", "variable"),
            env=tuple((name, "agent") for name in "cd"),
            stage_env=(("d", "stage"), ("ORCHESTRATE_STAGE", "forged")),
        )
    )
    assert [environment[name] for name in "abcd"] == ["inherited", "variable", "agent", "stage"]
    assert environment["ORCHESTRATE_STAGE"] == "deploy"


def test_the_executor_may_add_names_of_ours(make_work: MakeWork) -> None:
    work = make_work(shell="", variables={"ORCHESTRATE_PIPELINE_DIR": "/srv/pipelines"})
    assert build_environment(work)["ORCHESTRATE_PIPELINE_DIR"] == "/srv/pipelines"


def test_references_in_env_are_filled(make_work: MakeWork) -> None:
    work = make_work(
        shell="",
        env=(("IMAGE", "web:${version}"),),
        stage_env=(("LABEL", "${stage}/${run_id}"),),
        values={"version": "1.10"},
    )
    environment = build_environment(work)
    assert (environment["IMAGE"], environment["LABEL"]) == ("web:1.10", "deploy/7")


def test_an_unknown_reference_in_env_is_refused(make_work: MakeWork) -> None:
    with pytest.raises(UnknownVariable, match="nowhere"):
        build_environment(make_work(shell="", stage_env=(("A", "${nowhere}"),)))


def test_what_no_environment_can_hold_is_refused(make_work: MakeWork) -> None:
    with pytest.raises(UnsafeValue, match="'notes' contains a NUL"):
        build_environment(make_work(shell="", variables={"notes": "a\0b"}))
