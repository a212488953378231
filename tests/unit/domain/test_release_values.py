"""What an undo needs of the release that it goes back to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrate_tui.domain.pipeline import Agent, AgentKind, HttpRequest, Undo
from orchestrate_tui.domain.release import NO_EARLIER_RELEASE, Succession, lacks

UNDO = Undo(task="back")
REQUEST = HttpRequest(method="POST", url="http://127.0.0.1/back")


def http_agent(request: HttpRequest) -> Agent:
    return Agent(name="undoer", kind=AgentKind.HTTP, http=request)


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, url="http://127.0.0.1/${previous.version}"),
        replace(REQUEST, body="to=${previous.version}"),
        replace(REQUEST, headers=(("X-Release", "${previous.version}"),)),
    ],
)
def test_a_request_that_names_the_earlier_release_needs_one(request_: HttpRequest) -> None:
    assert lacks(UNDO, http_agent(request_), Succession()) == NO_EARLIER_RELEASE


def test_a_request_that_names_none_needs_none() -> None:
    assert lacks(UNDO, http_agent(REQUEST), Succession()) == ""
