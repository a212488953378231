"""Files of secrets that change: every change is noticed, and what is no file disturbs nobody."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from orchestrate_tui.stagehost.secret_files import LARGEST_BYTES, SecretFiles


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(b"first")
    return path


def test_a_file_is_read_when_it_is_looked_at_first_and_after_each_change(key: Path) -> None:
    files = SecretFiles([str(key)])
    assert files.changed() == {str(key): b"first"}
    for value in (b"other", b"third", b"a longer one"):  # also of the same size, in the same moment
        key.write_bytes(value)
        assert files.changed() == {str(key): value}
    other = key.with_name("other")
    other.write_bytes(b"moved in")
    other.replace(key)
    assert files.changed() == {str(key): b"moved in"}


def test_a_file_that_rests_is_not_read_again(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = SecretFiles([str(key)])
    later = time.time_ns() + 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    assert files.changed() == {str(key): b"first"}
    assert files.changed() == {}


@pytest.mark.parametrize("content", [b"", b"    ", b"ok", b"\r\n\r\n", rb"\\\\a"])
def test_what_would_garble_every_text_is_left_out(key: Path, content: bytes) -> None:
    files = SecretFiles([str(key)])
    key.write_bytes(content)
    assert files.changed() == {}
    key.write_bytes(b"whole\r\n")
    assert files.changed() == {str(key): b"whole"}


@pytest.mark.usefixtures("key")
def test_what_is_no_file_is_left_out_and_looked_for_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * (LARGEST_BYTES + 1))
    names = ("pipe", "large", "absent", "key")
    files = SecretFiles(str(tmp_path / name) for name in names)
    assert files.changed() == {str(tmp_path / "key"): b"first"}
    (tmp_path / "absent").write_bytes(b"there")
    assert files.changed()[str(tmp_path / "absent")] == b"there"
