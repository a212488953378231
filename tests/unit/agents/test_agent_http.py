from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from orchestrate_tui.agents.http import MAX_LOGGED_BYTES
from orchestrate_tui.domain.pipeline import HttpRequest
from orchestrate_tui.stagehost.masking import Masker
from orchestrate_tui.stagehost.secret_forms import forms_of

if TYPE_CHECKING:
    from tests.unit.agents.conftest import MakeWork, Run

pytestmark = pytest.mark.anyio


class Service(ThreadingHTTPServer):
    """A web service that remembers what it was asked; `/slow` never answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str, dict[str, str], str]] = []
        self.asked = threading.Event()
        self.closing = threading.Event()
        self.left = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self._answer("")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, body: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.command, self.path, headers, body))
        self.server.asked.set()
        if self.path == "/slow":
            self.rfile.read(1)  # ends when the client goes away
            self.server.left.set()
            return
        status = int(self.path.partition("status=")[2] or 200)
        content = b"x" * 2_000_000 if self.path == "/large" else b"all is well"
        if self.path.startswith("/echo"):
            content = b"y" * (MAX_LOGGED_BYTES - 5) + f"{headers['x-echo']} {self.path}".encode()
        self.send_response(status)
        if self.path.startswith("/charset/"):
            self.send_header("Content-Type", f"text/plain; charset={self.path[9:]}")
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(ConnectionError):  # nobody reads the whole of a large answer
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_an_answer_of_the_2xx_kind_succeeds(
    make_work: MakeWork, run: Run, service: Service
) -> None:
    work = make_work(http=HttpRequest(url=service.url + "/health"))
    outcome = await run(work)
    assert (outcome.succeeded, outcome.exit_code, outcome.reason) == (True, 200, "")
    assert work.log_path.read_text() == (
        f"orchestrate-tui: GET {service.url}/health\nHTTP/1.0 200 OK\nall is well\n"
    )


@pytest.mark.parametrize(
    ("status", "expected", "reason"),
    [
        (500, (), "status 500, expected 2xx"),
        (302, (), "status 302, expected 2xx"),
        (200, (201, 204), "status 200, expected 201 or 204"),
        (404, (404,), ""),
    ],
)
async def test_the_status_is_judged(
    make_work: MakeWork,
    run: Run,
    service: Service,
    status: int,
    expected: tuple[int, ...],
    reason: str,
) -> None:
    request = HttpRequest(url=f"{service.url}/?status={status}", expect_status=expected)
    outcome = await run(make_work(http=request))
    assert (outcome.exit_code, outcome.reason, outcome.succeeded) == (status, reason, not reason)
    assert len(service.requests) == 1


async def test_the_body_is_judged(make_work: MakeWork, run: Run, service: Service) -> None:
    request = HttpRequest(url=service.url, expect_body="all is ${state}")
    well = await run(make_work(http=request, values={"state": "well"}))
    lost = await run(make_work(http=request, values={"state": "lost"}))
    assert well.succeeded
    assert lost.reason == "the answer does not contain 'all is lost'"


@pytest.mark.parametrize("charset", ["hex", "idna", "undefined", "nonsense", "latin-1"])
async def test_an_answer_in_whatever_it_calls_its_charset_is_read(
    make_work: MakeWork, run: Run, service: Service, charset: str
) -> None:
    request = HttpRequest(url=f"{service.url}/charset/{charset}", expect_body="all is well")
    assert (await run(make_work(http=request))).reason == ""


async def test_a_large_answer_is_not_kept_whole(
    make_work: MakeWork, run: Run, service: Service
) -> None:
    work = make_work(http=HttpRequest(url=service.url + "/large"))
    assert (await run(work)).succeeded
    log = work.log_path.read_text()
    assert log.count("x") < 70_000
    assert log.endswith("orchestrate-tui: the answer is longer than 65536 bytes\n")


async def test_values_are_quoted_for_the_place_they_stand_in(
    make_work: MakeWork, run: Run, service: Service
) -> None:
    request = HttpRequest(
        method="POST",
        url="${base}/releases/${version}?by=${who}",
        headers=(("X-Version", " ${version} "), ("Content-Type", "application/json")),
        body='{"version": "${version}"}',
    )
    values = {"base": service.url, "version": 'a/b"?', "who": "me&you"}
    assert (await run(make_work(http=request, values=values))).succeeded
    method, path, headers, body = service.requests[0]
    assert (method, path) == ("POST", "/releases/a%2Fb%22%3F?by=me%26you")
    assert headers["x-version"] == 'a/b"?'
    assert body == r'{"version": "a/b\"?"}'


@pytest.mark.parametrize(
    ("content_type", "body", "sent"),
    [
        ("text/plain", "v=${v}", 'v=1&"2"'),
        ("application/x-www-form-urlencoded", "v=${v}", "v=1%26%222%22"),
        ("application/json", "${v}", '1&"2"'),
    ],
)
async def test_a_body_is_quoted_by_its_content_type(
    make_work: MakeWork, run: Run, service: Service, content_type: str, body: str, sent: str
) -> None:
    request = HttpRequest(
        method="POST", url=service.url, headers=(("Content-Type", content_type),), body=body
    )
    await run(make_work(http=request, values={"v": '1&"2"'}))
    assert service.requests[0][3] == sent


async def test_a_value_cannot_add_a_header(make_work: MakeWork, run: Run, service: Service) -> None:
    request = HttpRequest(url=service.url, headers=(("X-Version", "${version}"),))
    outcome = await run(make_work(http=request, values={"version": "1\r\nX-Admin: yes"}))
    assert outcome.reason == "the value of the header 'X-Version' contains a line break"
    assert service.requests == []


async def test_a_service_that_is_not_there_fails(make_work: MakeWork, run: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        outcome = await run(make_work(http=HttpRequest(url=f"http://127.0.0.1:{port}/")))
    assert outcome.reason == "the request failed: Connection refused"
    assert outcome.exit_code is None


@pytest.mark.parametrize(
    "url",
    ["", "nowhere", "ftp://127.0.0.1/", "http://[::1", "http://\n/", "http://127.0.0.1:99999/"],
)
async def test_an_address_that_is_none_fails(make_work: MakeWork, run: Run, url: str) -> None:
    outcome = await run(make_work(http=HttpRequest(url=url)))
    assert outcome.reason.startswith("the request failed: ")


async def test_a_log_that_cannot_be_written_fails_the_request(
    make_work: MakeWork, run: Run, service: Service, tmp_path: Path
) -> None:
    outcome = await run(make_work(http=HttpRequest(url=service.url), log_path=tmp_path))
    assert outcome.reason.startswith("cannot write the log: ")


async def test_secrets_in_an_address_stay_out_of_the_log(
    make_work: MakeWork, run: Run, service: Service
) -> None:
    url = service.url.replace("//", "//me:pass@") + "/health?token=abc"
    work = make_work(http=HttpRequest(url=url))
    assert (await run(work)).succeeded
    log = work.log_path.read_text()
    assert "pass" not in log
    assert "abc" not in log


async def test_what_is_secret_is_masked_before_an_answer_is_cut_off(
    make_work: MakeWork, run: Run, service: Service
) -> None:
    token = "hunter22/Xy"
    work = make_work(
        http=HttpRequest(
            url=service.url + "/echo/${token}",
            headers=(("X-Echo", "${token}"),),
        ),
        values={"token": token},
        masker=Masker(forms_of([token.encode()])),
    )
    await run(work)
    assert service.requests[0][1] == "/echo/hunter22%2FXy"
    log = work.log_path.read_text()
    assert "hunter" not in log
    assert "yyyyy*** " in log


async def test_a_service_that_does_not_answer_times_out(
    make_work: MakeWork, run: Run, service: Service
) -> None:
    work = make_work(http=HttpRequest(url=service.url + "/slow"), timeout_s=0.05)
    outcome = await run(work)
    assert outcome.reason == "timed out after 0.05s"
    assert work.log_path.read_text().endswith("orchestrate-tui: timed out after 0.05s\n")


async def test_cancelling_closes_the_connection(
    make_work: MakeWork, run: Run, service: Service
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(run, make_work(http=HttpRequest(url=service.url + "/slow")))
        await anyio.to_thread.run_sync(service.asked.wait)
        group.cancel_scope.cancel()
    await anyio.to_thread.run_sync(service.left.wait)


async def test_proxies_of_the_environment_are_not_asked(
    make_work: MakeWork, run: Run, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert (await run(make_work(http=HttpRequest(url=service.url)))).succeeded
