"""Values that were asked for before a stage ran, as its undo is given them."""

from __future__ import annotations

from collections.abc import Mapping

SNAPSHOT = "snapshot."
"""The prefix of `${snapshot.<name>}`."""

SNAPSHOT_VARIABLE = "ORCHESTRATE_SNAPSHOT_"
"""How the environment variables begin that carry the same values."""


def snapshot_variables(values: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that carry the values to an undo."""
    return {SNAPSHOT_VARIABLE + name.upper(): value for name, value in values.items()}
