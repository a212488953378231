"""Python's search for garbage, which finds none in what is being loaded and takes its time.

The same is true of a large graph that is being laid out.
"""

from __future__ import annotations

import gc


def load_in_peace() -> None:
    """Look for no garbage until `collect_again`."""
    gc.disable()


def collect_again() -> None:
    """Look for garbage again, and never among what was loaded in peace."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def collect_seldom() -> None:
    """Look for garbage less often: one picture makes more than the usual 700 values and keeps them.

    To look among all that there is takes about as long as a picture, and holds a key up.
    """
    gc.set_threshold(10_000, 50, 20)
