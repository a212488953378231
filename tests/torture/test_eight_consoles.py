"""Eight people act on one run at the same moment; one wins, and the others are told who.

Two of them sit at consoles on terminals of their own and have their dialogs open, the others give
commands from processes of their own, two of these as other accounts, where that is possible.
"""

from __future__ import annotations

import json
import re
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import IO

import pytest

from orchestrate_tui.store.accounts import current_user
from tests.acceptance.desk import Desk
from tests.console.terminal import Terminal
from tests.other_user import OtherUser
from tests.torture.conftest import Amount, Figure
from tests.torture.killing import end

GROUP, OTHERS = "nogroup", ("nobody", "daemon")
SPEAKERS = 6
CONFIG = f"""
share_group: {GROUP}
access:
  nobody: [run, approve, rollback]
  daemon: [run, approve, rollback]
"""
SPEAK = "from tests.torture.speaker import main; main()"
LATEST_S = 0.25
PATIENCE_S = 60.0
AHEAD_S = 0.4
"""How long before their moment all are told what to do."""

STAGES = {
    "decide": "- {name: build, agent: fine, task: t}\n"
    "- {name: ship, agent: fine, task: t, requires_approval: true,"
    f" approvers: [{current_user()}, nobody, daemon], approval: {{quorum: 1}}}}\n",
    "fail": "- {name: build, agent: broken, task: t}\n",
    "stop": "- {name: build, agent: forever, task: t, rollback: {agent: undo, task: t}}\n",
    "hold": "- {name: build, agent: hold, task: t}\n",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of the speakers was told."""

    words: tuple[str, ...]
    code: int
    said: str


class Company:
    """One desk, two consoles, and the speakers; `without` names what protects none of them."""

    def __init__(self, home: Path, opened: ExitStack, without: str = "") -> None:
        self.desk = Desk(home)
        opened.callback(self._bury)
        (self.desk.config / "config.yaml").write_text(CONFIG)
        self.speakers = [opened.enter_context(self._speaker(n, without)) for n in range(SPEAKERS)]
        self.consoles = [opened.enter_context(self._console()) for _ in range(2)]

    def _bury(self) -> None:
        self.desk.close()
        for pid in self.desk.processes():
            with suppress(ProcessLookupError):
                end(pid)

    @contextmanager
    def _speaker(self, number: int, without: str) -> Iterator[subprocess.Popen[str]]:
        process = self._other(OTHERS[number]) if number < len(OTHERS) and not without else None
        process = process or subprocess.Popen(
            [sys.executable, "-c", SPEAK, *filter(None, [without])],
            cwd=self.desk.folder, env=self.desk.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
            process.communicate()

    def _other(self, name: str) -> subprocess.Popen[str] | None:
        import grp  # noqa: PLC0415  (only where there are others)

        try:
            user = OtherUser.named(name)
        except pytest.skip.Exception:
            return None
        return user.start(SPEAK, groups=[grp.getgrnam(GROUP).gr_gid])

    @contextmanager
    def _console(self) -> Iterator[Terminal]:
        with Terminal(["-m", "orchestrate_tui"], self.desk.folder, **self.desk.environment) as one:
            one.until("No runs yet")
            yield one

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(f"{self.desk.database.as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def value(self, query: str, *values: object) -> object:
        return self.rows(query, *values)[0][0]

    def until(self, query: str, wanted: object) -> None:
        deadline = time.monotonic() + 30
        while self.value(query) != wanted:
            assert time.monotonic() < deadline, (query, self.value(query))
            time.sleep(0.01)

    def show(self, run_id: int, *words: str) -> None:
        """Have both consoles show the run and these words of it."""
        for console in self.consoles:
            console.until(f"#{run_id} ")
            console.type("1\x1b[H")
            for word in (f"#{run_id}  shop", *words):
                console.until(word)

    def act(
        self,
        commands: Sequence[tuple[str, ...]],
        keys: tuple[str, ...] = (),
        before_last: Callable[[tuple[str, ...], list[Answer]], object] = lambda *_: None,
    ) -> list[Answer]:
        """Let all act at the same moment: the speakers say commands, the consoles get a key.

        `before_last` is told whose answer is the only one missing, and all the others.
        """
        moment = time.monotonic() + AHEAD_S
        told = [(*words, "--db", str(self.desk.database)) for words in commands]
        for speaker, words in zip(self.speakers, told, strict=True):
            assert speaker.stdin
            speaker.stdin.write(json.dumps({"words": words, "at": moment}) + "\n")
            speaker.stdin.flush()
        time.sleep(max(moment - time.monotonic(), 0))
        for console, key in zip(self.consoles, keys, strict=False):
            console.type(key)
        answers: list[Answer] = []
        waiting = dict(zip(map(_ear, self.speakers), commands, strict=True))
        while waiting:
            if len(waiting) == 1:
                (last,) = waiting.values()
                before_last(last, answers)
            ready, _, _ = select.select(list(waiting), [], [], PATIENCE_S)
            assert ready, f"no answer to {list(waiting.values())} after {answers}"
            answers += [_answer(one, waiting.pop(one)) for one in ready]
        return answers


def _ear(speaker: subprocess.Popen[str]) -> IO[str]:
    assert speaker.stdout
    return speaker.stdout


def _answer(source: IO[str], words: tuple[str, ...]) -> Answer:
    line = source.readline()
    assert line, f"{words} ended with a traceback"
    return Answer(words=words, **json.loads(line))


class Picture(threading.Thread):
    """Reads a console until its first line has one of some words; `at` says when it had."""

    def __init__(self, console: Terminal, *words: str) -> None:
        super().__init__()
        self._console, self._words = console, words
        self.at: datetime | None = None
        self.start()

    def run(self) -> None:
        with suppress(AssertionError):
            self._console.wait_for(self._is_there)
            self.at = datetime.now(UTC)

    def _is_there(self) -> bool:
        first = self._console.text.partition("\n")[0]
        return any(word in first for word in self._words)


@pytest.fixture
def meet() -> Iterator[Callable[..., Company]]:
    """A company in a folder that other accounts reach, too."""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    with ExitStack() as opened:
        yield lambda without="": Company(home, opened, without)
    shutil.rmtree(home)


def winners(answers: list[Answer]) -> list[Answer]:
    """Those whose command was carried out; the others were refused in one sentence."""
    for one in answers:
        assert one.code in {0, 1, 2, 130}, one
        assert "Traceback" not in one.said, one
    return [one for one in answers if one.code != 2]


def check_told(answers: list[Answer], *who: str) -> None:
    """Those who came too late know who was faster."""
    for one in answers:
        if one.code == 2:
            names = "|".join(who)
            assert re.search(rf"by ({names})\b|\b({names}) \(process", one.said), one


def decide(company: Company, run_id: int, figures: list[float]) -> None:
    """All approve or reject at once."""
    job = company.desk.start("run", company.desk.pipeline(STAGES["decide"]))
    company.show(run_id, "waits for approval")
    for console, key, label in zip(company.consoles, "ax", ("Approve  ", "Reject  "), strict=True):
        console.type(key)
        console.until_enabled(label)
        console.type("\x1b[C")
    pictures = [Picture(one, "succeeded", "failed") for one in company.consoles]
    verbs = ("approve", "reject") * 3
    said = [(v, str(run_id), "ship", "--comment", f"voice {n}") for n, v in enumerate(verbs)]
    answers = company.act(said, ("\r", "\r"))
    job.end()
    rows = company.rows("SELECT actor, decision, comment FROM approvals WHERE run_id = ?", run_id)
    ((actor, decision, comment),) = rows
    won = winners(answers)
    assert [one.words[-1] for one in won] == ([comment] if comment else [])
    check_told(answers, str(actor))
    status = "succeeded" if decision == "approved" else "failed"
    assert company.value("SELECT status FROM runs WHERE id = ?", run_id) == status
    ended = company.value("SELECT completed_at FROM runs WHERE id = ?", run_id)
    figures += delays(pictures, str(ended))
    for console in company.consoles:
        assert status in console.text.splitlines()[0], console.text
        console.type("\x1b[27u\x1b[27u")


def delays(pictures: list[Picture], since: str) -> Iterator[float]:
    """Seconds from a commit until each console shows it."""
    for picture in pictures:
        picture.join()
        assert picture.at is not None, "a console does not show how the run ended"
        yield (picture.at - datetime.fromisoformat(since)).total_seconds()


def note(company: Company, run_id: int) -> None:
    """All acknowledge a failed run at once."""
    assert company.desk.do("run", company.desk.pipeline(STAGES["fail"])).code == 1
    company.show(run_id, "✗ failed")
    for console in company.consoles:
        console.type("A")
        console.until_enabled("Acknowledge  ")
        console.type("\x1b[C")
    answers = company.act([("acknowledge", str(run_id))] * SPEAKERS, ("\r", "\r"))
    ((actor,),) = company.rows("SELECT acknowledged_by FROM runs WHERE id = ?", run_id)
    events = company.rows(
        "SELECT actor FROM events WHERE kind = 'acknowledgement' AND run_id = ?", run_id
    )
    assert events == [(actor,)], "somebody's act was done although another one had won"
    assert len(winners(answers)) <= 1
    check_told(answers, str(actor))
    for console in company.consoles:
        console.until(f"seen by {actor}")
        console.type("\x1b[27u")


def stop(company: Company, run_id: int) -> None:
    """All cancel or roll back a running run at once."""
    job = company.desk.start("run", company.desk.pipeline(STAGES["stop"]))
    company.desk.ready.stage()
    company.show(run_id)
    back = ("rollback", str(run_id), "--from", "build", "--to", "build", "--yes", "--reason")
    said = [(*back, f"voice {n}") if n % 2 else ("cancel", str(run_id)) for n in range(SPEAKERS)]
    answers = company.act(said)
    job.end()
    won = [one.words[0] for one in winners(answers)]
    assert (won.count("cancel"), won.count("rollback")) in {(0, 1), (1, 1)}
    assert company.desk.notes("undone") == ["build"]
    events = company.rows("SELECT actor, status FROM rollback_events WHERE run_id = ?", run_id)
    assert [status for _, status in events] == ["succeeded"]
    check_told(answers, company.desk.user, *OTHERS)
    for console in company.consoles:
        console.until("↶ build")
    (company.desk.folder / "undone").unlink()


def take(company: Company, run_id: int) -> None:
    """All resume or cancel a run whose executor died; who resumes it early works on it alone."""
    job = company.desk.start("run", company.desk.pipeline(STAGES["hold"]))
    company.desk.ready.stage()
    job.close()
    company.show(run_id, "interrupted")
    said = [("cancel" if n % 2 else "resume", str(run_id)) for n in range(SPEAKERS)]

    def end_it(last: tuple[str, ...], answers: list[Answer]) -> None:
        """All who cancel may have come while it was just taken up, and were told so."""
        if last[0] == "resume" and not winners(answers):
            company.desk.do("cancel", run_id)

    answers = company.act(said, before_last=end_it)
    company.until(f"SELECT count(*) FROM runs WHERE id = {run_id} AND status = 'cancelled'", 1)
    won = [one.words[0] for one in winners(answers)]
    assert (won.count("resume"), won.count("cancel")) in {(0, 1), (1, 0), (1, 1)}, answers
    takeovers = company.value(
        "SELECT count(*) FROM events WHERE kind = 'takeover' AND run_id = ?", run_id
    )
    assert takeovers == 1, "one takes an interrupted run over"
    check_told(answers, company.desk.user, *OTHERS)


@pytest.mark.attack("eight consoles")
@pytest.mark.timeout(240)
def test_of_eight_who_act_at_once_one_wins_and_the_others_are_told_who(
    meet: Callable[..., Company], amount: Amount, figure: Figure
) -> None:
    company, seen, laps = meet(), list[float](), amount(short=1, long=60)
    for lap in range(laps):
        decide(company, 4 * lap + 1, seen)
        note(company, 4 * lap + 2)
        stop(company, 4 * lap + 3)
        take(company, 4 * lap + 4)
    figure("laps of four runs", laps)
    figure(
        "a commit is on both screens after",
        f"{median(seen):.2f} s, at the latest {max(seen):.2f} s",
    )
    assert laps == 1 or median(seen) < LATEST_S, "a single lap may meet a busy machine"


@pytest.mark.control("eight consoles")
def test_without_a_guard_all_acknowledge(meet: Callable[..., Company]) -> None:
    company = meet("one acknowledgement")
    with pytest.raises(AssertionError, match="although another one had won"):
        note(company, 1)


@pytest.mark.control("eight consoles")
def test_without_an_owner_several_take_a_run_over(meet: Callable[..., Company]) -> None:
    with pytest.raises(AssertionError):
        take_many(meet("one owner"))


def take_many(company: Company) -> None:
    """Ends with the first damage."""
    for run_id in range(1, 9):
        take(company, run_id)
