"""Where notifications arrive: a web server and a mail server on the loopback interface."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE_S = 60.0
TOKEN = "t0p-s3cret-t0ken"
PASSWORD = "p4ssw0rd-of-0ps"


class HttpReceiver:
    """Takes messages as JSON, answers with `status`, or not at all before `answers` is set."""

    def __init__(self) -> None:
        self.messages: Queue[dict[str, Any]] = Queue()
        self.status = 200
        self.answers = Event()
        self.answers.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.messages.put(json.loads(body))
                receiver.answers.wait(PATIENCE_S)
                try:
                    self.send_response(receiver.status)
                    self.end_headers()
                except OSError:
                    return  # whoever asked was ended meanwhile

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """The Apprise URL, with a password and a token in it."""
        port = self._server.server_address[1]
        return f"json://ops:{PASSWORD}@127.0.0.1:{port}/{TOKEN}?rto=60&cto=60"

    def message(self) -> dict[str, Any]:
        """The next message that arrives."""
        return self.messages.get(timeout=PATIENCE_S)

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    try:
        yield receiver
    finally:
        receiver.close()


@dataclass(frozen=True, slots=True)
class Inbox:
    """The letters that a mail server took."""

    port: int
    letters: Queue[EmailMessage]

    @property
    def address(self) -> str:
        """The Apprise URL of somebody who has a mailbox there."""
        who = "from=deploy@example.org&to=ops@example.org"
        return f"mailto://127.0.0.1:{self.port}?{who}&mode=insecure"

    def letter(self) -> EmailMessage:
        """The next letter that arrives."""
        return self.letters.get(timeout=PATIENCE_S)


class _Postman:
    def __init__(self) -> None:
        self.letters: Queue[EmailMessage] = Queue()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.put(letter)
        return "250 OK"


@contextmanager
def mail_receiver() -> Iterator[Inbox]:
    """A mail server; the port is one that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    postman = _Postman()
    server = Controller(postman, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield Inbox(port, postman.letters)
    finally:
        server.stop()


def unreachable() -> str:
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"json://ops:{PASSWORD}@127.0.0.1:{probe.getsockname()[1]}/{TOKEN}"
