"""A real sshd on loopback, set up with the lines of docs/ssh.md, and real clients of it."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.acceptance.desk import PATIENCE_S, REPOSITORY, Desk
from tests.console.terminal import Terminal

PAGE = REPOSITORY / "docs" / "ssh.md"
PREFIX, DATABASE = "/opt/orchestrate-tui", "/var/lib/orchestrate-tui/orchestrate.db"
WRAPPER, KEYS = "/usr/local/bin/orchestrate-view", "/etc/ssh/orchestrate-viewers"
PROGRAMS = ("sshd", "ssh", "ssh-keygen", "ssh-agent", "sftp", "scp")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

SSHD = """\
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv LANG LC_* NO_COLOR COLORTERM TEXTUAL* PYTHON* ORCHESTRATE_* XDG_* BROWSER SSH_*
Subsystem sftp internal-sftp
AuthorizedKeysFile none
LogLevel VERBOSE
"""
"""Everything that the page does not say is as open as it can be; paths lead through /tmp."""


def missing_programs() -> list[str]:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def may_serve() -> bool:
    """Whether an sshd of this user can give its clients terminals."""
    return os.geteuid() == 0 or grp.getgrnam("tty").gr_gid in os.getgroups()


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    assert found is not None
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """The blocks of docs/ssh.md, as they stand there."""

    account: str
    wrapper: str
    match: str
    key: str

    @classmethod
    def read(cls) -> Page:
        blocks = [(kind, text) for kind, text in BLOCK.findall(PAGE.read_text())]
        assert [kind for kind, _ in blocks] == ["sh", "sh", "sshconfig", "text"]
        return cls(*(text for _, text in blocks))


# The installation


def install(prefix: Path) -> None:
    """Make an installation that every user can run, with what the product needs and no more."""
    subprocess.run([_interpreter(), "-m", "venv", "--without-pip", str(prefix)], check=True)
    (packages,) = prefix.glob("lib/python*/site-packages")
    for needed in _needed():
        for file in needed.files or ():
            if ".." not in file.parts:
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(needed.locate_file(file)), target)
    shutil.copytree(REPOSITORY / "orchestrate_tui", packages / "orchestrate_tui")
    shutil.copytree(REPOSITORY / "migrations", packages / "orchestrate_tui" / "migrations")
    python = prefix / "bin" / "python"
    subprocess.run([str(python), "-m", "compileall", "-q", str(packages)], check=True)


def _interpreter() -> str:
    """A Python of our version that other users may run too."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = str(Path(sys.base_prefix) / "bin" / version)
    return next(
        filter(_is_for_all, (ours, f"/usr/bin/{version}", f"/usr/local/bin/{version}")), ours
    )


def _is_for_all(path: str) -> bool:
    folders = Path(path).resolve().parents
    return Path(path).exists() and all(folder.stat().st_mode & 0o001 for folder in folders)


@cache
def _needed() -> tuple[Distribution, ...]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    waiting = [Requirement(text) for text in project["dependencies"]]
    found: dict[str, Distribution] = {}
    while waiting:
        requirement = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name not in found:
            found[requirement.name] = distribution(requirement.name)
            waiting += map(Requirement, found[requirement.name].requires or ())
    return tuple(found.values())


# The host


class Host:
    """One machine that people watch: an account, an installation, a database, an sshd.

    `lines` says which lines of the page are in force: "sshd", "key", "both", or with "open" none.
    """

    def __init__(self, folder: Path, installation: Path, user: str, lines: str) -> None:
        self.folder, self.user = folder, user
        self.owner = Desk(folder)  # who runs pipelines
        self.database = self.owner.database
        if os.geteuid() == 0:
            (self.owner.config / "config.yaml").write_text(f"share_group: {user}\n")
        self._names = {
            PREFIX: str(installation),
            DATABASE: str(self.database),
            WRAPPER: str(folder / "orchestrate-view"),
            KEYS: str(folder / "viewers"),
            "Match User viewer": f"Match User {user}",
            "ClientAliveInterval 15": "ClientAliveInterval 1",  # for the tests' patience
        }
        self._set_up(Page.read(), lines)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._errors = (folder / "sshd.log").open("wb")
        self.sshd = subprocess.Popen(
            [program("sshd"), "-D", "-e", "-f", str(folder / "sshd_config"), "-p", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
        )
        self._wait_for_sshd()

    def close(self) -> None:
        for pid in [*self.children(), *self.viewers()]:
            _kill(pid)
        self.sshd.kill()
        self.sshd.wait()
        self.owner.close()
        self._errors.close()

    def words(self, *options: str, client: str = "ssh") -> list[str]:
        """A client's command line that logs in as the viewer, up to what it asks for."""
        port = "-p" if client == "ssh" else "-P"
        settings = (
            *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"),
            *("IdentitiesOnly=yes", "BatchMode=yes", "LogLevel=ERROR", *options),
        )
        given = [word for setting in settings for word in ("-o", setting)]
        key = str(self.folder / "key")
        return [program(client), "-F", "/dev/null", "-i", key, port, str(self.port), *given]

    @property
    def address(self) -> str:
        return f"{self.user}@127.0.0.1"

    def terminal(self, *words: str, options: Sequence[str] = (), **environment: str) -> Terminal:
        """A client on a terminal of its own."""
        ssh, *rest = self.words(*options)
        given = ["-tt", *rest, self.address, *words]
        return Terminal(given, self.folder, program=ssh, **environment)

    def ask(self, *words: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Ask for something without a terminal."""
        return subprocess.run(
            [*self.words(*options), *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def show(self, database: Path) -> None:
        """Let the wrapper show this database from now on."""
        self.database = database
        self._names[DATABASE] = str(database)
        wrapper = Path(self._names[WRAPPER])
        wrapper.write_text(self._named(Page.read().wrapper))
        wrapper.chmod(0o755)

    def viewers(self) -> list[int]:
        """The processes that show this database to somebody."""
        return [pid for pid, command in _commands() if str(self.database) in command]

    def children(self) -> list[int]:
        """The processes that sshd has for its connections."""
        return [pid for pid, _ in _commands() if _parent(pid) == self.sshd.pid]

    def log(self) -> str:
        return (self.folder / "sshd.log").read_text()

    def traces(self) -> dict[str, tuple[int, int]]:
        """Every file of the database and the installation: its size and when it changed."""
        folders = (self.database.parent, Path(self._names[PREFIX]))
        paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
        return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths}

    def _set_up(self, page: Page, lines: str) -> None:
        for name in ("host", "key"):
            subprocess.run(
                [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name],
                check=True,
            )
        self.show(self.database)
        settings = SSHD.format(folder=self.folder)
        if lines in {"key", "open"}:
            settings = settings.replace("KeysFile none", f"KeysFile {self._names[KEYS]}")
        else:
            settings += self._named(page.match)
        (self.folder / "sshd_config").write_text(settings)
        key = (self.folder / "key.pub").read_text().split()[1]
        line = self._named(page.key) if lines in {"key", "both"} else "ssh-ed25519 AAAA…\n"
        Path(self._names[KEYS]).write_text(line.replace("AAAA…", key))

    def _named(self, text: str) -> str:
        for there, here in self._names.items():
            text = text.replace(there, here)
        return text

    def _wait_for_sshd(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while "Server listening" not in self.log():
            assert self.sshd.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)


def account(page: Page) -> Iterator[str]:
    """Another user, made by the page's own line, when we may; else ourselves."""
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.geteuid()).pw_name
        return
    Path("/run/sshd").mkdir(exist_ok=True)
    name = f"viewer-{os.getpid()}"
    subprocess.run(["sh", "-c", page.account.replace("' viewer", f"' {name}")], check=True)
    try:
        yield name
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)


def _commands() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:  # ended meanwhile
            continue
        if command:
            yield int(folder.name), command.replace(b"\0", b" ").decode(errors="replace")


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
