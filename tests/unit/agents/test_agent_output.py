from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrate_tui.agents.output import MAX_OUTPUT_BYTES, BadOutput, parse_outputs, read_outputs

if TYPE_CHECKING:
    from tests.unit.agents.conftest import MakeWork, Run


def test_each_line_hands_on_one_value() -> None:
    content = b"version=1.10\nimage=web@sha256:1=2\n\nempty=\r\n"
    assert parse_outputs(content) == (
        ("version", "1.10"),
        ("image", "web@sha256:1=2"),
        ("empty", ""),
    )


def test_the_last_value_of_a_key_wins() -> None:
    assert parse_outputs(b"a=1\nb=2\na=3") == (("a", "3"), ("b", "2"))


def test_other_separators_stay_inside_a_value() -> None:
    assert parse_outputs("a=x\x0b\u2028 y ".encode()) == (("a", "x\x0b\u2028 y "),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a=1\nnonsense\n", "line 2 of the outputs is not key=value: 'nonsense'"),
        (b"a.b=1", "line 1 of the outputs has a key that is no name: 'a.b'"),
        (b"1a=1", "line 1 of the outputs has a key that is no name: '1a'"),
        (b" a=1", "line 1 of the outputs has a key that is no name: ' a'"),
        (b"a=\0", "line 1 of the outputs contains a NUL character"),
        (b"a=1\na=\xff", "line 2 of the outputs is not UTF-8 text"),
        (b"x" * 500, "line 1 of the outputs is not key=value: '" + "x" * 60 + "…'"),
        (b"a" * (MAX_OUTPUT_BYTES + 1), "the outputs are larger than 1048576 bytes"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(BadOutput) as refusal:
        parse_outputs(content)
    assert str(refusal.value) == message


def test_a_stage_that_wrote_nothing_hands_on_nothing(tmp_path: Path) -> None:
    assert read_outputs(tmp_path / "missing.out") is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password=1")
    (tmp_path / "stage.out").symlink_to(tmp_path / "secret")
    with pytest.raises(BadOutput, match="cannot read the outputs"):
        read_outputs(tmp_path / "stage.out")


@pytest.mark.anyio
async def test_a_stage_hands_on_what_it_appends(make_work: MakeWork, run: Run) -> None:
    work = make_work(shell='for n in 1 2; do echo "v$n=$n" >>"$ORCHESTRATE_OUTPUT"; done')
    assert (await run(work)).outputs == (("v1", "1"), ("v2", "2"))


@pytest.mark.anyio
async def test_a_failed_stage_hands_on_too(make_work: MakeWork, run: Run) -> None:
    outcome = await run(make_work(shell='echo a=1 >>"$ORCHESTRATE_OUTPUT"; exit 4'))
    assert (outcome.reason, outcome.outputs) == ("exit code 4", (("a", "1"),))


@pytest.mark.anyio
async def test_unreadable_outputs_fail_the_stage(make_work: MakeWork, run: Run) -> None:
    work = make_work(shell='echo oops >>"$ORCHESTRATE_OUTPUT"')
    outcome = await run(work)
    assert not outcome.succeeded
    assert outcome.reason == "line 1 of the outputs is not key=value: 'oops'"
    assert outcome.exit_code == 0
    assert outcome.reason in work.log_path.read_text()


@pytest.mark.anyio
@pytest.mark.parametrize("make", ["mkfifo", "mkdir"])
async def test_outputs_that_are_no_file_fail_the_stage(
    make_work: MakeWork, run: Run, make: str
) -> None:
    outcome = await run(
        make_work(shell=f'rm -f "$ORCHESTRATE_OUTPUT"; {make} "$ORCHESTRATE_OUTPUT"')
    )
    assert outcome.reason == "cannot read the outputs: not a regular file"
