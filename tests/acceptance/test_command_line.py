"""What a stranger types: help, mistakes, and things that are not there."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from orchestrate_tui.cli import main
from orchestrate_tui.cli.parser import MODULES, build_parser
from tests.acceptance.desk import Desk

COMMANDS = (
    *("console", "demo", "validate", "graph", "schema", "init", "run", "resume", "approve"),
    *("reject", "cancel", "rollback", "rollback-step", "runs", "show", "rollbacks", "logs"),
    *("who", "doctor", "publish", "backup", "acknowledge", "notifications", "notify"),
    *("releases", "pin", "unpin", "quarantine", "lift", "readiness", "prune", "breakers", "reset"),
    "rehearse",
)
FINE = "  - {name: a, agent: fine, task: t}\n"


def assert_refused(desk: Desk, *words: object) -> str:
    """A mistake ends with 2 and one line; the line."""
    result = desk.do(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert result.err.startswith("orchestrate-tui")
    return result.err


def test_the_help_lists_every_command_and_what_exit_codes_mean(desk: Desk) -> None:
    result = desk.do("--help")
    assert (result.code, result.err) == (0, "")
    for command in COMMANDS:
        assert f"    {command}" in result.out
    assert "exit codes: 0 it went well, 1 it failed" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(desk: Desk, command: str) -> None:
    result = desk.do(command, "--help")
    assert (result.code, result.err) == (0, "")
    usage, sentence, *_ = result.out.split("\n\n")
    assert usage.startswith(f"usage: orchestrate-tui {command}")
    assert sentence.endswith(".")


def test_every_word_of_every_command_is_explained() -> None:
    commands = {action.dest: action.choices for action in build_parser()._actions}["command"]
    assert isinstance(commands, dict)
    assert sorted(commands) == sorted(COMMANDS)
    words = [action for parser in commands.values() for action in parser._actions]
    assert [action.dest for action in words if not action.help] == []


def test_every_command_is_described_where_it_is_looked_for() -> None:
    for module, names in MODULES.items():
        described = import_module(f"orchestrate_tui.cli.{module}").COMMANDS
        assert tuple(command.name for command in described) == names


def test_the_version_is_printed(desk: Desk) -> None:
    result = desk.do("--version")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("orchestrate-tui ")
    assert result.out.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["--frobnicate"],
        ["runs", "--frob"],
        ["runs", "--lim", "3"],
        ["runs", "extra"],
        ["validate"],
        ["run"],
        ["run", "a.yaml", "b.yaml"],
        ["init", "nothing"],
        ["show"],
        ["rollback", "1", "--from", "a"],
        ["rollback-step", "1", "explode", "--reason", "x"],
        ["rollback-step", "1", "halt"],
        ["run", "a.yaml", "--var"],
        ["--db"],
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense_are_refused_in_one_line(desk: Desk, words: list[str]) -> None:
    assert_refused(desk, *words)


def test_a_misspelt_command_is_guessed(desk: Desk) -> None:
    assert "there is no command 'rnus', did you mean 'runs'?" in assert_refused(desk, "rnus")
    assert "no command 'rnus'" in assert_refused(desk, "--db", "x.db", "rnus")


def test_a_word_that_hides_control_characters_is_shown_with_them_visible(desk: Desk) -> None:
    assert "'␛]0;x␇'" in assert_refused(desk, "\x1b]0;x\x07")
    assert "␛" in assert_refused(desk, "show", "\x1b[2J")


def test_a_word_that_is_no_text_is_refused(desk: Desk) -> None:
    assert "is not valid UTF-8" in assert_refused(desk, "run", "x.yaml", "--var", "a=\udcff")


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "٣", "9223372036854775808", "9" * 5000])
@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["logs", "--attempt=1", "--rollback"],
        ["runs", "--limit"],
        ["rollbacks", "--limit"],
        ["cancel"],
    ],
    ids=" ".join,
)
def test_a_number_that_cannot_be_is_refused(desk: Desk, words: list[str], number: str) -> None:
    end = ["1", "a"] if words[0] == "logs" else []
    assert_refused(desk, *words, number, *end)


ABOUT_RUNS = (
    ["show", "7"],
    ["rollbacks", "7"],
    ["logs", "7", "a"],
    ["resume", "7"],
    ["approve", "7", "a"],
    ["reject", "7", "a"],
    ["cancel", "7"],
    ["rollback", "7", "--from", "a", "--to", "a", "--reason", "x", "--yes"],
    ["show", "9223372036854775807"],
)


@pytest.mark.parametrize("words", ABOUT_RUNS, ids=" ".join)
def test_a_run_that_is_not_there_is_said_so(desk: Desk, words: list[str]) -> None:
    desk.do("run", desk.pipeline(FINE))
    assert f"There is no run {words[1]}." in assert_refused(desk, *words)


@pytest.mark.parametrize("words", ABOUT_RUNS, ids=" ".join)
def test_without_a_database_nothing_is_made(desk: Desk, words: list[str]) -> None:
    assert "There is no database" in assert_refused(desk, *words)
    assert not desk.database.exists()


@pytest.mark.parametrize("is_unmade", [False, True])
def test_lists_are_empty_without_a_database(desk: Desk, *, is_unmade: bool) -> None:
    default = Path(desk.environment["XDG_STATE_HOME"]) / "orchestrate-tui" / "orchestrate.db"
    if is_unmade:  # its maker died first
        default.parent.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(default)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    for command, words in (("runs", "No runs yet\n"), ("rollbacks", "No rollbacks yet\n")):
        result = desk.do(command, ORCHESTRATE_DB="")
        assert (result.code, result.out, result.err) == (0, "", words)
        assert desk.do(command, "--json", ORCHESTRATE_DB="").json() == []


LISTS = ("runs", "rollbacks", "releases", "quarantine", "breakers", "notifications", "who")


@pytest.mark.parametrize("command", LISTS)
def test_a_database_that_was_named_and_is_not_there_is_no_empty_list(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    path = tmp_path / "misspelt.db"
    assert main([command, "--db", str(path)]) == 2
    said = f"There is no database {path}. Run a pipeline first, or name another one with --db"
    assert capfd.readouterr() == ("", f"orchestrate-tui: {said}\n")
    assert not path.exists()


def test_a_database_that_the_environment_names_has_to_be_there(desk: Desk) -> None:
    assert f"There is no database {desk.database}." in assert_refused(desk, "runs")


def test_with_json_an_error_is_one_object(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: p\nstages:\n  - {name: a, task: t}\n")
    for words, kind, code in (
        (["show", "7", "--db", str(tmp_path / "none.db")], "not_found", 2),
        (["show", "--frob"], "senseless", 2),
        (["runs", "--status", "fine"], "refused", 2),
        (["graph", str(bad)], "pipeline_file_error", 1),
        (["run", "--db", str(tmp_path / "none.db"), str(bad)], "cannot_start", 2),
    ):
        assert main([*words, "--json"]) == code
        told = capfd.readouterr()
        error = json.loads(told.out)["error"]
        assert (error["kind"], error["exit_code"]) == (kind, code)
        assert error["message"]
        assert main(words) == code
        assert capfd.readouterr() == ("", told.err)
        found = [(one["line"], one["message"]) for one in error["problems"]]
        assert (3, "Stage 'a' must specify an agent") in found or str(bad) not in words


def test_after_a_plan_a_refusal_is_no_second_value(desk: Desk) -> None:
    desk.do("run", desk.pipeline(FINE))
    result = desk.do("rollback", 1, "--from", "a", "--to", "a", "--dry-run", "--json")
    assert result.code == 2
    assert result.json()["refusal"] in result.err


@pytest.mark.parametrize(
    "words",
    [
        ["rollback-step", "7", "halt", "--reason", "x"],
        ["logs", "1", "a", "--rollback", "7"],
        ["logs", "1", "a", "--attempt", "7"],
        ["logs", "1", "b"],
        ["approve", "1", "b"],
        ["approve", "1", "a"],
        ["rollback", "1", "--from", "b", "--to", "a", "--reason", "x", "--yes"],
        ["runs", "--since", "yesterday"],
        ["runs", "--since", "0001-01-01T00:00:00"],
        ["runs", "--since", ""],
        ["runs", "--status", "fine"],
    ],
    ids=" ".join,
)
def test_what_a_run_does_not_have_is_refused(desk: Desk, words: list[str]) -> None:
    desk.do("run", desk.pipeline(FINE))
    assert_refused(desk, *words)


@pytest.mark.parametrize("command", ["validate", "graph", "run"])
def test_a_file_that_cannot_be_read_is_named(desk: Desk, command: str) -> None:
    (desk.folder / "folder.yaml").mkdir()
    desk.write("binary.yaml", "\0\0\0")
    (desk.folder / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    (desk.folder / "broken.yaml").symlink_to("broken.yaml")
    for name in ("missing.yaml", "folder.yaml", "binary.yaml", "latin.yaml", "broken.yaml"):
        result = desk.do(command, name)
        assert (result.code, result.out) == (2 if command == "run" else 1, "")
        assert f"{name}:" in result.err
        assert "Traceback" not in result.err
    unreadable = desk.do(command, "/proc/self/mem")
    assert unreadable.code == (2 if command == "run" else 1)
    assert "/proc/self/mem: the file cannot be read" in unreadable.err
    assert not desk.database.exists()


DATABASES = ("a text", "a folder", "another program's", "a newer one")


@pytest.fixture(params=DATABASES)
def foreign(desk: Desk, request: pytest.FixtureRequest) -> Path:
    """A database that cannot be used."""
    path = desk.database
    path.parent.mkdir(exist_ok=True)
    match request.param:
        case "a text":
            path.write_text("dear diary, " * 100)
        case "a folder":
            path.mkdir()
        case "another program's":
            with sqlite3.connect(path) as connection:
                connection.execute("CREATE TABLE bookmarks (url)")
            connection.close()
        case _:
            desk.do("run", desk.pipeline(FINE))
            with sqlite3.connect(path) as connection:
                connection.execute("INSERT INTO migration_files VALUES ('999_later', 'x')")
            connection.close()
    return path


def test_a_database_that_cannot_be_used_is_left_alone(desk: Desk, foreign: Path) -> None:
    before = None if foreign.is_dir() else foreign.read_bytes()
    file = desk.pipeline(FINE)
    for words in (["runs"], ["show", 1], ["run", file], ["approve", 1, "a"], ["rollbacks"]):
        assert str(foreign) in assert_refused_after_output(desk, *words)
    doctor = desk.do("doctor")
    assert doctor.code == 1
    assert "✗ database: " in doctor.out
    assert doctor.err == ""
    assert foreign.is_dir() or foreign.read_bytes() == before


def assert_refused_after_output(desk: Desk, *words: object) -> str:
    result = desk.do(*words)
    assert result.code == 2
    assert result.err.count("\n") == 1
    return result.err


def test_a_folder_that_cannot_be_made_is_named(desk: Desk) -> None:
    desk.write("file", "")
    result = desk.do("run", desk.pipeline(FINE), "--db", "file/inside/store.db")
    assert result.code == 2
    assert "file/inside/store.db" in result.err
    assert "Traceback" not in result.err


def test_a_configuration_with_problems_is_told_with_its_line(desk: Desk) -> None:
    (desk.config / "config.yaml").write_text("rolls: {}\n")
    result = desk.do("run", desk.pipeline(FINE))
    assert result.code == 2
    assert "config.yaml:1:1: " in result.err
    assert "roles" in result.err


def test_the_console_without_a_terminal_says_what_to_do_instead(desk: Desk) -> None:
    for words in ([], ["console"], ["shop.yaml"], ["--read-only"], ["--db", "other.db"]):
        told = assert_refused(desk, *words)
        assert "The console needs a terminal" in told
        assert told.endswith("orchestrate-tui --help lists them\n")


def test_the_console_is_not_opened_on_a_file_that_is_not_there(desk: Desk) -> None:
    terminal = desk.terminal("console", "gone.yaml")
    assert terminal.end() == 2
    assert terminal.text == "orchestrate-tui: There is no file gone.yaml. Check the path\n"


def piped(desk: Desk, script: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, `$O` being the program."""
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", script],
        cwd=desk.folder,
        env=desk.environment | {"O": f"{sys.executable} -m orchestrate_tui"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_reader_that_leaves_early_is_no_error(desk: Desk) -> None:
    desk.do("run", desk.pipeline(FINE))
    for command in ("runs", "show 1", "schema", "runs --json", "logs 1 a"):
        result = piped(desk, f"$O {command} | true")
        assert (result.returncode, result.stderr) == (0, "")
    result = piped(desk, "$O schema | head -1")
    assert (result.returncode, result.stdout, result.stderr) == (0, "{\n", "")


def test_streams_that_are_closed_are_no_error(desk: Desk) -> None:
    desk.do("run", desk.pipeline(FINE))
    for command in ("runs", "show 1", "run shop.yaml", "doctor", "rollbacks --json"):
        for closed in (">&-", "<&-", "<&- >&- 2>&-"):
            result = piped(desk, f"$O {command} {closed}")
            assert (result.returncode, result.stderr) == (0, "")


def test_a_full_disk_is_told_in_one_line(desk: Desk) -> None:
    desk.do("run", desk.pipeline(FINE))
    for command in ("runs", "show 1", "schema"):
        result = piped(desk, f"$O {command} >/dev/full")
        assert result.returncode == 2
        assert result.stderr == "orchestrate-tui: standard output: No space left on device\n"


def test_signs_that_a_terminal_lacks_are_replaced(desk: Desk) -> None:
    desk.do("run", desk.pipeline(FINE))
    result = desk.do("runs", PYTHONIOENCODING="ascii")
    assert (result.code, result.err) == (0, "")
    assert "\\u2713  succeeded" in result.out


def test_a_mistake_in_a_name_shows_control_characters(desk: Desk) -> None:
    desk.do("run", desk.pipeline(FINE))
    result = desk.do("logs", 1, "\x1b[2J\x9b31m\u202e")
    assert result.code == 2
    assert "'␛[2J<U+009B>31m<U+202E>'" in result.err


def test_a_line_break_in_a_name_forges_no_line(desk: Desk) -> None:
    desk.do("run", desk.pipeline(FINE))
    result = desk.do("logs", 1, "x\nrun 1 succeeded")
    assert result.err.count("\n") == 1
    assert "'x␊run 1 succeeded'" in result.err
    assert desk.do("run", "x\nforged: fine.yaml").err.splitlines() == [
        "orchestrate-tui: Cannot start x␊forged: fine.yaml",
        "x␊forged: fine.yaml: there is no such file (check the path)",
        "Nothing was started",
    ]


def test_the_problems_of_a_configuration_stand_line_by_line(desk: Desk) -> None:
    folder = desk.folder / "config"
    (folder / "orchestrate-tui").mkdir(parents=True)
    (folder / "orchestrate-tui" / "config.yaml").write_text("roles: 1\nrolls: {}\n")
    result = desk.do("run", desk.pipeline(FINE), XDG_CONFIG_HOME=str(folder))
    first, *problems = result.err.splitlines()
    assert (result.code, first) == (2, "orchestrate-tui: The configuration cannot be used")
    assert len(problems) == 2
    assert all("config.yaml:" in line for line in problems)
