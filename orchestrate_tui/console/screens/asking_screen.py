"""A screen that asks the executor for something, and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from textual import work
from textual.widget import Widget

from orchestrate_tui.console.asking import outcome
from orchestrate_tui.console.text import visible
from orchestrate_tui.errors import OrchestrateError, Refused

if TYPE_CHECKING:
    from orchestrate_tui.console.latch import LatchedControl
    from orchestrate_tui.console.screens.question import Question


REFUSAL_S = 20.0
"""For how long a refusal is shown: who looks at the screen a little later is to find it."""


class AskingScreen(Widget):
    """Asks only for what the latch lets through; for screens, which name it after their own."""

    _control: LatchedControl

    def _passes_latch(self, environments: Sequence[str]) -> bool:
        """Whether something may be changed there; if not, that is said."""
        try:
            self._control.latch.check(environments)
        except Refused as refusal:
            self.notify(visible(str(refusal)), severity="warning", markup=False)
            return False
        return True

    def _ask_first(
        self, question: Question, request: Callable[[], Future[Any]], *, is_brief: bool = False
    ) -> None:
        """Ask for something once `question` was answered with yes; see `_ask`."""

        def answered(answer: str | None) -> None:
            if answer == "yes":
                self._ask(request, is_brief=is_brief)

        self.app.push_screen(question, answered)

    @work()
    async def _ask(self, request: Callable[[], Future[Any]], *, is_brief: bool = False) -> None:
        """Tell what the executor answers; what `is_brief` should be answered soon."""
        try:
            answer = await outcome(request(), late=self._say if is_brief else None)
        except OrchestrateError as error:
            self._complain(error)
        else:
            self._say(answer if isinstance(answer, str) else None)

    def _complain(self, error: OrchestrateError) -> None:
        """Say why something was not done."""
        self.notify(visible(str(error)), severity="error", timeout=REFUSAL_S, markup=False)

    def _say(self, text: str | None) -> None:
        if text:
            self.notify(visible(text), markup=False)
