from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orchestrate_tui.agents.contract import Work
    from tests.unit.agents.conftest import MakeWork, Run

pytestmark = pytest.mark.anyio


def with_module(work: Work, text: str) -> Work:
    """Put `text` into the working folder as the module `deployment`."""
    (work.workdir / "deployment.py").write_text(text)
    return work


async def test_a_function_is_called_with_what_it_works_on(make_work: MakeWork, run: Run) -> None:
    work = make_work(
        python="deployment:deploy", environment="staging", attempt=3, values={"version": "1.10"}
    )
    with_module(work, "def deploy(given): print(sorted(given.items()))")
    assert (await run(work)).succeeded
    assert work.log_path.read_text() == (
        "[('attempt', 3), ('environment', 'staging'), ('run_id', 7), ('stage', 'deploy'), "
        "('task', 'Deploy it'), ('variables', {'version': '1.10'})]\n"
    )


async def test_a_function_without_parameters_is_called_so(make_work: MakeWork, run: Run) -> None:
    work = make_work(python="deployment:deploy")
    with_module(work, "def deploy(*, dry=False): print('called', dry)")
    assert (await run(work)).succeeded
    assert work.log_path.read_text() == "called False\n"


async def test_a_coroutine_is_run(make_work: MakeWork, run: Run) -> None:
    work = make_work(python="deployment:deploy")
    with_module(work, "async def deploy(): return {'done': True}")
    assert (await run(work)).outputs == (("done", "true"),)


async def test_a_returned_mapping_is_handed_on(make_work: MakeWork, run: Run) -> None:
    work = make_work(python="deployment:Releases.deploy")
    with_module(
        work,
        "class Releases:\n    def deploy(): return {'version': '1.10', 'count': 3, 'ok': False}",
    )
    assert (await run(work)).outputs == (("version", "1.10"), ("count", "3"), ("ok", "false"))


async def test_an_exception_fails_with_its_traceback_in_the_log(
    make_work: MakeWork, run: Run
) -> None:
    work = make_work(python="deployment:deploy")
    with_module(work, "def deploy(): raise LookupError('no such release')")
    outcome = await run(work)
    log = work.log_path.read_text()
    assert outcome.reason == "exit code 1"
    assert log.startswith("Traceback")
    assert log.endswith("LookupError: no such release\n")
    assert "bootstrap" not in log


async def test_a_function_may_choose_its_exit_code(make_work: MakeWork, run: Run) -> None:
    work = make_work(python="deployment:deploy")
    with_module(work, "def deploy(): raise SystemExit(5)")
    assert (await run(work)).reason == "exit code 5"


@pytest.mark.parametrize(
    ("target", "last_line"),
    [
        ("nowhere:deploy", "ModuleNotFoundError: No module named 'nowhere'"),
        ("deployment:missing", "AttributeError: module 'deployment' has no attribute 'missing'"),
        ("deployment:text", "TypeError: 'deployment:text' is not a function"),
        ("deployment:count", "a stage returns None or a mapping of its outputs"),
        ("deployment:nested", "outputs are texts, numbers or booleans"),
        ("deployment:lines", "the output 'a' has more than one line"),
    ],
)
async def test_what_cannot_be_called_or_handed_on_is_told(
    make_work: MakeWork, run: Run, target: str, last_line: str
) -> None:
    work = make_work(python=target)
    with_module(
        work,
        "text = 'no function'\n"
        "def count(): return 1\n"
        "def nested(): return {'a': []}\n"
        "def lines(): return {'a': '1\\nb=2'}\n",
    )
    assert not (await run(work)).succeeded
    assert work.log_path.read_text().strip().endswith(last_line)


async def test_our_own_modules_do_not_hide_the_standard_library(
    make_work: MakeWork, run: Run
) -> None:
    work = make_work(python="deployment:deploy")
    with_module(work, "import http.client\ndef deploy(): print(http.client.OK)")
    assert (await run(work)).succeeded


async def test_the_values_are_not_passed_on_to_children(make_work: MakeWork, run: Run) -> None:
    work = make_work(python="deployment:deploy", values={"token": "for the function alone"})
    with_module(work, "import subprocess\ndef deploy(): subprocess.run(['env'])")
    await run(work)
    assert "for the function alone" not in work.log_path.read_text()
