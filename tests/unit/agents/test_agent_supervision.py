from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from orchestrate_tui.agents import perform, supervision
from orchestrate_tui.agents.contract import Process, Program
from orchestrate_tui.agents.supervision import Ending, supervise

if TYPE_CHECKING:
    from orchestrate_tui.agents.contract import Outcome, Work
    from orchestrate_tui.agents.hosted import HostLauncher
    from tests.unit.agents.conftest import MakeWork, Run, Signals

pytestmark = pytest.mark.anyio

FOREVER = "exec tail -f /dev/null"
STUBBORN = f"trap '' TERM; sh -c 'echo $PPID >pid'; echo $$ >../ready; {FOREVER}"
LEAVES_SERVICE = (
    "mkfifo started; setsid sh -c 'echo $$ >started; exec tail -f /dev/null' & cat started"
)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children() -> frozenset[str]:
    """Of all threads of this process; also those that have ended and nobody has waited for."""
    found = set[str]()
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            found.update((thread / "children").read_text().split())
    return frozenset(found)


@pytest.fixture(autouse=True)
def earlier_children() -> frozenset[str]:
    """Processes of fixtures that other tests share."""
    return children()


async def run_until_heard_then_cancel(run: Run, ready: Signals, work: Work) -> str:
    """Cancel the stage when it has reported; what it said."""
    said = ""
    async with anyio.create_task_group() as group:
        group.start_soon(run, work)
        said = await ready.heard()
        group.cancel_scope.cancel()
    return said


async def test_a_stage_that_takes_too_long_is_ended(make_work: MakeWork, run: Run) -> None:
    work = make_work(shell=FOREVER, timeout_s=0.05)
    outcome = await run(work)
    assert not outcome.succeeded
    assert outcome.reason == "timed out after 0.05s"
    assert outcome.exit_code == -15
    assert work.log_path.read_text() == "orchestrate-tui: timed out after 0.05s\n"


async def test_a_stage_may_tidy_up_before_its_grace_is_over(
    make_work: MakeWork, run: Run, ready: Signals
) -> None:
    script = "tail -f /dev/null & trap 'echo tidied; exit 0' TERM; echo >../ready; wait"
    work = make_work(shell=script, grace_s=30)
    await run_until_heard_then_cancel(run, ready, work)
    assert "tidied\n" in work.log_path.read_text()


async def test_a_stage_that_ignores_sigterm_is_killed_after_its_grace(
    make_work: MakeWork, run: Run, ready: Signals, is_running: Callable[[str], bool]
) -> None:
    work = make_work(shell=STUBBORN, grace_s=0.05)
    pid = await run_until_heard_then_cancel(run, ready, work)
    assert not is_running(pid)


async def test_the_whole_tree_is_ended(
    make_work: MakeWork, run: Run, ready: Signals, is_running: Callable[[str], bool]
) -> None:
    script = f"sh -c 'sh -c \"echo $$ \\$\\$ >../ready; {FOREVER}\" & wait' & wait"
    pids = await run_until_heard_then_cancel(run, ready, make_work(shell=script))
    assert len(set(pids.split())) == 2
    assert not any(map(is_running, pids.split()))


async def test_a_grandchild_that_ignores_sigterm_is_killed(
    make_work: MakeWork, run: Run, ready: Signals, is_running: Callable[[str], bool]
) -> None:
    work = make_work(shell=f"({STUBBORN}) & wait", grace_s=0.05)
    await run_until_heard_then_cancel(run, ready, work)
    assert not is_running((work.workdir / "pid").read_text().strip())


async def test_a_stubborn_stage_that_takes_too_long_is_killed(
    make_work: MakeWork, ready: Signals, launcher: HostLauncher
) -> None:
    work = make_work(shell=STUBBORN)
    process = await launcher.start(
        Program(
            run_id=7,
            key="stubborn",
            argv=("sh", "-c", STUBBORN),
            environment={"PATH": os.environ["PATH"]},
            workdir=work.workdir,
            log_path=work.log_path,
        )
    )
    await ready.heard()
    ending = await supervise(process, timeout_s=0.01, grace_s=0.01)
    assert ending == Ending(code=-9, timed_out=True)


class Immortal:
    """A process that no signal ends, as one that waits for a broken disk."""

    pid = 1
    ran_s = 0.0
    timed_out = False
    kept = ()

    def __init__(self) -> None:
        self.signals: list[int] = []

    def signal_tree(self, signal: int) -> None:
        self.signals.append(signal)

    def let_go(self) -> None:
        """Nobody ever had it."""

    def tree_lives(self) -> bool:
        return True

    async def wait(self) -> int:
        await anyio.sleep_forever()
        raise AssertionError("forever is over")

    async def wait_tree(self) -> None:
        await anyio.sleep_forever()


class ImmortalLauncher:
    """Starts nothing but one process without end."""

    def __init__(self) -> None:
        self.process = Immortal()

    async def start(self, program: Program) -> Process:
        del program
        return self.process

    def close(self) -> None:
        """Nothing to let go of."""


async def test_a_process_that_nothing_ends_does_not_hold_the_stage(
    make_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_KILL_PATIENCE_S", (0.0, 0.0))
    launcher = ImmortalLauncher()
    work = make_work(shell="", timeout_s=0.01, grace_s=0)
    outcome = await perform(work, launcher)
    assert (outcome.exit_code, outcome.reason) == (None, "timed out after 0.01s")
    assert launcher.process.signals == [15, 9, 9]
    assert "a process did not end even after SIGKILL" in work.log_path.read_text()


async def test_another_process_group_of_the_session_is_ended_too(
    make_work: MakeWork, run: Run, ready: Signals, is_running: Callable[[str], bool]
) -> None:
    script = f"set -m; sh -c 'echo $$ >../ready; {FOREVER}' & wait"
    pid = await run_until_heard_then_cancel(run, ready, make_work(shell=script))
    assert not is_running(pid)


async def test_cancelling_is_raised_again(make_work: MakeWork, run: Run, ready: Signals) -> None:
    work = make_work(shell=f"echo >../ready; {FOREVER}")
    outcomes: list[Outcome] = []

    async def keep() -> None:
        outcomes.append(await run(work))

    async with anyio.create_task_group() as group:
        group.start_soon(keep)
        await ready.heard()
        group.cancel_scope.cancel()
    assert outcomes == []


async def test_what_a_stage_leaves_in_the_background_is_ended_and_told(
    make_work: MakeWork, run: Run, is_running: Callable[[str], bool]
) -> None:
    work = make_work(shell="tail -f /dev/null & echo $! >pid")
    outcome = await run(work)
    assert outcome.succeeded
    assert not is_running((work.workdir / "pid").read_text().strip())
    assert "ended what was left running in the background" in work.log_path.read_text()


async def test_a_service_that_left_the_session_is_kept(
    make_work: MakeWork, run: Run, is_running: Callable[[str], bool]
) -> None:
    work = make_work(shell=LEAVES_SERVICE, leaves_processes=True)
    outcome = await run(work)
    pid = int(work.log_path.read_text().split()[0])
    try:
        assert outcome.succeeded
        assert is_running(str(pid))
        assert f"orchestrate-tui: left running: {pid} (tail)\n" in work.log_path.read_text()
    finally:
        os.kill(pid, 9)


async def test_a_service_that_outlives_a_cancelled_stage_is_named_and_shown_safely(
    make_work: MakeWork, run: Run, ready: Signals
) -> None:
    service = r"printf 'a\n\033[2Jb' >/proc/self/comm; echo $$ >../ready; read end <>never"
    shell = f'mkfifo never; setsid sh -c "{service.replace("$", chr(92) + "$")}" & {FOREVER}'
    work = make_work(shell=shell, leaves_processes=True)
    pid = int(await run_until_heard_then_cancel(run, ready, work))
    try:
        assert work.log_path.read_text() == f"orchestrate-tui: left running: {pid} (a␊␛[2Jb)\n"
    finally:
        os.kill(pid, 9)


async def test_a_grandchild_that_keeps_the_output_open_does_not_hold_the_stage(
    make_work: MakeWork, run: Run
) -> None:
    work = make_work(shell=LEAVES_SERVICE)
    with anyio.fail_after(60):
        outcome = await run(work)
    assert outcome.succeeded


async def test_what_left_the_session_is_ended_unless_it_is_a_service(
    make_work: MakeWork, run: Run, is_running: Callable[[str], bool]
) -> None:
    work = make_work(shell=LEAVES_SERVICE)
    await run(work)
    assert not is_running(work.log_path.read_text().split()[0])


async def test_many_stages_run_at_once_and_none_is_left(
    make_work: MakeWork, run: Run, launcher: HostLauncher, earlier_children: frozenset[str]
) -> None:
    outcomes: list[Outcome] = []

    async def keep(number: int, folder: Path) -> None:
        work = make_work(
            shell=f"exit {number}",
            log_path=folder / f"{number}.1.log",
            idempotency_key=f"7/{number}",
        )
        outcomes.append(await run(work))

    folder = make_work(shell="").log_path.parent
    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(keep, number, folder)
    assert sorted(outcome.exit_code or 0 for outcome in outcomes) == list(range(100))
    launcher.close()
    assert children() <= earlier_children


@pytest.fixture
def many_files() -> Iterator[None]:
    """More files are open than select(2) takes."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(4096, before[1])), before[1]))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield
    for file in files:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
async def test_the_host_is_waited_for_where_many_files_are_open(
    make_work: MakeWork, run: Run, launcher: HostLauncher, earlier_children: frozenset[str]
) -> None:
    assert (await run(make_work(shell="exit 0"))).succeeded
    launcher.close()
    assert children() <= earlier_children


async def test_no_descriptor_is_left_open(make_work: MakeWork, run: Run) -> None:
    await run(make_work(shell="exit 0"))
    before = open_descriptors()
    await run(make_work(shell="exit 1"))
    await run(make_work(command=("no-such-program",)))
    await run(make_work(shell=FOREVER, timeout_s=0.01))
    assert open_descriptors() == before


async def test_a_stage_inherits_no_descriptor(make_work: MakeWork, run: Run) -> None:
    work = make_work(command=("ls", "/proc/self/fd"))
    kept = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(kept, True)
    await run(work)
    os.close(kept)
    assert len(work.log_path.read_text().split()) == 4  # the three streams, and what ls opened


HIDDEN = f"prlimit --rttime=unlimited setsid sh -c 'echo $$ >../ready; {FOREVER}' &"
"""A process that only its environment betrays."""


@pytest.mark.parametrize("attack", ["STOP", "KILL"])
async def test_a_stage_that_attacks_its_host_is_ended_with_all_it_started(
    attack: str,
    make_work: MakeWork,
    run: Run,
    ready: Signals,
    is_running: Callable[[str], bool],
) -> None:
    script = f"trap '' TERM; {HIDDEN} kill -{attack} $PPID; {FOREVER}"
    hidden = await run_until_heard_then_cancel(run, ready, make_work(shell=script, grace_s=0.05))
    assert not is_running(hidden)


HIDES = "env -i prlimit --rttime=unlimited"
STAYS = f"sh -c 'echo $$ >../ready; {FOREVER}'"
NAMELESS = f"({HIDES} setsid {STAYS} &); {FOREVER}"
"""A stage with a process that nothing betrays, below nobody but its host."""

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
"""What the system tells of the moment at which a process began is as exact as this."""


async def test_what_hides_is_ended_beside_a_stage_of_its_run_that_began_later(
    make_work: MakeWork, run: Run, ready: Signals, is_running: Callable[[str], bool]
) -> None:
    later = make_work(shell=f"echo $$ >../ready; {FOREVER}", idempotency_key="7/later")
    async with anyio.create_task_group() as others:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, make_work(shell=NAMELESS, grace_s=0.05))
            hidden = await ready.heard()
            await anyio.sleep(2 * TICK_S)
            others.start_soon(run, later)
            other = await ready.heard()
            tasks.cancel_scope.cancel()
        assert not is_running(hidden)
        assert is_running(other)
        others.cancel_scope.cancel()


async def test_what_hides_in_the_session_of_a_stage_that_leaves_services_is_ended(
    make_work: MakeWork, run: Run, ready: Signals, is_running: Callable[[str], bool]
) -> None:
    work = make_work(shell=f"({HIDES} {STAYS} &); {FOREVER}", leaves_processes=True, grace_s=0.05)
    hidden = await run_until_heard_then_cancel(run, ready, work)
    assert not is_running(hidden)


TRACE = """
import ctypes, os, signal, sys
if not os.fork():
    libc = ctypes.CDLL(None, use_errno=True)
    PTRACE_ATTACH = 16
    failed = libc.ptrace(PTRACE_ATTACH, int(sys.argv[1]), None, None)
    with open("../ready", "w") as ready:
        print("refused" if failed else os.getpid(), file=ready)
signal.pause()
"""


async def test_a_stage_that_traces_its_host_is_ended(
    make_work: MakeWork, run: Run, ready: Signals, is_running: Callable[[str], bool]
) -> None:
    script = f"trap '' TERM; exec {sys.executable} -c '{TRACE}' $PPID"
    tracer = await run_until_heard_then_cancel(run, ready, make_work(shell=script, grace_s=0.05))
    if tracer == "refused":
        pytest.skip("this system does not let processes of one user trace each other")
    assert not is_running(tracer)


SENSITIVE = """
import os, signal, time
from pathlib import Path

def note(number, frame):
    heard.append(number)

def tell(number, frame):
    Path("../ready").write_text(repr(heard))

heard = []
os.setsid()
parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.001)
for number in (signal.SIGCONT, signal.SIGTERM):
    signal.signal(number, note)
signal.signal(signal.SIGWINCH, tell)
Path("../ready").write_text(str(os.getpid()))
while True:
    signal.pause()
"""
"""A daemon that tells which signals it has got."""


async def test_no_signal_reaches_the_daemon_of_another_stage_that_goes_on(
    make_work: MakeWork, run: Run, ready: Signals
) -> None:
    daemon = f"{sys.executable} -c '{SENSITIVE.replace(chr(39), chr(34))}' & wait; {FOREVER}"
    async with anyio.create_task_group() as group:
        group.start_soon(run, make_work(shell=daemon, idempotency_key="7/other", grace_s=0.05))
        other = await ready.heard()
        await run_until_heard_then_cancel(run, ready, make_work(shell=STUBBORN, grace_s=0.05))
        os.kill(int(other), signal.SIGWINCH)
        assert await ready.heard() == "[]"
        group.cancel_scope.cancel()
