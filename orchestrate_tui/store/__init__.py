"""Everything that is kept: one SQLite database, and the log files beside it."""

from __future__ import annotations

from orchestrate_tui.store.database import Database, open_database
from orchestrate_tui.store.rollbacks import (
    count_rollback_events_for_stage,
    get_rollback_event,
    insert_rollback_event,
    list_rollback_events,
    update_rollback_event,
)

__all__ = [
    "Database",
    "count_rollback_events_for_stage",
    "get_rollback_event",
    "insert_rollback_event",
    "list_rollback_events",
    "open_database",
    "update_rollback_event",
]
