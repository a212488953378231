"""The lines of docs/ssh.md in a real sshd, against real clients that mean well or do not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.acceptance.desk import PATIENCE_S
from tests.acceptance.ssh import Host, Page, account, install, may_serve, missing_programs, program
from tests.console.terminal import Terminal

pytestmark = [
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
    pytest.mark.skipif(not may_serve(), reason="sshd needs root, or a user in the group tty"),
    pytest.mark.timeout(180),
]
FIRST_PAINT_S = 1.0
GENEROUS = 5
"""A machine that runs many tests at once may take so many times as long."""

GONE_S = 2.0
HELLO = b"hello"
STAGES = """\
- {name: build, agent: fine, task: Build}
- {name: deploy, agent: hold, task: Deploy}
- {name: announce, agent: fine, task: Announce}
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that other users can reach; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="orchestrate-ssh-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installation(place: Path) -> Path:
    install(place / "opt")
    return place / "opt"


@pytest.fixture(scope="module")
def user() -> Iterator[str]:
    yield from account(Page.read())


@pytest.fixture(params=["both"])
def host(
    request: pytest.FixtureRequest, place: Path, installation: Path, user: str
) -> Iterator[Host]:
    """A machine with one run that succeeded."""
    folder = Path(tempfile.mkdtemp(dir=place))
    folder.chmod(0o755)
    host = Host(folder, installation, user, request.param)
    try:
        host.owner.pipeline(STAGES.replace("hold", "fine"))
        assert host.owner.do("run", "shop.yaml").code == 0
        yield host
    finally:
        host.close()


either = pytest.mark.parametrize("host", ["sshd", "key"], indirect=True)
"""With the lines of sshd alone, and with that of the key alone."""

neither = pytest.mark.parametrize("host", ["open"], indirect=True)
"""Without any of these lines: what is refused elsewhere has to work here."""


@contextmanager
def watching(host: Host, **environment: str) -> Iterator[Terminal]:
    with host.terminal(**environment) as console:
        console.until("READ-ONLY")
        yield console


def wait_until(holds: Callable[[], object], within_s: float = PATIENCE_S) -> float:
    """How long it takes until it holds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - began


# Watching


def test_the_first_paint_comes_within_a_second(
    host: Host, record_property: Callable[[str, object], None]
) -> None:
    taken = []
    for _ in range(3):
        began = time.monotonic()
        with watching(host) as console:
            console.until("✓ announce")
            taken.append(time.monotonic() - began)
            console.type("q")
            assert console.ends() == 0
    record_property("first paint in seconds", taken)
    assert min(taken) < FIRST_PAINT_S * GENEROUS, taken


def test_what_another_process_does_is_seen_as_it_happens(host: Host) -> None:
    with watching(host) as console:
        host.owner.pipeline(STAGES)
        job = host.owner.start("run", "shop.yaml")
        host.owner.ready.stage()
        console.until("◐ #2")
        console.type("1\x1b[H")
        console.until("#2  shop  ◐ running")
        host.owner.gate.open()
        assert job.end().code == 0
        console.until("#2  shop  ✓ succeeded")
        console.type("q")
        assert console.ends() == 0
    assert host.viewers() == []


def test_logs_are_read_and_searched(host: Host) -> None:
    host.owner.pipeline(
        STAGES.replace("agent: fine", "agent: talker").replace("hold", "talker"),
        agents="  talker: {shell: 'seq -f \"line %g\" 1000'}\n",
    )
    assert host.owner.do("run", "shop.yaml").code == 0
    with watching(host) as console:
        console.type("L")
        console.until("line 1000")
        console.type("/")
        console.until("search for")
        console.type("line 77\r")
        console.until("line 77 ")


def test_a_published_copy_is_watched_as_it_is_renewed(host: Host) -> None:
    words = ("publish", "--public", host.folder / "published")
    host.show(Path(host.owner.json(*words)["database"]))
    with watching(host) as console:
        console.until("✓ announce")
        assert host.owner.do("run", "shop.yaml").code == 0
        assert host.owner.do(*words).code == 0
        console.until("#2")
        console.type("1\x1b[H")
        console.until("#2  shop  ✓ succeeded")


# Refused


@either
def test_no_command_is_run(host: Host) -> None:
    for command in ("sh", "sh -i", "/bin/bash -c id", "id; touch /tmp/x", ""):
        answer = host.ask(host.address, *filter(None, [command]))
        assert answer.returncode == 2
        assert answer.stdout == ""
        assert "orchestrate-tui: The console needs a terminal" in answer.stderr
    with host.terminal("sh -i") as console:
        console.until("READ-ONLY")


@either
def test_no_file_is_moved(host: Host, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    remote = f"{host.address}:/etc/hostname"
    for client, words in {
        "sftp": [remote, str(tmp_path / "theirs")],
        "scp": [remote, str(tmp_path / "theirs")],
        "scp ": [str(tmp_path / "mine"), f"{host.address}:/tmp/{tmp_path.name}"],
        "scp -O": ["-O", remote, str(tmp_path / "theirs")],
    }.items():
        name = client.split(maxsplit=1)[0]
        done = subprocess.run(
            [*host.words(client=name), *words],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode != 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not Path("/tmp", tmp_path.name).exists()
    assert host.ask("-s", host.address, "sftp").returncode == 2


@contextmanager
def service() -> Iterator[int]:
    """Something on this machine that says hello, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(HELLO)

        thread = Thread(target=greet, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def forwarding(host: Host, *words: str) -> Iterator[subprocess.Popen[str]]:
    client = subprocess.Popen(
        [*host.words("LogLevel=INFO"), "-N", *words, host.address],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield client
    finally:
        client.kill()
        client.communicate()


def received(port: int, greeting: bytes = b"") -> bytes:
    """What comes from a port of the client, once it listens, up to the greeting or to its end."""
    wait_until(lambda: _connects(port))
    heard = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection,
        suppress(ConnectionError),
    ):
        connection.sendall(greeting)
        while HELLO not in heard and (more := connection.recv(100)):
            heard += more
    return heard


def asking_for(port: int) -> bytes:
    """What a client of a SOCKS proxy says to be connected with a port there."""
    return b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + port.to_bytes(2, "big")


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@either
def test_nothing_is_forwarded_to_this_machine(host: Host) -> None:
    with service() as port, forwarding(host, "-L", f"{(ours := free_port())}:127.0.0.1:{port}"):
        assert received(port) == HELLO
        assert received(ours) == b""


@either
def test_nothing_is_forwarded_through_this_machine(host: Host) -> None:
    with service() as port, forwarding(host, "-D", str(ours := free_port())):
        assert HELLO not in received(ours, asking_for(port))


@either
def test_nothing_is_forwarded_from_this_machine(host: Host, tmp_path: Path) -> None:
    port = free_port()
    for words in (
        ["-R", f"{port}:127.0.0.1:1"],
        ["-R", f"{tmp_path}/socket:127.0.0.1:1"],
        ["-w", "any"],
    ):
        answer = host.ask("-N", *words, host.address, options=["ExitOnForwardFailure=yes"])
        assert answer.returncode == 255
        assert "forwarding" in answer.stderr


@neither
def test_without_these_lines_everything_is_open(host: Host, tmp_path: Path) -> None:
    assert host.ask(host.address, "echo in").stdout == "in\n"
    words = [*host.words(client="scp"), f"{host.address}:/etc/hostname", str(tmp_path / "theirs")]
    subprocess.run(words, check=True, timeout=PATIENCE_S)
    assert (tmp_path / "theirs").exists()
    with service() as port, forwarding(host, "-L", f"{(ours := free_port())}:127.0.0.1:{port}"):
        assert received(ours) == HELLO
    with service() as port, forwarding(host, "-D", str(ours := free_port())):
        assert HELLO in received(ours, asking_for(port))
    words = ["-R", f"{free_port()}:127.0.0.1:1", host.address, "echo in"]
    assert host.ask(*words, options=["ExitOnForwardFailure=yes"]).stdout == "in\n"


@either
def test_neither_agent_nor_display_is_forwarded(host: Host, tmp_path: Path) -> None:
    agent = subprocess.Popen(
        [program("ssh-agent"), "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL
    )
    try:
        wait_until((tmp_path / "agent").exists)
        options = ["ForwardAgent=yes", "ForwardX11=yes", "ForwardX11Trusted=yes"]
        before = set(Path("/tmp").glob("ssh-*"))
        given = {"SSH_AUTH_SOCK": str(tmp_path / "agent"), "DISPLAY": "127.0.0.1:0"}
        with host.terminal(options=options, **given) as console:
            console.until("READ-ONLY")
            assert set(Path("/tmp").glob("ssh-*")) == before
            assert environment(host).keys() == {"LANG", "TERM"}
    finally:
        agent.kill()
        agent.wait()


def environment(host: Host) -> dict[str, str]:
    """What the console was started with."""
    (pid,) = host.viewers()
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().rstrip("\0").split("\0")
    return dict(pair.split("=", 1) for pair in pairs)


HOSTILE = {
    "TEXTUAL": "devtools,debug",
    "TEXTUAL_DRIVER": "os:system",
    "TEXTUAL_LOG": "/tmp/textual.log",
    "TEXTUAL_SCREENSHOT": "0",
    "PYTHONPATH": "/tmp",
    "PYTHONINSPECT": "1",
    "PYTHONSTARTUP": "/tmp/start.py",
    "ORCHESTRATE_DB": "/etc/passwd",
    "XDG_CONFIG_HOME": "/tmp",
    "LANG": "xx_XX.UTF-8",
    "LC_ALL": "C",
    "BROWSER": "touch",
}


@either
def test_no_variable_of_the_client_reaches_the_console(host: Host) -> None:
    pairs = " ".join(f'"{name}={value}"' for name, value in HOSTILE.items())
    with host.terminal(options=[f"SetEnv={pairs}"]) as console:
        console.until("READ-ONLY")
        assert environment(host) == {"LANG": "C.UTF-8", "TERM": "xterm-256color"}
        console.type("q")
        assert console.ends() == 0
    assert ">>>" not in console.text


TERMS = {
    "tmux-256color": "tmux-256color",
    "linux": "linux",
    "foot": "xterm-256color",
    "new-256color": "xterm-256color",
    "vt52": "xterm",
    "$(id)": "xterm",
    "../x": "xterm",
}


@pytest.mark.parametrize("kind", TERMS)
def test_the_type_of_the_terminal_goes_through_a_list(host: Host, kind: str) -> None:
    with watching(host, TERM=kind):
        assert environment(host)["TERM"] == TERMS[kind]


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_terminal_that_only_prints_gets_a_sentence(host: Host, kind: str) -> None:
    with host.terminal(TERM=kind) as console:
        assert console.ends() == 2
        assert "cannot be shown on a terminal of type 'dumb'" in " ".join(console.text.split("\n"))


def test_without_colours_nothing_is_coloured(host: Host) -> None:
    with host.terminal(options=["SetEnv=NO_COLOR=please"]) as console:
        console.until("✓ announce")
        assert environment(host)["NO_COLOR"] == "1"
        assert console.inks() == {"default"}


def test_keys_typed_while_it_starts_interrupt_and_suspend_nothing(host: Host) -> None:
    with host.terminal() as console:
        wait_until(host.viewers)
        while "READ-ONLY" not in console.text and console.process.poll() is None:
            console.type("\x03\x1a\x1c")
            console.read(0.02)
        assert console.process.poll() in {None, 0}  # the last ctrl+c may have come to the console


# The end


def test_a_killed_client_leaves_no_process(
    host: Host, record_property: Callable[[str, object], None]
) -> None:
    with watching(host) as console:
        assert len(host.viewers()) == 1
        console.process.kill()
        console.process.wait()
        taken = wait_until(lambda: host.viewers() == [] == host.children())
        record_property("gone after a kill in seconds", taken)
        assert taken < GONE_S * GENEROUS


def test_a_client_that_falls_silent_leaves_no_process(host: Host) -> None:
    with watching(host) as console:
        console.signal(signal.SIGSTOP)
        wait_until(lambda: host.viewers() == [] == host.children())
        console.signal(signal.SIGCONT)
        assert console.ends() == 255


def test_a_hang_up_ends_it_at_once(host: Host) -> None:
    with watching(host) as console:
        (pid,) = host.viewers()
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: host.viewers() == [])
        assert console.ends() == 255


def test_watching_leaves_no_trace_on_the_machine(host: Host) -> None:
    before = host.traces()
    with watching(host) as console:
        for key in "1\r2\r3L/x\r":
            console.type(key)
            console.read(0.05)
    wait_until(lambda: host.viewers() == [])
    assert host.traces() == before
