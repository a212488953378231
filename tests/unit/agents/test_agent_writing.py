"""Work written out as it would be done, and why it could not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrate_tui.agents.writing import written
from orchestrate_tui.domain.pipeline import HttpRequest
from tests.unit.agents.conftest import MakeWork

VALUES = {"version": "1.0"}


def test_a_command_is_its_arguments_with_their_values(make_work: MakeWork) -> None:
    found = written(make_work(command=("echo", "to ${version}"), values=VALUES))
    assert (found.command, found.problems) == (("echo", "to 1.0"), ())
    assert dict(found.environment)["ORCHESTRATE_STAGE"] == "deploy"


def test_a_script_is_shown_as_it_stands(make_work: MakeWork) -> None:
    assert written(make_work(shell="echo $version")).command[-1] == "echo $version"


def test_a_function_is_named(make_work: MakeWork) -> None:
    assert written(make_work(python="shop.deploy:back")).command == ("shop.deploy:back",)


def test_a_request_is_its_lines_without_what_its_address_hides(make_work: MakeWork) -> None:
    request = HttpRequest(
        method="POST",
        url="http://127.0.0.1:1/back?token=x",
        headers=(("X-Version", "${version}"),),
        body="to ${version}",
    )
    found = written(make_work(http=request, values=VALUES, workdir=Path("/nowhere")))
    assert found.command[0] == "POST http://127.0.0.1:1/back"
    assert "X-Version: 1.0" in found.command
    assert found.command[-1] == "to 1.0"
    assert found.problems == ()


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999/"])
def test_an_address_that_is_none_is_a_problem(make_work: MakeWork, url: str) -> None:
    (problem,) = written(make_work(http=HttpRequest(url=url))).problems
    assert problem.startswith("the request has no valid address: Invalid port")


def test_every_reason_is_told_at_once(make_work: MakeWork) -> None:
    work = make_work(
        command=("no-such-program", "${gone}"), env=(("A", "${away}"),), agent_workdir="nowhere"
    )
    problems = written(work).problems
    assert problems[:2] == ("unknown variable '${gone}'", "unknown variable '${away}'")
    assert problems[2].startswith("there is no folder ")


def test_a_value_that_would_be_an_option_is_a_problem(make_work: MakeWork) -> None:
    found = written(make_work(command=("rm", "${version}"), values={"version": "-rf"}))
    assert "would be read as an option" in found.problems[0]


def test_a_program_is_looked_for_where_it_would_be(make_work: MakeWork, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    work = make_work(command=("./switch",), workdir=folder)
    folder.mkdir(exist_ok=True)
    assert written(work).problems == ("there is no program './switch'",)
    (folder / "switch").touch(mode=0o755)
    assert written(work).problems == ()


@pytest.mark.parametrize(
    ("coming", "problem"),
    [
        ("nowhere", ""),
        ("nowhere/switch", ""),
        ("nowhere/other", "there is no program './switch'"),
        ("elsewhere", "there is no folder "),
    ],
)
def test_only_what_comes_back_first_need_not_be_there_yet(
    make_work: MakeWork, tmp_path: Path, coming: str, problem: str
) -> None:
    work = make_work(command=("./switch",), agent_workdir="nowhere", workdir=tmp_path)
    found = written(work, coming=(tmp_path / coming,)).problems
    assert [one.startswith(problem) for one in found] == [True] * bool(problem)


def test_a_program_of_the_system_does_not_come_back(make_work: MakeWork, tmp_path: Path) -> None:
    gone = make_work(command=("no-such-program",), workdir=tmp_path)
    problems = written(gone, coming=(tmp_path,)).problems
    assert problems == ("there is no program 'no-such-program'",)
