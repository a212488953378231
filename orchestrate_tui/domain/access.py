"""What another account of the machine may ask of an executor."""

from __future__ import annotations

from enum import StrEnum


class Right(StrEnum):
    """One thing that an owner lets others do; each is granted by itself."""

    VIEW = "view"
    """See the plan of a rollback; whoever has another right has this one too."""
    RUN = "run"
    """Start the pipelines that are offered, and resume, cancel or acknowledge runs."""
    APPROVE = "approve"
    """Decide on stages that wait; the stage's approvers still say who may."""
    ROLLBACK = "rollback"
    """Roll runs back and rehearse that, decide about steps, halt rollbacks, pin releases, lift
    quarantines and reset breakers."""
