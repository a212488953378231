"""The `http` agent: one request, and whether its answer is the expected one."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from functools import cache, partial
from json import dumps
from urllib.parse import quote, quote_plus

import anyio
import httpx

from orchestrate_tui.agents import wording
from orchestrate_tui.agents.contract import Outcome, Work
from orchestrate_tui.agents.environment import text_values
from orchestrate_tui.domain.pipeline import HttpRequest, Pairs
from orchestrate_tui.domain.variables import UnsafeValue, substitute
from orchestrate_tui.values import dataclass

MAX_BODY_BYTES = 1024 * 1024
"""How much of an answer is read."""

MAX_LOGGED_BYTES = 64 * 1024
"""How much of an answer is kept in the log."""

_PORTS = 1 << 16
_LEADING_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_LINE_BREAKS = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """`body` is its beginning, at most MAX_BODY_BYTES."""

    status: int
    status_line: str
    body: bytes
    encoding: str

    @property
    def text(self) -> str:
        try:
            return self.body.decode(self.encoding, errors="replace")
        except (LookupError, UnicodeError):  # Python knows it, but not as one of text
            return self.body.decode(errors="replace")


async def perform_http(work: Work) -> Outcome:
    """Send the request and judge the answer. Redirects are answers, proxies are not asked.

    Raises UnknownVariable, or UnsafeValue for a value that would add a header.
    """
    wanted = work.agent.http or HttpRequest(url="")
    values = text_values(work)
    try:
        request = _render(wanted, values)
        work.log.note(f"{request.method} {_shown(request.url)}")
        with anyio.move_on_after(work.timeout_s):
            answer = await _send(request)
            _record(work, answer)
            return _judge(wanted, substitute(wanted.expect_body, values), answer)
        reason = wording.timed_out(work.timeout_s)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = f"the request failed: {_cause(error)}"
    work.log.note(reason)
    return Outcome(succeeded=False, reason=reason)


def request_lines(work: Work) -> tuple[str, ...]:
    """The request as it would be sent, without what its address may hold that is secret.

    Raises UnknownVariable, or UnsafeValue for a value that would add a header, and for an address
    that is none.
    """
    try:
        request = _render(work.agent.http or HttpRequest(url=""), text_values(work))
    except httpx.InvalidURL as error:
        raise UnsafeValue(f"the request has no valid address: {error}") from error
    headers = (f"{name.decode()}: {value.decode()}" for name, value in request.headers.raw)
    body = request.content.decode().splitlines()
    return (f"{request.method} {_shown(request.url)}", *headers, *body)


def _render(wanted: HttpRequest, values: Mapping[str, str]) -> httpx.Request:
    """The request with its values. Raises InvalidURL, also for a port that there cannot be."""
    headers = _headers(wanted.headers, values)
    body = _substitute_inside(wanted.body, values, _body_quote(wanted))
    url = _substitute_inside(wanted.url, values, partial(quote, safe=""))
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    request = httpx.Request(wanted.method, url, headers=encoded, content=body.encode() or None)
    if not 0 <= (request.url.port or 0) < _PORTS:
        raise httpx.InvalidURL(f"Invalid port: '{request.url.port}'")
    return request


def _headers(headers: Pairs, values: Mapping[str, str]) -> Pairs:
    rendered = tuple((name, substitute(value, values).strip()) for name, value in headers)
    for name, value in rendered:
        if _LINE_BREAKS.search(value):
            raise UnsafeValue(f"the value of the header '{name}' contains a line break")
    return rendered


def _substitute_inside(text: str, values: Mapping[str, str], quoted: Callable[[str], str]) -> str:
    """`text` with its values quoted for their place, but for one that it begins with."""
    leading = _LEADING_REFERENCE.match(text)
    end = leading.end() if leading else 0
    return substitute(text[:end], values) + substitute(text[end:], values, quote=quoted)


def _body_quote(wanted: HttpRequest) -> Callable[[str], str]:
    """How a value is written inside the body, so that it stays one value."""
    given = (value for name, value in wanted.headers if name.lower() == "content-type")
    content_type = next(given, "")
    if "json" in content_type or (not content_type and wanted.body.lstrip()[:1] in {"{", "["}):
        return _json_quote
    return quote_plus if "x-www-form-urlencoded" in content_type else str


def _json_quote(value: str) -> str:
    return dumps(value)[1:-1]


def _shown(url: httpx.URL) -> str:
    """The address without what may be secret in it."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


async def _send(request: httpx.Request) -> _Answer:
    body = bytearray()
    async with httpx.AsyncClient(trust_env=False, timeout=None, verify=_tls()) as client:  # noqa: S113 - the limit is the stage's
        response = await client.send(request, stream=True)
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) >= MAX_BODY_BYTES:
                    break
        finally:
            await response.aclose()
    return _Answer(
        status=response.status_code,
        status_line=f"{response.http_version} {response.status_code} {response.reason_phrase}",
        body=bytes(body[:MAX_BODY_BYTES]),
        encoding=response.encoding or "utf-8",
    )


@cache
def _tls() -> ssl.SSLContext:
    """Trusts what this machine trusts; made once, because that takes a while."""
    return ssl.create_default_context()


def _record(work: Work, answer: _Answer) -> None:
    log = work.log
    whole = log.masker.mask(answer.body) if log.masker else answer.body
    body = whole[:MAX_LOGGED_BYTES]
    ending = b"" if not body or body.endswith(b"\n") else b"\n"
    log.append(answer.status_line.rstrip().encode() + b"\n" + body + ending)
    if len(whole) > MAX_LOGGED_BYTES:
        log.note(f"the answer is longer than {MAX_LOGGED_BYTES} bytes")


def _cause(error: Exception) -> str:
    """The system's own words, if an error of the system is at the bottom of it."""
    root: BaseException = error
    while below := root.__cause__ or root.__context__:
        root = below
    if isinstance(root, ConnectionError) and root.errno:
        return os.strerror(root.errno)
    if isinstance(root, OSError) and root.strerror:
        return root.strerror
    return str(error) or type(root).__name__


def _judge(wanted: HttpRequest, expected_text: str, answer: _Answer) -> Outcome:
    reason = _status_reason(wanted.expect_status, answer.status)
    if not reason and expected_text not in answer.text:
        reason = f"the answer does not contain '{expected_text}'"
    return Outcome(succeeded=not reason, exit_code=answer.status, reason=reason)


def _status_reason(expected: tuple[int, ...], status: int) -> str:
    if status in expected or (not expected and httpx.codes.is_success(status)):
        return ""
    return f"status {status}, expected {' or '.join(map(str, expected)) or '2xx'}"
