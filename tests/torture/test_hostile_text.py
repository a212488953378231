"""Text that means harm, in every field that people and programs fill, read back from a terminal."""

from __future__ import annotations

import json
import os
import pty
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrate_tui.domain.notification import Delivery, DeliveryStatus, Notification
from orchestrate_tui.domain.notifying import Occasion
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.executor import notices
from orchestrate_tui.executor.control import BegunRun, Control
from orchestrate_tui.executor.notices import message_of
from orchestrate_tui.executor.people import People
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.database import open_database
from orchestrate_tui.store.history import History
from orchestrate_tui.store.rollbacks import list_rollback_events
from tests.console.terminal import REPOSITORY, Terminal
from tests.torture.conftest import Amount, Figure
from tests.torture.hostile_text import (
    BYTES,
    PAYLOADS,
    Hostile,
    damage,
    hostile,
    mark,
    marked,
    quoted,
)

PASTE_END = "\x1b[201~"
READ_WHOLE = {"wide", "markup", "action", "link", "escaped markup", "templates"}
STEERING = {*PAYLOADS} - READ_WHOLE - {"flags"}
"""The payloads that do harm as bytes; the others would have to be read as markup."""

WITHOUT_EDGE = """
import orchestrate_tui.domain.text as text
import orchestrate_tui.cli.streams, orchestrate_tui.console.outgoing  # these keep theirs
text.visible = lambda text: text
"""
WITHOUT_LAST_FILTER = """
import orchestrate_tui.domain.text as text
text.harmless = lambda text: text
import orchestrate_tui.console.outgoing as outgoing
outgoing.guarded = lambda data: "" if data.startswith("\\x1b]22;") else data  # the pointer
import orchestrate_tui.cli.streams as streams
streams.guarded = lambda text: text
"""

CONSOLE = """
import json, sys
from pathlib import Path
from orchestrate_tui.console.app import run_console
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.notices import message_of
from orchestrate_tui.executor.people import People
from orchestrate_tui.store.database import open_database
from orchestrate_tui.store.history import History

people = People(json.loads(Path("roles.json").read_text()))
with open_database(Path("t.db")) as database, Control(database, people=people) as control:
    run_id, *files = sys.argv[1:]
    files = list(map(Path, files))
    sys.exit(run_console(History(database.path), control, files=files, run_id=int(run_id)))
"""
WATCHING = """
import sys
from orchestrate_tui.cli import main

sys.exit(main(["--read-only"]))
"""
COMMANDS = """
import json, sys
from pathlib import Path
from orchestrate_tui.cli import main

for words in json.loads(Path("commands.json").read_text()):
    try:
        main(words)
    except SystemExit:
        pass
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A folder where one run for each payload has failed and was rolled back."""

    folder: Path
    runs: Mapping[str, tuple[int, Hostile]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("hostile")
    roles = {marked(kind, "apr"): [current_user()] for kind in PAYLOADS}
    (folder / "roles.json").write_text(json.dumps(roles))
    config = folder / "config" / "orchestrate-tui" / "config.yaml"
    config.parent.mkdir(parents=True)
    entries = (f"  {quoted(role)}: [{current_user()}]\n" for role in roles)
    config.write_text(f"roles:\n{''.join(entries)}", "utf-8")
    pipelines = {kind: hostile(kind, folder) for kind in PAYLOADS}
    with (
        open_database(folder / "t.db") as database,
        Control(database, people=People(roles)) as control,
    ):
        begun = {kind: _begin(control, kind, pipelines[kind], folder) for kind in PAYLOADS}
        for kind, run in begun.items():
            _approve(control, History(database.path), run, marked(kind, "cmt"))
        for kind, run in begun.items():
            run.end.result()
            first = pipelines[kind].pipeline.stages[0].name
            demand = RollbackDemand(from_stage=first, reason=marked(kind, "rsn"))
            asked = control.rollback(run.run_id.result(), demand)
            control.follow_rollback(asked.result()).result()
        runs = {kind: (run.run_id.result(), pipelines[kind]) for kind, run in begun.items()}
    return Scene(folder=folder, runs=runs)


def _begin(control: Control, kind: str, pipeline: Hostile, folder: Path) -> BegunRun:
    workdir = folder / f"work {list(PAYLOADS).index(kind)}"
    workdir.mkdir()
    text = marked(kind, "log").encode()
    raw = BYTES.replace(b"{m}", mark(kind, "log").encode())
    log = b"\n".join((text, text * 3, raw, b"\x1b[31;8mred", b"\x1b[1;5m" * 2000 + b"end", text))
    (workdir / "log").write_bytes(log + b"\n")
    trigger = TriggerContext(
        event=marked(kind, "evt"),
        branch=marked(kind, "brn"),
        labels=(marked(kind, "lbl"),),
        changed=(marked(kind, "chg"),),
        variables=(("given", marked(kind, "val")),),
    )
    return control.begin_run(pipeline, trigger, workdir=workdir)


def _approve(control: Control, history: History, run: BegunRun, comment: str) -> None:
    run_id = run.run_id.result()
    while not any(one.status is StageStatus.WAITING_APPROVAL for one in history.stages(run_id)):
        assert not wait([run.end], timeout=0.02).done, history.stages(run_id)
    control.approve(run_id, "gate", comment).result()


# The command line


def commands(scene: Scene, kinds: Collection[str]) -> Iterator[list[str]]:
    """Every command, with the payloads in all that it prints and in all that it is told."""
    for kind in kinds:
        run_id, pipeline = scene.runs[kind]
        text, stage = marked(kind, "arg"), pipeline.pipeline.stages[0].name
        run, file = str(run_id), str(Path(pipeline.file).name)
        yield from (["show", run], ["show", run, "--json"], ["rollbacks", run])
        yield from (["logs", run, stage], ["logs", run, stage, "--color=always"])
        yield from (["logs", run, stage, "--json"], ["logs", run, stage, "--rollback", run])
        yield from (["logs", run, text], ["runs", "--status", text], ["runs", "--since", text])
        yield from (["runs", "--pipeline", pipeline.pipeline.name], ["runs", "--limit", text])
        yield from (["rollback", run, "--from", text, "--to", text, "--reason", text, "--yes"],)
        yield from (
            ["rollback", run, "--from", stage, "--to", stage, "--reason", text, "--dry-run"],
        )
        yield from (["rollback", run, "--from", "broken", "--to", stage, "--reason", text],)
        yield from ([word, run, "gate", "--comment", text] for word in ("approve", "reject"))
        yield from (["approve", run, text], ["cancel", run], ["resume", run])
        yield from (
            ["rollback-step", run, "halt", "--reason", text],
            ["init", text],
            ["init", "ci", file],
        )
        yield from (["graph", file], ["validate", file], ["validate", file, "--json"])
        yield from (
            ["run", f"free of {run}.yaml", "--simulate", "--branch", text, "--label", text],
        )
        yield from (
            ["run", text],
            ["run", file, "--var", text],
            ["run", file, "--var", f"{text}=x"],
        )
        yield from ([text], [f"--{text}"], ["show", text], ["--db", text, "runs"], ["doctor"])
        yield from (["validate", "refused.yaml"],)
    yield from (["releases"], ["releases", "--json"], ["quarantine", "--all"])
    yield from (["pin", "1", "--reason", "x"], ["readiness", "1"], ["prune", "--keep", "1"])
    yield from (["runs"], ["runs", "--json"], ["rollbacks"], ["rollbacks", "--json"])


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "ORCHESTRATE_DB": str(folder / "t.db"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "TERM": "xterm-256color",
    }


def said_on_terminal(folder: Path, program: str) -> bytes:
    """All bytes that a program writes on a terminal of its own."""
    (folder / "program.py").write_text(program)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    assert process.wait() == 0, said[-2000:]
    return said


def said_in_pipe(folder: Path, program: str) -> bytes:
    (folder / "program.py").write_text(program)
    return subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    ).stdout


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other end is closed
        return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A folder with the scene, commands to give there, and the payloads that are in them."""

    folder: Path
    commands: list[list[str]]
    kinds: list[str]


@pytest.fixture
def shell(scene: Scene, tmp_path: Path, rng: random.Random, amount: Amount) -> Shell:
    folder = tmp_path / "shell"
    shutil.copytree(scene.folder, folder)
    kinds = rng.sample(list(PAYLOADS), amount(short=5, long=len(PAYLOADS)))
    for run_id, pipeline in scene.runs.values():
        free = [line for line in pipeline.source.splitlines() if "name: gate" not in line]
        (folder / f"free of {run_id}.yaml").write_text("\n".join(free))
    refused = "".join(f"{json.dumps(marked(kind, 'key'))}: 1\n" for kind in PAYLOADS)
    (folder / "refused.yaml").write_text(refused)
    given = list(commands(scene, kinds))
    (folder / "commands.json").write_text(json.dumps(given))
    return Shell(folder=folder, commands=given, kinds=kinds)


READERS = {"terminal": said_on_terminal, "pipe": said_in_pipe}
Reader = Callable[[Path, str], bytes]


@pytest.mark.attack("hostile text in commands")
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_no_command_lets_a_text_steer_the_terminal(
    reader: Reader, shell: Shell, figure: Figure
) -> None:
    said = reader(shell.folder, COMMANDS)
    assert damage(said, of_console=False) == []
    for field in ("nam", "stg", "brn", "rsn", "cmt", "val", "log", "fil", "arg"):
        unseen = [kind for kind in shell.kinds if mark(kind, field).encode() not in said]
        assert unseen == [], field
    figure("commands", len(shell.commands))
    figure("bytes read", f"{len(said):,}")


@pytest.mark.attack("hostile text in commands")
@pytest.mark.parametrize("off", [WITHOUT_EDGE, WITHOUT_LAST_FILTER], ids=["edge", "last filter"])
def test_each_of_the_two_filters_of_commands_is_enough(off: str, shell: Shell) -> None:
    assert damage(said_on_terminal(shell.folder, off + COMMANDS), of_console=False) == []


@pytest.mark.control("hostile text in commands")
def test_without_filters_commands_let_every_text_steer_the_terminal(shell: Shell) -> None:
    said = said_on_terminal(shell.folder, WITHOUT_LAST_FILTER + WITHOUT_EDGE + COMMANDS)
    assert damage(said, of_console=False)
    harmful = set(shell.kinds) & STEERING
    assert {kind for kind in harmful if _is_raw(said, marked(kind, "brn"))} == harmful


def _is_raw(said: bytes, text: str) -> bool:
    return text.encode() in said.replace(b"\r\n", b"\n")


# The console


class Wire(Terminal):
    """The console on a terminal that keeps every byte; `is_real` False only keeps them."""

    rows, columns = 45, 200
    patience_s = 60.0

    def __init__(
        self,
        scene: Scene,
        folder: Path,
        *kinds: str,
        off: str = "",
        program: str = CONSOLE,
        is_real: bool = True,
    ) -> None:
        self.heard = bytearray()
        self._is_real = is_real
        shutil.copytree(scene.folder, folder)
        (folder / "program.py").write_text(off + program)
        runs = [scene.runs[kind] for kind in kinds]  # the first one is shown, all files are offered
        words = ["program.py", str(runs[0][0]), *(Path(run.file).name for _, run in runs)]
        size = {"COLUMNS": str(self.columns), "LINES": str(self.rows)}  # a test runner may set them
        super().__init__(words, folder, **environment(folder) | size)

    def read(self, timeout_s: float = 0.1) -> bytes:
        data = super().read(timeout_s)
        self.heard += data
        return data

    def _show(self, data: bytes) -> None:
        if self._is_real:  # what harms terminals harms that one too
            super()._show(data)

    def press(self, keys: str, *shown: str, gone: str = "") -> None:
        """Type, and read until all that is on the screen, and something else is not."""
        self.type(keys)
        self.wait_for(lambda: all(text in self.text for text in shown))
        self.wait_for(lambda: not gone or gone not in self.text)

    def hear(self, text: str) -> None:
        """Read until these very characters were written."""
        wanted = text.replace("\n", "\r\n").encode()
        self.wait_for(lambda: wanted in self.heard)

    def press_blindly(self, keys: Iterable[str]) -> None:
        """Type each key when what the one before had drawn seems to be complete."""
        for key in keys:
            self.type(key)
            while self.read(QUIET_S):
                pass


QUIET_S = 0.15
DOWN, RIGHT, ESCAPE, START, HOME = "\x1b[B", "\x1b[C", "\x1b", "\x13", "\x1b[H"
SURE_ESCAPE = "\x1b[27u"
"""Whatever was typed before it, and seems to go on."""


def look_at_run(console: Wire, scene: Scene, kind: str) -> None:
    """All that the console shows of the run under the cursor; then go to the one before it."""
    number = scene.runs[kind][0]
    console.press("1", f"#{number}  ", *(mark(kind, field) for field in ("nam", "stg", "brn")))
    console.press("2" + HOME, *(mark(kind, field) for field in ("agt", "env", "log")))
    console.press("L", "n Next", mark(kind, "log"), mark(kind, "stg"))
    console.press(ESCAPE, gone="n Next")
    for stage in ("skipped", "gate", "broken"):
        console.press(RIGHT, f" {stage}  ")
    reason = marked(kind, "rsn") if kind in READ_WHOLE else mark(kind, "rsn")
    console.press("4o", "only this run", reason)
    console.press("\r", f"Rollback {number}", mark(kind, "und"))
    console.press("\r", "n Next", mark(kind, "und"))
    console.press(ESCAPE, gone="n Next")
    console.press(ESCAPE, gone="Esc: close")
    console.press("o", gone="only this run")


def ask_for_its_rollback(console: Wire, kind: str) -> None:
    """What the dialog shows that rolls it back; then go to the run before it."""
    console.press("R", "Back to stage", mark(kind, "nam"))
    console.press(ESCAPE, gone="Back to stage")
    console.press("1" + DOWN)


def start_and_cancel(console: Wire, kinds: Sequence[str]) -> None:
    """What the dialogs show while pipelines are chosen, and a run of the last one is decided on."""
    console.press("n", "New run")
    for number, kind in enumerate(kinds):
        seen = (mark(kind, field) for field in ("fil", "dsc", "var"))
        console.press(DOWN if number else HOME, *seen)
    console.press(START, "missing: ", mark(kinds[-1], "apr"), gone="New run")
    console.press("a", "Comment", mark(kinds[-1], "apr"))
    console.press(ESCAPE, gone="Comment")
    console.press("q", "Stay")
    console.press(ESCAPE, gone="Stay")
    console.press("c", "Cancel the run?")
    console.until_enabled("Cancel the run ")
    console.press(RIGHT + "\r", "■ cancelled", gone="Cancel the run?")
    console.type("q")
    assert console.ends() == 0


@pytest.fixture
def kinds(rng: random.Random, amount: Amount) -> list[str]:
    """Payloads whose runs stand below each other, the newest first."""
    newest_first = list(PAYLOADS)[::-1]
    count = amount(short=2, long=len(newest_first))
    first = rng.randrange(len(newest_first) - count + 1)
    return newest_first[first : first + count]


@pytest.mark.attack("hostile text in the console")
def test_no_screen_lets_a_text_steer_the_terminal(
    scene: Scene, kinds: list[str], tmp_path: Path, figure: Figure
) -> None:
    with Wire(scene, tmp_path / "console", *kinds) as console:
        console.until("1 Runs")
        for kind in kinds:
            look_at_run(console, scene, kind)
            ask_for_its_rollback(console, kind)
        start_and_cancel(console, kinds)
    assert damage(bytes(console.heard), of_console=True) == []
    figure("payloads", len(kinds))
    figure("bytes read", f"{len(console.heard):,}")


@pytest.mark.attack("hostile text in the console")
def test_no_screen_of_who_only_watches_lets_a_text_steer_the_terminal(
    scene: Scene, rng: random.Random, amount: Amount, tmp_path: Path, figure: Figure
) -> None:
    newest_first = list(PAYLOADS)[::-1]
    watched = sorted(rng.sample(range(len(newest_first)), amount(short=1, long=len(newest_first))))
    with Wire(scene, tmp_path / "console", newest_first[0], program=WATCHING) as console:
        console.until("1 Runs")
        at = 0
        for number in watched:
            kind = newest_first[number]
            console.type("1" + DOWN * (number - at))
            at = number
            look_at_run(console, scene, kind)
            console.press("1v", "Enter its run")
            console.press("q", gone="Enter its run")
            console.press("i", "be undone?", mark(kind, "stg"))
            console.press("q", gone="be undone?")
            text = marked(kind, "arg").replace(PASTE_END, "")  # as a terminal sends it
            pasted = f"\x1b[200~{text}{PASTE_END}"
            for keys in (("/", pasted), ("L", "/", pasted), (":", pasted), ("?", pasted)):
                console.press_blindly((*keys, *(SURE_ESCAPE,) * 3))
        console.press_blindly((ESCAPE, "q"))
        assert console.ends() == 0
    assert damage(bytes(console.heard), of_console=True) == []
    figure("payloads", len(watched))
    figure("bytes read", f"{len(console.heard):,}")


BLINDLY = ("2", *(RIGHT,) * 3, "L", ESCAPE, "4", "\r", "\r", ESCAPE, ESCAPE, "R", ESCAPE, "n", DOWN)


@pytest.mark.attack("hostile text in the console")
@pytest.mark.parametrize("off", [WITHOUT_EDGE, WITHOUT_LAST_FILTER], ids=["edge", "last filter"])
def test_each_of_the_two_filters_of_the_console_is_enough(
    off: str, scene: Scene, rng: random.Random, amount: Amount, tmp_path: Path
) -> None:
    for kind in rng.sample(list(PAYLOADS), amount(short=1, long=len(PAYLOADS))):
        with Wire(scene, tmp_path / kind, kind, off=off, is_real=False) as console:
            console.hear(mark(kind, "nam"))
            console.press_blindly(BLINDLY)
        assert damage(bytes(console.heard), of_console=True) == [], kind


@pytest.mark.control("hostile text in the console")
def test_without_filters_the_console_lets_every_text_steer_the_terminal(
    scene: Scene, tmp_path: Path
) -> None:
    off = WITHOUT_LAST_FILTER + WITHOUT_EDGE
    with Wire(scene, tmp_path / "console", "title", off=off, is_real=False) as console:
        for kind in STEERING:
            console.hear(marked(kind, "nam")[:10])  # the list of runs has no room for more
    assert damage(bytes(console.heard), of_console=True)


# What people are told


def messages(scene: Scene) -> Iterator[tuple[str, str]]:
    """Each payload, and the message that tells how its run was rolled back."""
    with open_database(scene.folder / "t.db") as database:
        for kind, (run_id, pipeline) in scene.runs.items():
            notification = Notification(
                id=1,
                run_id=run_id,
                rule=0,
                occasion=Occasion.RUN_FAILED,
                stage_name=pipeline.pipeline.stages[0].name,
                detail=marked(kind, "rsn"),
                created_at=datetime.now(UTC),
            )
            delivery = Delivery(
                id=1, notification_id=1, step=0, channel="TEAM", status=DeliveryStatus.PENDING
            )
            (event,) = list_rollback_events(database, run_id=run_id)
            for occasion in Occasion:
                of_rollback = event.id if occasion.name.startswith("ROLLBACK") else None
                one = replace(notification, occasion=occasion, rollback_id=of_rollback)
                told = message_of(database, one, delivery)
                yield kind, f"{told.title}\n{told.body}"


@pytest.mark.attack("hostile text in messages")
def test_no_message_has_a_text_in_it_that_steers_a_terminal(scene: Scene) -> None:
    for kind, text in messages(scene):
        assert damage(text.encode(), of_console=False) == [], kind
        assert all(mark(kind, field) in text for field in ("nam", "rsn"))


@pytest.mark.control("hostile text in messages")
def test_without_the_filter_messages_have_such_texts_in_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "visible", str)
    harmed = {kind for kind, text in messages(scene) if damage(text.encode(), of_console=False)}
    assert harmed >= STEERING - {"lines"}
