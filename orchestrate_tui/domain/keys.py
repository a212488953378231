"""The keys under which stage hosts, and the programs themselves, know the work for a run."""

from __future__ import annotations

from datetime import datetime

CHECK = "-check"
"""What the key of the check of an undo has beside that of the undo."""


def run_key(run_id: int, created_at: datetime) -> str:
    """What the keys of all work for a run begin with, and those of no other run."""
    return f"{created_at:%Y%m%dT%H%M%S%f}-{run_id}-"


def work_key(run_key: str, part: str, rollback_id: int | None = None) -> str:
    """The same for every attempt of a stage, or of its undo, and for no other work of the run."""
    key = f"{run_key}{part}"
    return key if rollback_id is None else f"{key}-rollback-{rollback_id}"


def attempt_key(idempotency_key: str, attempt: int) -> str:
    """What tells one attempt of some work from the others."""
    return f"{idempotency_key}.{attempt}"
