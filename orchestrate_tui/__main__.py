"""`python -m orchestrate_tui`, and the installed program."""

from __future__ import annotations

import sys

from orchestrate_tui.collection import load_in_peace


def main() -> int:
    """Run one command, loaded in peace; its exit code.

    Who only watches writes nothing, not even the bytecode of what is loaded from here on.
    """
    if "--read-only" in sys.argv:
        sys.dont_write_bytecode = True
    load_in_peace()
    from orchestrate_tui.cli import main as carry_out  # noqa: PLC0415  (see above)

    return carry_out()


if __name__ == "__main__":
    raise SystemExit(main())
