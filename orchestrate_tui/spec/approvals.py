"""Who has to approve a stage: `requires_approval`, `approvers` and `approval:`."""

from __future__ import annotations

from dataclasses import replace

from orchestrate_tui.domain.pipeline import DEFAULT_APPROVAL_TIMEOUT_S, Approval, OnTimeout
from orchestrate_tui.spec.readers import NEVER, Choice, Duration, Whole
from orchestrate_tui.spec.records import Field, Record, Values


def _approval(values: Values) -> Approval:
    timeout_s = values["timeout"]
    return Approval(
        approvers=(),
        quorum=values["quorum"],
        timeout_s=None if timeout_s == NEVER else timeout_s,
        on_timeout=values["on_timeout"],
    )


APPROVAL = Record(
    title="'approval'",
    definition="approval",
    build=_approval,
    fields=(
        Field(
            key="quorum",
            reader=Whole(least=1, most=1000),
            description="How many of the approvers are needed; all of them when not written.",
        ),
        Field(
            key="timeout",
            reader=Duration(zero=False, never=True),
            description="How long to wait for a decision, or `never` for as long as it takes.",
            default=DEFAULT_APPROVAL_TIMEOUT_S,
        ),
        Field(
            key="on_timeout",
            reader=Choice(words=OnTimeout),
            description="What happens when nobody decided in time.",
            default=OnTimeout.REJECT,
        ),
    ),
)


def approval_of(values: Values) -> Approval | None:
    """The approval that a stage needs, or None; reports what does not fit together."""
    approvers = tuple(dict.fromkeys(values["approvers"]))
    if not values["requires_approval"]:
        _check_unneeded_approval(values)
        return None
    name: str = values["name"]
    approval: Approval = values["approval"]
    if not approvers and not values.blamed("approvers"):
        message = f"Stage '{name}' requires approval but has no approvers"
        values.error(("requires_approval",), message)
    if approvers and approval.quorum and approval.quorum > len(approvers):
        values.error(
            ("approval", "quorum"),
            f"Stage '{name}' needs {approval.quorum} approvals but has {len(approvers)} approvers",
        )
    return replace(approval, approvers=approvers)


def _check_unneeded_approval(values: Values) -> None:
    name = values["name"]
    hint = "write requires_approval: true"
    if values.written("approval"):
        message = f"Stage '{name}' describes an approval but does not require one"
        values.error(("approval",), message, hint)
    elif values["approvers"]:
        message = f"Stage '{name}' has approvers but does not require approval"
        values.report.warning(values.at("approvers"), message, hint)
