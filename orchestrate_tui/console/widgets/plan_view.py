"""What a rollback would do, in the order in which it would be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from orchestrate_tui.console.rollback_choice import plan_lines
from orchestrate_tui.console.styled import lines, plain, toned

if TYPE_CHECKING:
    from orchestrate_tui.domain.rollback_plan import RollbackPlan


class PlanView(VerticalScroll):
    """Shows a plan, its title how much it is and where."""

    DEFAULT_CSS = """
    PlanView {
        height: 1fr;
        min-height: 3;
        border-top: solid $primary;
        border-title-style: bold;
        scrollbar-size: 1 1;
    }
    """

    def compose(self) -> ComposeResult:
        """The lines of the plan."""
        yield Static()

    def on_mount(self) -> None:
        """Begin without a plan."""
        self.border_title = "Plan"

    def show(self, plan: RollbackPlan) -> None:
        """Show a plan instead of the one before."""
        texts = [toned(text, tone) for text, tone in plan_lines(plan)]
        self.query_one(Static).update(lines(texts))
        count = len(plan.steps)
        places = plan.environments if len(plan.environments) > 1 else ()
        where = f", in {' and '.join(places)}" if places else ""
        self.border_title = plain(f"Plan: {count} step{'s' * (count != 1)} in this order{where}")
