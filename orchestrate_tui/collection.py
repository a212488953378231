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
