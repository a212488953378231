"""The web service of the demo, in the current folder: `start`, `stop`, or `check RELEASE`.

It serves the release that the link `current` points to at the moment of each request, so that a
switch needs no restart. A web server that runs is known by `service.json`. Its pid alone could
belong to another process by now, so that the boot and the start time are compared too.
"""

# ruff: noqa: INP001, T201 - a script that stands alone and talks to its log

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RECORD = Path("service.json")
LOG = Path("service.log")
CURRENT = Path("current")
HOST = "127.0.0.1"
PATIENCE_S = 10.0
GRACE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A web server that was started. `started` is in ticks since the boot named `boot`."""

    pid: int
    boot: str
    started: int
    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    def runs(self) -> bool:
        """Whether the process with its pid is still the one that was started."""
        try:
            return (self.boot, self.started) == (_boot(), _start_time(self.pid))
        except OSError:
            return False


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_time(pid: int) -> int:
    """When the process started, in ticks since the boot; the 22nd field of proc(5)'s stat."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[19])


def running() -> Service | None:
    """The web server of this folder, or None when it does not run."""
    try:
        service = Service(**json.loads(RECORD.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return service if service.runs() else None


def start() -> int:
    """Start the web server unless it runs, and hand on its address."""
    service = running()
    if service:
        print(f"the web server runs already: {service.url}")
    else:
        service = _spawn()
        if service is None:
            print(f"the web server did not start; see {LOG.absolute()}", file=sys.stderr)
            return 1
        print(f"started the web server: {service.url}")
    if outputs := os.environ.get("ORCHESTRATE_OUTPUT"):
        with Path(outputs).open("a", encoding="utf-8") as file:
            file.write(f"url={service.url}\n")
    return 0


def _spawn() -> Service | None:
    """A web server in a session of its own, so that it stays when the stage has ended."""
    heard, ready = os.pipe()
    with LOG.open("ab") as log:
        subprocess.Popen(
            [sys.executable, __file__, "serve", str(ready)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[ready],
        )
    os.close(ready)
    select.select([heard], [], [], PATIENCE_S)  # readable too when the server ends instead
    service = running()
    os.close(heard)
    return service


def serve(ready: int) -> int:
    """Answer requests until somebody ends this process; `ready` is closed when it can answer."""
    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        pid = os.getpid()
        service = Service(
            pid=pid, boot=_boot(), started=_start_time(pid), port=server.server_address[1]
        )
        new = RECORD.with_suffix(".new")
        new.write_text(json.dumps(asdict(service)), encoding="utf-8")
        new.replace(RECORD)
        os.close(ready)
        server.serve_forever()
    return 0


class Handler(BaseHTTPRequestHandler):
    """Serves the live release, and says at /health whether it can work."""

    def do_GET(self) -> None:
        """Answer a request for the page or for the health of the release."""
        status, kind, text = _health() if self.path == "/health" else _page()
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


Answer = tuple[HTTPStatus, str, str]


def _page() -> Answer:
    try:
        return HTTPStatus.OK, "text/html", (CURRENT / "page.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", "no release is live\n"


def _health() -> Answer:
    """Whether the settings of the live release can be read and say that it is well."""
    try:
        settings = json.loads((CURRENT / "settings.json").read_text(encoding="utf-8"))
        if settings["well"]:
            return HTTPStatus.OK, "text/plain", f"release {settings['release']} is well\n"
        reason = "it says so itself"
    except FileNotFoundError:
        return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", "no release is live\n"
    except (ValueError, LookupError, TypeError) as error:
        reason = f"settings.json cannot be read: {error}"
    return HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"the release is not well: {reason}\n"


def check(release: str) -> int:
    """Ask the web server over HTTP; succeeds when `release` is the one that answers, and well."""
    service = running()
    if service is None:
        print("the web server does not run", file=sys.stderr)
        return 1
    try:
        with closing(HTTPConnection(HOST, service.port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", "/health")
            response = connection.getresponse()
            answer = response.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        print(f"{service.url}/health does not answer: {error}", file=sys.stderr)
        return 1
    print(f"{service.url}/health: {response.status} {answer}")
    well = response.status == HTTPStatus.OK and answer == f"release {release} is well"
    return 0 if well else 1


def stop() -> int:
    """End the web server; nothing happens when it does not run."""
    service = running()
    if service and _end(service):
        print(f"stopped the web server {service.url}")
    RECORD.unlink(missing_ok=True)
    return 0


def _end(service: Service) -> bool:
    """Whether there was something to end."""
    with suppress(ProcessLookupError):
        process = os.pidfd_open(service.pid)
        try:
            if not service.runs():  # the pid passed on before it was pinned
                return False
            for number in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(process, number)
                if select.select([process], [], [], GRACE_S)[0]:
                    return True
        finally:
            os.close(process)
    return False


def main(arguments: list[str]) -> int:
    """Do what the first argument says; the exit code."""
    actions: dict[str, Callable[[], int]] = {"start": start, "stop": stop}
    match arguments:
        case [("start" | "stop") as action]:
            return actions[action]()
        case ["check", release]:
            return check(release)
        case ["serve", ready]:
            return serve(int(ready))
        case _:
            print("usage: service.py start | stop | check RELEASE", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
