from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.agents.conftest import MakeWork, Run

pytestmark = pytest.mark.anyio


async def test_output_and_errors_of_a_command_go_to_its_log(make_work: MakeWork, run: Run) -> None:
    work = make_work(command=("sh", "-c", "echo out; echo err >&2"))
    outcome = await run(work)
    assert outcome.succeeded
    assert outcome.exit_code == 0
    assert outcome.reason == ""
    assert work.log_path.read_text() == "out\nerr\n"


async def test_a_log_can_be_read_by_its_owner_only(make_work: MakeWork, run: Run) -> None:
    work = make_work(command=("true",))
    await run(work)
    assert stat.S_IMODE(work.log_path.stat().st_mode) == 0o600
    for folder in (work.log_path.parent, work.log_path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_log_is_appended_to(make_work: MakeWork, run: Run) -> None:
    work = make_work(command=("echo", "again"))
    await run(work)
    await run(work)
    assert work.log_path.read_text() == "again\nagain\n"


async def test_the_file_of_the_outputs_is_left_until_they_are_recorded(
    make_work: MakeWork, run: Run
) -> None:
    work = make_work(shell='echo version=1 >>"$ORCHESTRATE_OUTPUT"')
    assert (await run(work)).has_output_file
    assert {path.suffix for path in work.log_path.parent.iterdir()} == {".log", ".out"}


async def test_an_exit_code_other_than_zero_fails(make_work: MakeWork, run: Run) -> None:
    outcome = await run(make_work(command=("sh", "-c", "exit 3")))
    assert not outcome.succeeded
    assert (outcome.exit_code, outcome.reason) == (3, "exit code 3")


async def test_success_codes_say_what_succeeds(make_work: MakeWork, run: Run) -> None:
    succeeding = await run(make_work(command=("sh", "-c", "exit 2"), success_codes=(0, 2)))
    failing = await run(make_work(command=("true",), success_codes=(2,)))
    assert succeeding.succeeded
    assert succeeding.exit_code == 2
    assert failing.reason == "exit code 0"


async def test_a_signal_is_named_as_the_reason(make_work: MakeWork, run: Run) -> None:
    outcome = await run(make_work(shell="kill -9 $$"))
    assert outcome.reason == "killed by signal 9 (SIGKILL)"
    assert outcome.exit_code == -9


async def test_a_command_that_does_not_exist_fails_and_says_so_in_the_log(
    make_work: MakeWork, run: Run
) -> None:
    work = make_work(command=("no-such-program",))
    outcome = await run(work)
    assert outcome.reason == "cannot start 'no-such-program': No such file or directory"
    assert outcome.exit_code is None
    assert work.log_path.read_text() == f"orchestrate-tui: {outcome.reason}\n"


async def test_a_command_that_the_system_cannot_be_given_fails(
    make_work: MakeWork, run: Run
) -> None:
    outcome = await run(make_work(shell="echo \0"))
    assert outcome.reason == "cannot start '/bin/sh': embedded null byte"


async def test_a_missing_working_folder_is_named(make_work: MakeWork, run: Run) -> None:
    outcome = await run(make_work(command=("true",), workdir=Path("/no/such/folder")))
    assert outcome.reason == ("cannot start 'true': No such file or directory: '/no/such/folder'")


async def test_a_log_that_cannot_be_written_is_named(
    make_work: MakeWork, run: Run, tmp_path: Path
) -> None:
    outcome = await run(make_work(command=("true",), log_path=tmp_path))
    assert outcome.reason == f"cannot start 'true': Is a directory: '{tmp_path}'"


async def test_a_command_runs_in_the_folder_of_its_work(make_work: MakeWork, run: Run) -> None:
    work = make_work(command=("pwd",))
    await run(work)
    assert work.log_path.read_text().strip() == str(work.workdir.resolve())


async def test_the_working_folder_of_an_agent_is_relative_to_that_of_the_work(
    make_work: MakeWork, run: Run
) -> None:
    work = make_work(command=("pwd",), agent_workdir="apps/${app}", values={"app": "web"})
    (work.workdir / "apps" / "web").mkdir(parents=True)
    await run(work)
    assert work.log_path.read_text().strip() == str((work.workdir / "apps" / "web").resolve())


async def test_references_are_filled_each_within_its_own_argument(
    make_work: MakeWork, run: Run
) -> None:
    script = "import sys; print(sys.argv[1:])"
    work = make_work(
        command=(sys.executable, "-c", script, "${task}", "${stage}-${run_id}", "v=${version}"),
        values={"version": "1.0 beta", "task": "not this one"},
    )
    await run(work)
    assert work.log_path.read_text() == "['Deploy it', 'deploy-7', 'v=1.0 beta']\n"


@pytest.mark.parametrize(
    "value", ["$(touch x)", "`touch x`", "; touch x", "| touch x", "&& touch x", "\ntouch x\n"]
)
async def test_a_value_is_never_executed(make_work: MakeWork, run: Run, value: str) -> None:
    values, variables = {"version": value}, {"version": value}
    command = make_work(command=("echo", "${version}"), values=values)
    shell = make_work(
        shell='echo $version "$version"; sh -c "echo \\"\\$version\\""', variables=variables
    )
    assert (await run(command)).succeeded
    assert (await run(shell)).succeeded
    assert list(command.workdir.iterdir()) == []


async def test_a_value_that_would_be_an_option_is_refused(make_work: MakeWork, run: Run) -> None:
    work = make_work(command=("rm", "${target}"), values={"target": "-rf"})
    outcome = await run(work)
    assert not outcome.succeeded
    assert "'-rf' of '${target}' begins with '-'" in outcome.reason
    assert outcome.reason in work.log_path.read_text()


async def test_an_unknown_variable_fails_before_anything_starts(
    make_work: MakeWork, run: Run
) -> None:
    work = make_work(command=("touch", "${nowhere}"))
    outcome = await run(work)
    assert outcome.reason == "unknown variable '${nowhere}'"
    assert list(work.workdir.iterdir()) == []


async def test_a_script_ends_at_the_first_command_that_fails(make_work: MakeWork, run: Run) -> None:
    work = make_work(shell="echo one\nfalse\necho two")
    outcome = await run(work)
    assert outcome.reason == "exit code 1"
    assert work.log_path.read_text() == "one\n"


async def test_nothing_is_substituted_in_a_script(make_work: MakeWork, run: Run) -> None:
    work = make_work(shell="echo '${version}'", values={"version": "1"})
    await run(work)
    assert work.log_path.read_text() == "${version}\n"


async def test_standard_input_is_empty(make_work: MakeWork, run: Run) -> None:
    work = make_work(command=("cat",))
    assert (await run(work)).succeeded
    assert work.log_path.read_bytes() == b""
