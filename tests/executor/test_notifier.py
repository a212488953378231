"""What a notifier tells, and to whom: real servers, and a clock that the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from orchestrate_tui.domain.notification import DeliveryStatus
from orchestrate_tui.executor.companion import take_up
from orchestrate_tui.executor.notices import LOG_LINES, last_lines
from orchestrate_tui.executor.notifier import Notifier
from orchestrate_tui.executor.sending import Message, send, told
from orchestrate_tui.stagehost.secret_forms import forms_of
from orchestrate_tui.store import open_database
from tests.receivers import (
    PASSWORD,
    TOKEN,
    HttpReceiver,
    http_receiver,
    mail_receiver,
    unreachable,
)
from tests.store.scenery import NOON, Store
from tests.store.telling import ALL, ESCALATING, Told, minutes

HELLO = Message(title="hello", body="all is well\n<b>&amp;</b>", kind="info")


@dataclass
class Clock:
    """Shows what it was set to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_database(tmp_path / "store.db") as database:
        made = Store.of(database)
        yield made
        made.owner.release()


@pytest.fixture
def notifier(store: Store, clock: Clock) -> Iterator[Notifier]:
    made = Notifier(store.database, store.epoch, clock=clock)
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as made:
        yield made


def tell(notifier: Notifier) -> None:
    """Begin what is due now, and wait until all of it has ended."""
    for _ in range(notifier.begin_due()):
        assert notifier.note_one()


def test_an_escalation_is_told_step_by_step(
    store: Store,
    notifier: Notifier,
    clock: Clock,
    receiver: HttpReceiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for channel in ("FIRST", "SECOND", "BOSS"):
        monkeypatch.setenv(channel, receiver.address)
    run = Told(store, ESCALATING)
    run.fail()
    titles = []
    for at, count in ((0, 1), (10, 2), (40, 1)):
        clock.now = minutes(at)
        tell(notifier)
        titles.append({receiver.message()["title"] for _ in range(count)})
    about = f"run {run.run_id} of shop failed"
    assert titles == [
        {about},
        {f"{about} (step 2: nobody has seen to it yet)"},
        {f"{about} (told again, step 3)"},
    ]
    run.acknowledge()
    clock.now = minutes(60)
    tell(notifier)
    assert receiver.messages.empty()


def test_what_is_told_is_plain_text_without_colours_and_control_characters(
    store: Store, notifier: Notifier, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", receiver.address)
    run = Told(store, ALL)
    log = store.database.files.log(run.run_id, "build", 1)
    log.parent.mkdir(parents=True)
    log.write_bytes(b"\x1b[31mred\x1b[0m\n\x1b]0;title\x07 \xff\r\n\tend of it\n")
    store.execute("UPDATE stages SET attempt = 1")
    run.fail()
    tell(notifier)
    message = receiver.message()
    assert message["type"] == "failure"
    assert message["message"].splitlines()[-4:] == [
        "The last lines of the log of build:",
        "red",
        "␛]0;title␇ �",
        "    end of it",
    ]
    assert f"orchestrate-tui acknowledge {run.run_id}" in message["message"]


def test_only_the_end_of_a_long_log_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    assert last_lines(log) == [f"line {number}" for number in range(1000 - LOG_LINES, 1000)]
    assert last_lines(tmp_path / "missing") == []


def test_a_letter_arrives_by_mail() -> None:
    with mail_receiver() as inbox:
        assert send("OPS", HELLO, {"OPS": inbox.address}) == ""
        letter = inbox.letter()
    assert (letter["Subject"], letter["To"]) == ("hello", "ops@example.org")
    plain = letter.get_body(("plain",))
    assert plain
    assert "<b>&amp;</b>" in plain.get_content()
    html = letter.get_body(("html",))
    assert html
    assert "&lt;b&gt;" in html.get_content()


def test_a_dead_channel_is_tried_again_and_its_error_names_no_address(
    store: Store, notifier: Notifier, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", unreachable())
    run = Told(store, ALL)
    run.fail()
    for at in (0, 1, 3):
        clock.now = minutes(at)
        tell(notifier)
    (delivery,) = run.one.deliveries
    assert (delivery.status, delivery.attempt) == (DeliveryStatus.FAILED, 3)
    assert delivery.error.startswith("A Connection error occurred sending JSON")
    kept = b"".join(file.read_bytes() for file in store.path.parent.rglob("*") if file.is_file())
    secret = forms_of([PASSWORD.encode(), TOKEN.encode()])
    assert [form for form in secret if form in kept] == []


def test_a_refusal_says_how_it_was_refused(receiver: HttpReceiver) -> None:
    receiver.status = 503
    error = send("TEAM", HELLO, {"TEAM": receiver.address})
    assert "503" in error
    assert TOKEN not in error


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({}, "the environment variable 'TEAM' is not set"),
        ({"TEAM": f"nosuch://{TOKEN}"}, "it holds no address that Apprise understands"),
    ],
)
def test_what_is_no_address_is_said_without_it(environment: dict[str, str], error: str) -> None:
    assert send("TEAM", HELLO, environment) == error


def test_a_channel_gets_no_longer_than_its_time() -> None:
    error = send("TEAM", HELLO, {"TEAM": unreachable()}, longest_s=0.01)
    assert error == "it was not taken within 0.01 seconds"


@pytest.mark.parametrize(
    "piece", [TOKEN, PASSWORD, f"ops:{PASSWORD}@host", f"/{TOKEN}/be%20se", "be se", "t0p=s"]
)
def test_no_part_of_an_address_is_told(piece: str) -> None:
    address = f"https://ops:{PASSWORD}@host/{TOKEN}/be%20se?key=t0p%3Ds, mailto://x:{TOKEN}@y"
    assert piece not in told(f"it failed at {piece} again\nand again", address)


def test_one_slow_channel_does_not_hold_up_another(
    store: Store, notifier: Notifier, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers.clear()
    with http_receiver() as quick:
        monkeypatch.setenv("FIRST", receiver.address)
        monkeypatch.setenv("TEAM", quick.address)
        slow, run = Told(store, ESCALATING), Told(store, ALL)
        slow.fail()
        run.fail()
        assert notifier.begin_due() == 2
        receiver.message()
        assert quick.message()
        assert notifier.note_one()
        assert [one.status for one in run.one.deliveries] == [DeliveryStatus.SENT]
        assert [one.status for one in slow.one.deliveries] == [DeliveryStatus.SENDING]
        receiver.answers.set()
        assert notifier.note_one()


def test_what_a_dead_notifier_was_sending_is_sent_again(
    store: Store, receiver: HttpReceiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", receiver.address)
    run = Told(store, ALL)
    run.fail()
    run.take()
    again = Notifier(store.database, store.epoch, clock=clock)
    tell(again)
    again.close()
    assert receiver.message()
    assert [one.attempt for one in run.one.deliveries] == [2]


def test_what_nobody_sees_to_is_taken_up_by_who_knows_the_addresses(store: Store) -> None:
    run, other = Told(store, ALL), Store.of(store.database)
    run.fail()
    known = {"TEAM": "json://somewhere"}
    assert take_up(store.database, other.epoch, known) == ()  # its executor lives
    store.owner.release()
    assert take_up(store.database, other.epoch, {}) == ()
    assert take_up(store.database, other.epoch, known) == (run.one.id,)
    assert run.one.epoch == other.epoch
    other.owner.release()
