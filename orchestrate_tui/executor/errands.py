"""What another account may ask of an executor: one line of JSON there, one line back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from orchestrate_tui.domain.access import Right
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.domain.rollback_demand import EVERYTHING, RollbackDemand
from orchestrate_tui.domain.rollback_plan import RollbackPlan
from orchestrate_tui.domain.step_decision import StepAction
from orchestrate_tui.errors import Refused

LONGEST_ERRAND = 64 * 1024  # bytes, with the end of the line
LONGEST_REPLY = 16 * 1024 * 1024

OTHER_DEFINITION = "Only the owner of the database says by which other definition a run is undone"
OWN_DEFINITION = "Leave --definition out: the run's own one is used"

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=4096)]
Key = Annotated[str, Meta(pattern=r"\A[0-9a-zA-Z-]{16,64}\Z")]
"""Chosen anew for every errand: the same one again gets the first one's answer."""


class Errand(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True,
    tag_field="ask",
):  # fmt: skip
    """What all errands have.

    `confirmed` are the protected environments whose names were typed for one that is grave.
    """

    key: Key
    confirmed: tuple[str, ...] = ()


class Approve(Errand, frozen=True, tag="approve"):
    """Approve a waiting stage."""

    run: Id
    stage: Name
    comment: str = ""


class Reject(Errand, frozen=True, tag="reject"):
    """Reject a waiting stage."""

    run: Id
    stage: Name
    comment: str = ""


class Cancel(Errand, frozen=True, tag="cancel"):
    """Stop a run."""

    run: Id


class Acknowledge(Errand, frozen=True, tag="acknowledge"):
    """Say that somebody has seen how a run went wrong."""

    run: Id
    comment: str = ""


class Resume(Errand, frozen=True, tag="resume"):
    """Go on with an interrupted run."""

    run: Id


class Start(Errand, frozen=True, tag="start"):
    """Start a pipeline that the owner offers, named by the path of its file.

    `changed` None means that the changed paths are not known.
    """

    file: Name
    event: str = "manual"
    branch: str | None = None
    labels: tuple[str, ...] = ()
    changed: tuple[str, ...] | None = None
    variables: tuple[tuple[str, str], ...] = ()
    simulated: bool = False


class Protected(Errand, frozen=True, tag="protected"):
    """Which environments are protected, whatever a pipeline says."""


class Plan(Errand, frozen=True, tag="plan"):
    """What a rollback would do."""

    run: Id
    demand: RollbackDemand


class Rehearse(Errand, frozen=True, tag="rehearse"):
    """Do all of a rollback but its undos; the answer is the rehearsal's id."""

    run: Id
    demand: RollbackDemand = EVERYTHING


class Rollback(Errand, frozen=True, tag="rollback"):
    """Roll a run back; the answer is the rollback's id."""

    run: Id
    demand: RollbackDemand


class Decide(Errand, frozen=True, tag="decide"):
    """Decide how a rollback goes on after a step that failed; `stage` "" is the one that waits."""

    rollback: Id
    action: StepAction
    reason: str = ""
    stage: str = ""


class Halt(Errand, frozen=True, tag="halt"):
    """Stop a rollback at its present step."""

    rollback: Id
    reason: str = ""


class Rule(Errand, frozen=True, tag="rule"):
    """Pin or unpin a release, or lift a quarantine; `subject` is the id of either."""

    ruling: Ruling
    subject: Id
    reason: str = ""


AnyErrand: TypeAlias = (
    Approve
    | Reject
    | Cancel
    | Acknowledge
    | Resume
    | Start
    | Protected
    | Plan
    | Rehearse
    | Rollback
    | Decide
    | Halt
    | Rule
)

NEEDED: dict[type[Errand], tuple[Right, str]] = {
    Approve: (Right.APPROVE, "approve stages"),
    Reject: (Right.APPROVE, "reject stages"),
    Cancel: (Right.RUN, "cancel runs"),
    Acknowledge: (Right.RUN, "acknowledge runs"),
    Resume: (Right.RUN, "resume runs"),
    Start: (Right.RUN, "start runs"),
    Protected: (Right.VIEW, "ask which environments are protected"),
    Plan: (Right.VIEW, "ask what a rollback would do"),
    Rehearse: (Right.ROLLBACK, "rehearse rollbacks"),
    Rollback: (Right.ROLLBACK, "roll runs back"),
    Decide: (Right.ROLLBACK, "decide about steps of rollbacks"),
    Halt: (Right.ROLLBACK, "halt rollbacks"),
    Rule: (Right.ROLLBACK, "rule on releases, quarantines and breakers"),
}
"""The right that each errand asks for, and what it does, as somebody is told who lacks it."""


class Done(Struct, frozen=True, kw_only=True, tag="done", tag_field="reply"):
    """What the errand did; `plan` and `protected` are there when they were asked for."""

    answer: str = ""
    plan: RollbackPlan | None = None
    protected: tuple[str, ...] = ()


class Why(StrEnum):
    """Of what kind the reason is for which an errand is declined."""

    REFUSED = "refused"
    """It may not be done."""
    ELSEWHERE = "elsewhere"
    """This executor cannot do it; another one may."""
    UNRECORDED = "unrecorded"
    """It is taken, and nothing says so that outlives the executor: its disk is full."""


class Declined(Struct, frozen=True, kw_only=True, tag="declined", tag_field="reply"):
    """Why it is not done, and what to do next.

    `protected` are the environments whose names were not typed, if that is why.
    """

    message: str
    next_step: str = ""
    why: Why = Why.REFUSED
    protected: tuple[str, ...] = ()


Reply: TypeAlias = Done | Declined

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_errand: msgspec.json.Decoder[AnyErrand] = msgspec.json.Decoder(AnyErrand)
_reply: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)


def line_of(message: AnyErrand | Reply) -> bytes:
    """The message as it is sent."""
    return _encode(message) + b"\n"


def errand_of(line: bytes) -> AnyErrand:
    """The errand that was sent. Raises Refused for anything else."""
    return _read(_errand, line)


def reply_of(line: bytes) -> Reply:
    """The reply that was sent. Raises Refused for anything else."""
    return _read(_reply, line)


def _read(decoder: msgspec.json.Decoder[T], line: bytes) -> T:
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(
            f"This is no request that is understood here: {error}",
            next_step="Use the same version of orchestrate-tui as the owner of the database",
        ) from error
