"""Logs of stages where something is secret."""

from __future__ import annotations

import base64
import os
import re
import select
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from orchestrate_tui.agents import perform
from orchestrate_tui.agents.contract import Program
from orchestrate_tui.agents.hosted import HostLauncher
from orchestrate_tui.domain.pipeline import Simulation
from orchestrate_tui.stagehost.masked_sink import MaskedSink
from orchestrate_tui.stagehost.masking import Masker, encode_forms
from orchestrate_tui.stagehost.secret_forms import forms_of
from tests.unit.agents.conftest import MakeWork, Run, Signals

pytestmark = pytest.mark.anyio

TOKEN = "hunter22/Xy?z"
MASKER = Masker(forms_of([TOKEN.encode()]))


@pytest.fixture
def make_secret_work(make_work: MakeWork) -> MakeWork:
    def make(**settings: object) -> object:
        return make_work(masker=MASKER, values={"token": TOKEN}, **settings)

    return make  # type: ignore[return-value]


async def test_what_a_stage_writes_is_masked(make_secret_work: MakeWork, run: Run) -> None:
    encoded = base64.b64encode(TOKEN.encode()).decode()
    script = f"echo 'a {TOKEN} b'; echo '{encoded}' >&2; printf '%s' '{TOKEN[:6]}'"
    work = make_secret_work(shell=f"{script}; printf '%s' '{TOKEN[6:]}'")
    assert (await run(work)).succeeded
    assert work.log_path.read_text() == "a *** b\n***\n***"


async def test_what_a_stage_puts_into_the_file_of_a_secret_is_masked_at_once(
    make_secret_work: MakeWork, run: Run, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(TOKEN)
    script = f"echo {TOKEN}; echo swordfish >{key}; cat {key}; base64 {key}; echo {TOKEN}"
    work = make_secret_work(shell=script, secret_files=(str(key),))
    assert (await run(work)).succeeded
    assert work.log_path.read_text() == "***\n***\n***\n***\n"


async def test_without_the_masker_it_would_be_there(make_work: MakeWork, run: Run) -> None:
    work = make_work(shell=f"echo '{TOKEN}'")
    await run(work)
    assert TOKEN in work.log_path.read_text()


async def test_the_log_is_whole_when_the_stage_has_ended(
    make_secret_work: MakeWork, run: Run
) -> None:
    work = make_secret_work(shell="seq 200000; exit 3")
    assert (await run(work)).exit_code == 3
    assert work.log_path.read_text().splitlines()[-1] == "200000"


async def test_notes_follow_what_the_stage_wrote(make_secret_work: MakeWork, run: Run) -> None:
    work = make_secret_work(shell="echo before; sleep 60", timeout_s=0.5)
    await run(work)
    assert work.log_path.read_text() == "before\norchestrate-tui: timed out after 0.5s\n"


async def test_what_a_stage_leaves_running_neither_holds_it_up_nor_shows_the_secret(
    make_secret_work: MakeWork, launcher: HostLauncher, ready: Signals, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    later = f"echo >began; read line <{tmp_path}/go; echo 'late {TOKEN}'; echo done >{ready.path}"
    shell = f'echo early; mkfifo began; setsid sh -c "{later}" & read line <began'
    work = make_secret_work(shell=shell, leaves_processes=True)
    with anyio.fail_after(30):
        assert (await perform(work, launcher)).succeeded
    early = work.log_path.read_text()
    assert re.fullmatch(r"early\norchestrate-tui: left running: \d+ \(sh\)\n", early)
    await anyio.to_thread.run_sync((tmp_path / "go").write_text, "\n")
    assert await ready.heard() == "done"
    await anyio.to_thread.run_sync(wait_until_alone, launcher.pids[0])
    assert work.log_path.read_text() == f"{early}late ***\n"


async def test_what_an_agent_notes_is_masked(make_secret_work: MakeWork, run: Run) -> None:
    work = make_secret_work(command=["/nonexistent/${token}"])
    await run(work)
    work = make_secret_work(simulated=Simulation(output="says ${token}"), attempt=2)
    await run(work)
    log = work.log_path.read_text()
    assert TOKEN not in log
    assert "says ***" in log


async def test_a_bad_output_is_masked_before_it_is_shortened(make_work: MakeWork, run: Run) -> None:
    long = "s3cr3t-" * 20
    masker = Masker(forms_of([long.encode()]))
    work = make_work(shell=f"echo 'x y {long}' >>$ORCHESTRATE_OUTPUT", masker=masker)
    outcome = await run(work)
    assert outcome.reason == "line 1 of the outputs is not key=value: 'x y ***'"
    assert "s3cr3t" not in work.log_path.read_text()


async def test_the_text_of_a_program_and_its_work_shows_no_value(
    make_secret_work: MakeWork, tmp_path: Path
) -> None:
    work = make_secret_work(shell="true", task=TOKEN, inherited={"TOKEN": TOKEN})
    program = Program(
        run_id=7,
        key="x",
        argv=("x", TOKEN),
        environment={"TOKEN": TOKEN},
        workdir=tmp_path,
        log_path=work.log_path,
        secret_forms=encode_forms(MASKER.forms),
    )
    assert TOKEN not in repr(work) + repr(program)


def open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[MaskedSink]:
    log = open_log(tmp_path / "log")
    sink = MaskedSink(log, encode_forms(MASKER.forms))
    os.close(log)
    yield sink
    sink.close()


def wait_for_end(sink: MaskedSink) -> None:
    pidfd = os.pidfd_open(sink.pid)
    select.select([pidfd], [], [])
    os.close(pidfd)
    assert os.waitpid(sink.pid, os.WNOHANG)[0] == sink.pid


def test_the_masking_process_can_be_seen_without_its_secrets(sink: MaskedSink) -> None:
    process = Path(f"/proc/{sink.pid}")
    os.write(sink.input, b"go\n")
    sink.finish()
    select.select([sink.control], [], [])
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert b"masking_process" in seen
    assert not any(form in seen for form in MASKER.forms)
    assert (process / "environ").read_bytes() == b""
    assert os.getsid(sink.pid) == sink.pid
    sink.close_input()
    wait_for_end(sink)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_the_masking_process_ends_only_with_its_stage(
    sink: MaskedSink, number: int, tmp_path: Path
) -> None:
    os.write(sink.input, b"one\n")
    sink.finish()
    select.select([sink.control], [], [])
    assert (tmp_path / "log").read_text() == "one\n"
    os.kill(sink.pid, number)
    os.write(sink.input, f"two {TOKEN}\n".encode())
    sink.close_input()
    wait_for_end(sink)
    assert (tmp_path / "log").read_text() == "one\ntwo ***\n"


def test_what_waits_for_more_is_in_the_log_when_the_head_of_the_stage_has_ended(
    sink: MaskedSink, tmp_path: Path
) -> None:
    os.write(sink.input, f"one {TOKEN[:5]}".encode())
    sink.finish()
    select.select([sink.control], [], [])
    assert (tmp_path / "log").read_text() == f"one {TOKEN[:5]}"
    os.write(sink.input, f"\ntwo {TOKEN}\n".encode())
    sink.close_input()
    wait_for_end(sink)
    assert (tmp_path / "log").read_text() == f"one {TOKEN[:5]}\ntwo ***\n"


def test_a_file_that_says_too_little_garbles_nothing(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("    \n")
    log = open_log(tmp_path / "log")
    sink = MaskedSink(log, encode_forms(MASKER.forms), [str(key)])
    os.close(log)
    os.write(sink.input, b"a    b ok\n")
    sink.close_input()
    wait_for_end(sink)
    sink.close()
    assert (tmp_path / "log").read_text() == "a    b ok\n"


def test_a_full_disk_does_not_end_the_stage() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    sink = MaskedSink(full, encode_forms(MASKER.forms))
    os.close(full)
    for _ in range(100):
        os.write(sink.input, b"x" * 100_000)
    sink.close_input()
    wait_for_end(sink)
    sink.close()


async def test_a_program_that_cannot_start_leaves_no_masking_process(
    make_secret_work: MakeWork, launcher: HostLauncher
) -> None:
    outcome = await perform(make_secret_work(command=["/nonexistent"]), launcher)
    assert outcome.reason.startswith("cannot start")
    await anyio.to_thread.run_sync(wait_until_alone, launcher.pids[0])


async def test_nothing_piles_up_in_the_host(
    make_secret_work: MakeWork, launcher: HostLauncher
) -> None:
    work = make_secret_work(shell="true")
    await perform(work, launcher)
    host = launcher.pids[0]
    await anyio.to_thread.run_sync(wait_until_alone, host)
    before = open_descriptors(host)
    for attempt in range(2, 6):
        await perform(replace(work, attempt=attempt), launcher)
    await anyio.to_thread.run_sync(wait_until_alone, host)
    assert open_descriptors(host) == before


def open_descriptors(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until_alone(pid: int) -> None:
    """Wait for the ends of all children of a process, and until it has seen them."""
    while present := children(pid):
        for child in present:
            with suppress(ProcessLookupError):
                pidfd = os.pidfd_open(child)
                select.select([pidfd], [], [])
                os.close(pidfd)
