"""Secrets at a shell: what is refused, what is shown, and what is on the disk."""

from __future__ import annotations

import json
import os
import stat
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.desk import EXAMPLES, Desk

TOKEN = "hunter22/Xy"
STAGES = """\
  - {name: print, agent: printing, task: "${who}", rollback: {task: again}}
  - {name: check, agent: broken, task: t, on_failure: rollback, rollback_to: print}
"""
AGENTS = """\
  printing: {shell: 'echo "$TOKEN $ORCHESTRATE_TASK"; printf %s "$TOKEN" | base64'}
secrets: [TOKEN]
variables: {who: me}
"""
HANDING = """\
  handing: {shell: 'echo a=1 >>"$ORCHESTRATE_OUTPUT"; echo "s $$" >ready; read go <gate'}
"""


def on_disk(desk: Desk) -> bytes:
    return b"".join(path.read_bytes() for path in desk.database.parent.rglob("*") if path.is_file())


def test_no_command_shows_a_secret_and_no_file_keeps_it(desk: Desk) -> None:
    name = desk.pipeline(STAGES, agents=AGENTS)
    run = desk.do("run", name, "--var", f"who=x{TOKEN}", TOKEN=TOKEN)
    said = [run.out + run.err]
    for words in (
        ("logs", 1, "print"),
        ("show", 1),
        ("show", 1, "--json"),
        ("rollbacks",),
        ("runs", "--json"),
        ("rollback", 1, "--from", "check", "--to", "print", "--dry-run"),
    ):
        told = desk.do(*words, TOKEN=TOKEN)
        said.append(told.out + told.err)
    assert said[1] == "*** x***\n***\n"
    assert run.code == 1
    assert not any(TOKEN in text for text in said)
    assert TOKEN.encode() not in on_disk(desk)
    assert b64encode(TOKEN.encode()).rstrip(b"=") not in on_disk(desk)


def test_a_run_without_its_secret_is_refused_with_the_place(desk: Desk) -> None:
    name = desk.pipeline(STAGES, agents=AGENTS)
    assert "is not set" in desk.do("validate", name).err
    refused = desk.do("run", name)
    assert refused.code == 2
    assert f"{name}:11:11: the environment variable 'TOKEN' is not set" in refused.err
    assert not desk.database.exists()


def told_to_start(desk: Desk) -> list[bytes]:
    """The arguments and variables of every process that works for the desk."""
    found = []
    for pid in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if belongs_to(pid, desk):
                found.append((pid / "cmdline").read_bytes() + (pid / "environ").read_bytes())
    return found


def test_a_secret_is_not_among_the_arguments_or_variables_of_what_we_start(desk: Desk) -> None:
    secret = "file-secret-77"
    desk.write("key", f"{secret}\n")
    agents = "secrets: {file: key}\n"
    job = desk.start("run", desk.pipeline("  - {name: s, agent: hold, task: t}\n", agents=agents))
    desk.ready.stage()
    seen = told_to_start(desk)
    while not any(b"masking_process" in text for text in seen):
        assert job.process.poll() is None
        seen = told_to_start(desk)
    assert not any(secret.encode() in text for text in seen)
    desk.gate.open()
    assert job.end().code == 0


def test_a_stage_that_outlives_its_executor_is_masked_to_its_end(desk: Desk) -> None:
    talk = """  talk: {shell: 'echo s >ready; read go <gate; echo "late $TOKEN"'}\n"""
    name = desk.pipeline("  - {name: s, agent: talk, task: t}\n", agents=talk + AGENTS)
    job = desk.start("run", name, TOKEN=TOKEN)
    assert desk.ready.line() == "s"
    job.process.kill()
    job.process.wait()
    desk.gate.open(2)  # it is done again where nobody could see how it ended
    assert desk.do("resume", 1, TOKEN=TOKEN).code == 0
    assert desk.do("logs", 1, "s").out == "late ***\n"
    assert TOKEN.encode() not in on_disk(desk)


def belongs_to(process: Path, desk: Desk) -> bool:
    """Whether it was started from this desk, or writes to a log of its own."""
    try:
        environment = (process / "environ").read_bytes()
        output = str((process / "fd" / "1").readlink())
    except OSError:
        return False
    home = desk.environment["XDG_STATE_HOME"]
    return f"XDG_STATE_HOME={home}".encode() in environment or output.startswith(home)


def test_the_example_shows_nothing(desk: Desk) -> None:
    token = (EXAMPLES / "secrets" / "token").read_text().strip()
    assert desk.do("run", EXAMPLES / "secrets.yaml").code == 0
    log = desk.do("logs", 1, "careless").out
    assert log.splitlines()[0] == "as it is:     ***"
    assert log.count("***") == 5
    assert token in (desk.folder / "secrets-work" / "used").read_text()
    assert token.encode() not in on_disk(desk)
    assert token.encode().hex().encode() not in on_disk(desk)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_what_is_made_is_for_its_owner_alone_whatever_the_umask(desk: Desk, mask: int) -> None:
    stages = STAGES + "  - {name: wait, agent: handing, task: t, depends_on: []}\n"
    name = desk.pipeline(stages, agents=HANDING + AGENTS)
    before = os.umask(mask)
    try:
        job = desk.start("run", name, TOKEN=TOKEN)
        desk.ready.stage()
        open_to_others = exposed(desk)
        desk.gate.open()
        assert job.end().code == 1
        assert desk.do("rollback", 1, "--from", "check", "--to", "print", "--retry", "--yes",
                       "--reason", "r", TOKEN=TOKEN).code in {0, 2}  # fmt: skip
        detached = desk.do("run", name, "--detach", "--simulate", "--json", TOKEN=TOKEN)
        assert json.loads(detached.out)["id"] == 2
        desk.wait_for_owners()
    finally:
        os.umask(before)
    assert open_to_others == exposed(desk) == []


def exposed(desk: Desk) -> list[str]:
    """What under the folder of the database somebody else could read or list."""
    found = []
    top = desk.database.parent
    for path in (top, *top.rglob("*")):
        mode = path.lstat().st_mode
        allowed = 0o700 if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode) else 0o600
        if stat.S_IMODE(mode) & ~allowed:
            found.append(f"{path.relative_to(top)} {stat.filemode(mode)}")
    return found
