"""What the executor is given of a pipeline file."""

from __future__ import annotations

from typing import Protocol

from orchestrate_tui.domain.pipeline import Pipeline


class Runnable(Protocol):
    """A pipeline that was read from a file, with what is kept of that file."""

    @property
    def pipeline(self) -> Pipeline:
        """What is run."""
        ...

    @property
    def source(self) -> str:
        """The text of the file."""
        ...

    @property
    def file(self) -> str:
        """The path of the file."""
        ...
