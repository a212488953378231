"""People are told: from a shell, with servers that really take what is sent."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.acceptance.desk import EXAMPLES, Desk, wait_for_end
from tests.receivers import PASSWORD, TOKEN, HttpReceiver, http_receiver, mail_receiver, unreachable


@pytest.fixture
def receiver(desk: Desk) -> Iterator[HttpReceiver]:
    with http_receiver() as made:
        desk.environment["OPS_URL"] = made.address
        yield made


def nobody_is_told_any_more(desk: Desk) -> None:
    for process in desk.processes():
        wait_for_end(process)


def test_the_example_tells_again_and_again_until_somebody_acknowledges_it(
    desk: Desk, receiver: HttpReceiver
) -> None:
    assert desk.do("run", EXAMPLES / "notify.yaml").code == 1
    first, second = receiver.message(), receiver.message()
    assert first["title"] == "run 1 of notify failed"
    assert first["message"].splitlines()[-2:] == ["deploying to ***", "the disk of web-3 is full"]
    # that the first one has arrived is known a moment later, on a busy machine after the second
    assert re.fullmatch(r"run 1 of notify failed \(.*step 2.*\)", second["title"])
    assert desk.do("acknowledge", 1).code == 0
    nobody_is_told_any_more(desk)
    (told,) = desk.json("notifications", 1)
    assert told["outcome"] == f"acknowledged by {desk.user}"
    assert told["deliveries"][0] | {"started_at": "", "completed_at": ""} == {
        "step": 0,
        "channel": "OPS_URL",
        "status": "sent",
        "attempt": 1,
        "error": "",
        "due_at": None,
        "started_at": "",
        "completed_at": "",
    }
    assert desk.json("show", 1)["notifications"] == [told]
    for words in (("show", 1), ("notifications",)):
        shown = desk.do(*words).out
        assert f"acknowledged by {desk.user}" in shown
        assert "OPS_URL" in shown
    assert desk.do("doctor").code == 0
    kept = b"".join(f.read_bytes() for f in desk.database.parent.rglob("*") if f.is_file())
    assert PASSWORD.encode() not in kept
    assert TOKEN.encode() not in kept


def test_doctor_says_when_nobody_goes_on_telling(desk: Desk, receiver: HttpReceiver) -> None:
    text = (EXAMPLES / "notify.yaml").read_text()
    assert "every: 1s" in text
    desk.do("run", desk.write("notify.yaml", text.replace("every: 1s", "every: 1h")))
    assert receiver.message()
    for process in desk.processes():
        with suppress(ProcessLookupError):  # what only had a message to send may end meanwhile
            os.kill(process, signal.SIGKILL)
    nobody_is_told_any_more(desk)
    found = desk.do("doctor")
    assert (found.code, "Nobody tells people of run(s) 1 any more" in found.out) == (1, True)
    desk.do("acknowledge", 1)
    assert desk.do("doctor").code == 0


def test_a_configuration_is_tried_before_it_is_needed(desk: Desk, receiver: HttpReceiver) -> None:
    (desk.config / "config.yaml").write_text("notify: [OPS_URL, MAIL_URL, DEAD_URL]\n")
    with mail_receiver() as inbox:
        tried = desk.do("notify", "test", "--json", MAIL_URL=inbox.address, DEAD_URL=unreachable())
        assert receiver.message()["title"] == "a test of Orchestrate"
        assert inbox.letter()["Subject"] == "a test of Orchestrate"
    errors = {one["channel"]: one["error"] for one in tried.json()}
    assert (tried.code, errors["OPS_URL"], errors["MAIL_URL"]) == (1, None, None)
    assert errors["DEAD_URL"].startswith("A Connection error occurred")
    assert TOKEN not in tried.out + tried.err


def test_one_channel_can_be_tried_alone(desk: Desk, receiver: HttpReceiver) -> None:
    tried = desk.do("notify", "test", EXAMPLES / "notify.yaml", "--to", "OPS_URL")
    assert (tried.code, tried.out) == (0, "✓ OPS_URL: sent\n")
    assert receiver.message()


def test_where_nobody_is_named_there_is_nothing_to_try(desk: Desk) -> None:
    tried = desk.do("notify", "test")
    assert (tried.code, tried.out) == (2, "")
    assert tried.err.startswith("orchestrate-tui: Nobody is to be told of anything. Write notify:")
    other = desk.do("notify", "test", EXAMPLES / "notify.yaml", "--to", "OPS")
    assert (other.code, other.err) == (
        2,
        "orchestrate-tui: 'OPS' is none of the channels. Choose one of: OPS_URL\n",
    )


def test_before_anything_ran_nobody_was_told(desk: Desk) -> None:
    assert desk.do("notifications", "--json", ORCHESTRATE_DB="").json() == []
    assert desk.do("notifications", 7).code == 2
