"""What happens in a run, each event as one line."""

from __future__ import annotations

from orchestrate_tui.cli.marked import say_marked
from orchestrate_tui.console.marks import HELD, Mark, Tone, run_mark, stage_mark, step_mark
from orchestrate_tui.domain import events
from orchestrate_tui.domain.events import Event
from orchestrate_tui.domain.status import RunStatus, StageStatus, StepStatus

_UNDO = Mark("↶", Tone.UNDONE, "rollback")


def say_event(event: Event) -> None:
    """Print when it was and what it was, if that is worth a line."""
    mark, text = _line_of(event)
    if text:
        say_marked(mark, f"{event.at.astimezone():%H:%M:%S}  {text}")


def _line_of(event: Event) -> tuple[Mark, str]:
    because = f": {event.detail}" if event.detail else ""
    status = event.to_status or ""
    match event.kind:
        case "run":
            mark = run_mark(RunStatus(status))
            return mark, f"run {event.run_id} {mark.word}{because}"
        case "stage":
            mark = stage_mark(StageStatus(status))
            attempt = f" (attempt {event.attempt})" if (event.attempt or 0) > 1 else ""
            return mark, f"{event.stage_name} {mark.word}{attempt}{because}"
        case events.HELD:
            goes_on = f"{event.stage_name} goes on"
            return HELD, f"{event.stage_name} {HELD.word}{because}" if because else goes_on
        case "step":
            mark = step_mark(StepStatus(status))
            return mark, f"undo of {event.stage_name} {mark.word}{because}"
        case "rollback":
            return _UNDO, f"rollback {event.rollback_id} to {event.stage_name} {status}{because}"
        case "approval":
            return _UNDO, f"{event.stage_name} {status} by {event.actor}"
        case _:
            return _UNDO, ""
