from __future__ import annotations

import gc

from orchestrate_tui.cli import main
from orchestrate_tui.collection import collect_again, collect_seldom, load_in_peace


def test_garbage_is_looked_for_again_once_everything_is_loaded() -> None:
    load_in_peace()
    assert not gc.isenabled()
    collect_again()
    assert gc.isenabled()
    assert gc.get_freeze_count()
    gc.unfreeze()


def test_a_command_looks_for_garbage_while_it_works() -> None:
    main(["schema"])
    assert gc.isenabled()
    gc.unfreeze()


def test_no_garbage_is_looked_for_in_what_one_picture_makes() -> None:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    collect_seldom()
    assert gc.get_threshold()[0] >= 10_000
    gc.set_threshold(*before)
