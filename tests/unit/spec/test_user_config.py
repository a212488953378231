"""Where a user's files lie, and what is said where they have no home."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrate_tui.spec.user_config import own_folder, user_config_folder

REPOSITORY = Path(__file__).parents[3]
SOMEBODY_WITHOUT_A_NAME = "4711"
ASK = """
import os, sys
from argparse import Namespace
from pathlib import Path
from orchestrate_tui.cli import places
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.store.database import StoreFiles
os.setuid(int(sys.argv[1]))
print(places.database_option(Path("/srv/store.db")))
try:
    places.database_path(Namespace(db=None))
except OrchestrateError as error:
    print(error)
"""


def test_a_users_files_are_where_the_variable_says_or_below_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative, so it does not count")
    assert user_config_folder() == tmp_path / ".config" / "orchestrate-tui"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configured"))
    assert user_config_folder() == tmp_path / "configured" / "orchestrate-tui"


@pytest.mark.parametrize("home", [None, "", "somewhere"])
def test_without_a_home_the_one_of_the_account_is_taken(
    monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    home_of_account = Path(pwd.getpwuid(os.getuid()).pw_dir)
    found = own_folder("XDG_STATE_HOME", ".local/state")
    assert found == home_of_account / ".local/state/orchestrate-tui"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_has_no_home_at_all_is_told_what_to_set() -> None:
    asked = subprocess.run(
        [sys.executable, "-P", "-c", ASK, SOMEBODY_WITHOUT_A_NAME],
        env={"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert asked.stderr == ""
    option, complaint = asked.stdout.splitlines()
    assert option == " --db /srv/store.db"
    assert complaint == (
        "The user 4711 has no home folder, and neither HOME nor XDG_STATE_HOME says where its"
        " files are. Set HOME or XDG_STATE_HOME to the path of a folder"
    )
